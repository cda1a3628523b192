"""One release at a time: locks in a DynamoDB in memory, in a time that only passes when somebody waits."""

from datetime import UTC, datetime, timedelta

import pytest

from aws_simulator import AwsSimulator, SteppedClock
from platform_sdk.deploy.aws import AccessDenied, AwsCallFailed, AwsUnavailable
from platform_sdk.deploy.aws.session import Aws
from platform_sdk.deploy.environment import Environment, load_environment
from platform_sdk.deploy.release.lock import Locked, LockLost, ReleaseLock, break_lock, owner_of
from platform_sdk.deploy.state import LockItem, Suspended
from tests.support.repository import FIXTURES

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
SUSPENDED = Suspended(scale_in=True)


class Account:
    """A region with nothing but the table of locks."""

    def __init__(self, clock: SteppedClock) -> None:
        self.clock = clock
        self.simulator = AwsSimulator(clock=clock)
        self.simulator.client("dynamodb").create_table(
            TableName="platform-production-locks",
            AttributeDefinitions=[{"AttributeName": "name", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "name", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        aws = Aws(self.simulator.client, account_id=self.simulator.account_id, region=self.simulator.region)
        self.locks = aws.locks
        self.environment: Environment = load_environment(FIXTURES, "production")

    def lock(self, owner: str = "me", **more: object) -> ReleaseLock:
        return ReleaseLock(
            self.locks,
            self.clock,
            self.environment,
            "orders",
            owner=owner,
            purpose=f"release by {owner}",
            **more,  # type: ignore[arg-type]
        )

    def kept(self) -> LockItem | None:
        return self.locks.read("platform-production-locks", "release/orders")

    def writes(self) -> int:
        return sum(call.writes for call in self.simulator.calls)


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(START)


@pytest.fixture
def account(clock: SteppedClock) -> Account:
    return Account(clock)


def test_the_lock_is_held_in_the_block_and_free_after_it(account: Account) -> None:
    with account.lock() as lock:
        kept = account.kept()
        assert kept is not None
        assert (kept.owner, kept.purpose, kept.since) == ("me", "release by me", START)
        assert kept.expires_at == START + timedelta(seconds=180)
        assert (lock.before, lock.scaling, lock.deployment_id) == (None, None, "")

    assert account.kept() is None


def test_an_error_in_the_block_frees_the_lock(account: Account) -> None:
    with pytest.raises(ZeroDivisionError), account.lock():
        raise ZeroDivisionError

    assert account.kept() is None


def test_a_second_release_learns_who_holds_the_lock_and_until_when(account: Account) -> None:
    with account.lock("CodeBuild orders:7"):
        account.clock.sleep(90)
        with pytest.raises(Locked) as raised, account.lock("you"):
            pass

    error = raised.value
    assert error.exit_code == 16
    assert error.what == "orders in production is locked by CodeBuild orders:7"
    assert error.because == (
        "its release by CodeBuild orders:7 runs since 09:00:00 UTC, for 2 min; if it does not renew the lock, "
        "it expires at 09:03:00 UTC"
    )
    assert "`platform unlock orders --env production`" in (error.hint or "")


def test_a_waiting_release_takes_the_lock_as_soon_as_it_is_free(account: Account) -> None:
    first = account.lock()
    first.__enter__()
    account.clock.after(42, lambda: first.__exit__(None, None, None))
    noted: list[tuple[str, datetime]] = []

    with account.lock("you", wait_minutes=2, on_wait=lambda holder, until: noted.append((holder.owner, until))):
        assert START + timedelta(seconds=42) <= account.clock.now() <= START + timedelta(seconds=47)

    assert set(noted) == {("me", START + timedelta(minutes=2))}


def test_waiting_in_vain_ends_with_an_error(account: Account) -> None:
    with account.lock() as holder:
        for minute in range(5):
            account.clock.after(60 * minute + 61, holder.renew_when_due)
        with pytest.raises(Locked, match="is locked by me"), account.lock("you", wait_minutes=4):
            pass

    assert account.clock.now() - START >= timedelta(minutes=4)


def test_an_exception_of_the_callback_ends_the_wait(account: Account) -> None:
    def interrupted(_holder: LockItem, _until: datetime) -> None:
        raise InterruptedError

    with account.lock():
        with pytest.raises(InterruptedError), account.lock("you", wait_minutes=4, on_wait=interrupted):
            pass
        assert (kept := account.kept()) is not None
        assert kept.owner == "me"


def test_a_lock_is_renewed_once_a_minute_and_lasts_as_long_as_it_is(account: Account) -> None:
    with account.lock() as lock:
        before = account.writes()
        for _ in range(600):
            account.clock.sleep(1)
            lock.renew_when_due()
        assert account.writes() - before == 10
        kept = account.kept()
        assert kept is not None
        assert kept.expires_at == account.clock.now() + timedelta(seconds=180)


def test_the_lock_of_a_killed_release_is_taken_over_with_its_notes(account: Account) -> None:
    killed = account.lock()
    killed.__enter__()
    killed.renew(deployment_id="d-1")
    killed.renew(scaling=SUSPENDED)
    account.clock.sleep(179)
    with pytest.raises(Locked), account.lock("you"):
        pass
    account.clock.sleep(1)

    with account.lock("you") as lock:
        assert lock.before is not None
        assert lock.before.owner == "me"
        assert (lock.scaling, lock.deployment_id) == (SUSPENDED, "d-1")
        lock.renew(forget_scaling=True)
        assert lock.scaling is None

    assert account.kept() is None


def test_scaling_that_is_not_restored_stays_in_the_expired_lock(account: Account) -> None:
    with account.lock() as lock:
        lock.renew(scaling=SUSPENDED)

    with account.lock("you") as next_lock:
        assert next_lock.scaling == SUSPENDED


def test_notes_survive_two_killed_holders(account: Account) -> None:
    killed = account.lock()
    killed.__enter__()
    killed.renew(scaling=SUSPENDED)
    account.clock.sleep(180)
    account.lock("you").__enter__()
    account.clock.sleep(180)

    with account.lock("third") as lock:
        assert lock.scaling == SUSPENDED


def test_a_lost_lock_is_noticed_at_the_next_renewal_and_not_touched(account: Account) -> None:
    def overslept() -> None:
        with account.lock() as lock:
            account.clock.sleep(200)
            account.lock("you").__enter__()
            lock.renew_when_due()

    with pytest.raises(LockLost) as raised:
        overslept()

    assert raised.value.exit_code == 15
    assert raised.value.what == "the lock of orders in production was taken over"
    assert raised.value.because == "you holds it for its release by you since 09:03:20 UTC"
    assert (kept := account.kept()) is not None
    assert kept.owner == "you"


def test_an_expired_lock_that_nobody_took_over_is_renewed(account: Account) -> None:
    with account.lock() as lock:
        account.clock.sleep(1000)
        lock.renew_when_due()
        assert (kept := account.kept()) is not None
        assert kept.expires_at > account.clock.now()


@pytest.mark.parametrize("how", ["throttled", "server_error", "timeout"])
def test_a_renewal_that_fails_is_retried_until_the_lock_expires(account: Account, how: str) -> None:
    with account.lock() as lock:
        account.clock.sleep(60)
        account.simulator.fail("dynamodb", "UpdateItem", how=how, times=2)  # type: ignore[arg-type]
        for _ in range(3):
            lock.renew_when_due()
            account.clock.sleep(5)
        assert (kept := account.kept()) is not None
        assert kept.expires_at == START + timedelta(seconds=60 + 5 + 5 + 180)


def test_a_lock_that_could_not_be_renewed_in_time_is_lost(account: Account) -> None:
    def throttled_for_minutes() -> None:
        with account.lock() as lock:
            account.simulator.fail("dynamodb", "UpdateItem", how="throttled", times=1000)
            for _ in range(200):
                account.clock.sleep(1)
                lock.renew_when_due()

    with pytest.raises(LockLost, match="could not be renewed in time"):
        throttled_for_minutes()

    assert account.clock.now() - START == timedelta(seconds=180)


def test_a_renewal_whose_answer_was_lost_is_still_ours(account: Account) -> None:
    with account.lock() as lock:
        account.clock.sleep(60)
        account.simulator.fail("dynamodb", "UpdateItem", how="answer_lost")
        lock.renew_when_due()
        account.clock.sleep(5)
        lock.renew_when_due()

    assert account.kept() is None


@pytest.mark.parametrize("how", ["throttled", "server_error", "timeout", "answer_lost"])
def test_acquiring_and_releasing_are_retried(account: Account, how: str) -> None:
    account.simulator.fail("dynamodb", "UpdateItem", how=how, times=2)  # type: ignore[arg-type]
    account.simulator.fail("dynamodb", "DeleteItem", how=how, times=2)  # type: ignore[arg-type]

    with account.lock():
        assert account.kept() is not None

    assert account.kept() is None


def test_a_lock_that_may_not_be_taken_is_an_error_at_once(account: Account) -> None:
    account.simulator.fail("dynamodb", "UpdateItem", how="denied")

    with pytest.raises(AccessDenied), account.lock():
        pass

    assert account.clock.now() == START


def test_retries_of_acquiring_end(account: Account) -> None:
    account.simulator.fail("dynamodb", "UpdateItem", how="server_error", times=100)

    with pytest.raises(AwsUnavailable), account.lock():
        pass


def test_a_lock_that_cannot_be_released_hides_no_error_and_expires(account: Account) -> None:
    account.simulator.fail("dynamodb", "DeleteItem", how="denied")

    with pytest.raises(ZeroDivisionError), account.lock():
        raise ZeroDivisionError

    account.clock.sleep(180)
    with account.lock("you"):
        pass


def test_a_note_that_fails_is_the_callers_to_repeat(account: Account) -> None:
    with account.lock() as lock:
        account.simulator.fail("dynamodb", "UpdateItem", how="throttled")
        with pytest.raises(AwsCallFailed):
            lock.renew(scaling=SUSPENDED)
        assert lock.scaling is None
        lock.renew(scaling=SUSPENDED)
        assert lock.scaling == SUSPENDED
        lock.renew(forget_scaling=True)


@pytest.mark.parametrize("ahead_seconds", [-110, 110])
def test_clocks_may_differ_by_less_than_two_minutes(account: Account, ahead_seconds: int) -> None:
    other = SteppedClock(START + timedelta(seconds=ahead_seconds))
    with account.lock() as lock:
        for _ in range(6):
            account.clock.sleep(30)
            other.sleep(30)
            lock.renew_when_due()
            thief = ReleaseLock(
                account.locks, other, account.environment, "orders", owner="you", purpose="release by you"
            )
            with pytest.raises(Locked), thief:
                pass


def test_an_unlocked_release_loses_the_lock_and_its_notes_are_kept(account: Account) -> None:
    holder = account.lock()
    holder.__enter__()
    holder.renew(scaling=SUSPENDED)
    seen = account.kept()
    assert seen is not None

    assert break_lock(account.locks, account.environment, seen, owner="you", now=account.clock.now())

    account.clock.sleep(60)
    with pytest.raises(LockLost):
        holder.renew_when_due()
    with account.lock("third") as lock:
        assert lock.scaling == SUSPENDED


def test_unlocking_leaves_nothing_where_nothing_is_to_be_restored(account: Account) -> None:
    account.lock().__enter__()
    seen = account.kept()
    assert seen is not None

    assert break_lock(account.locks, account.environment, seen, owner="you", now=account.clock.now())
    assert account.kept() is None


def test_a_release_that_renews_its_lock_is_not_unlocked(account: Account) -> None:
    holder = account.lock()
    holder.__enter__()
    seen = account.kept()
    assert seen is not None
    account.clock.sleep(60)
    holder.renew_when_due()

    assert not break_lock(account.locks, account.environment, seen, owner="you", now=account.clock.now())
    account.clock.sleep(60)
    holder.renew_when_due()


def test_the_owner_is_the_build_or_user_and_machine() -> None:
    assert owner_of({"CODEBUILD_BUILD_ID": "orders:7"}) == "CodeBuild orders:7"
    assert "@" in owner_of({})
