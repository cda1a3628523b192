"""Log-in, refresh, log-out: who gets tokens, for how long, and what a stolen one is worth."""

import asyncio
import statistics
import time
from uuid import uuid4

import argon2

from tests.integration.users.users_service import PASSWORD, StartUsers, Users, problem_of


async def test_log_in_answers_with_tokens_that_nobody_caches(users: Users) -> None:
    await users.post_user("ada@example.com")
    answer = await users.log_in(" ADA@example.com")

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.json()
    assert set(body) == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 900)
    [stored] = await users.rows("SELECT digest FROM refresh_tokens")
    assert body["refresh_token"].encode() not in stored["digest"]


async def test_unknown_address_wrong_password_and_disabled_account_get_the_same_answer(users: Users) -> None:
    await users.post_user("ada@example.com")
    await users.post_user("disabled@example.com")
    await users.execute("UPDATE users SET disabled = true WHERE email = 'disabled@example.com'")

    answers = [
        await users.log_in("ada@example.com", "wrong horse battery staple"),
        await users.log_in("nobody@example.com"),
        await users.log_in("disabled@example.com"),
        await users.log_in("not an address"),
    ]

    assert {problem_of(answer) for answer in answers} == {(401, "invalid-credentials")}
    assert len({answer.content for answer in answers}) == 1
    volatile = {"date", "x-request-id", "traceparent", "server-timing", "ratelimit"}
    headers = [{name: value for name, value in answer.headers.items() if name not in volatile} for answer in answers]
    assert all(header == headers[0] for header in headers)


async def test_unknown_address_takes_as_long_as_a_wrong_password(start_users: StartUsers) -> None:
    async with start_users(free_log_in_failures=100) as users:
        await users.post_user("ada@example.com")
        durations: dict[str, list[float]] = {"ada@example.com": [], "nobody@example.com": []}
        # In turns, so that whatever else the machine does slows both down.
        for email in list(durations) * 7:
            started = time.perf_counter()
            await users.log_in(email, "wrong horse battery staple")
            durations[email].append(time.perf_counter() - started)
    known, unknown = (statistics.median(measured) for measured in durations.values())
    # Without the dummy hash the unknown one would take a tenth of the time.
    assert unknown > known / 3


async def test_repeated_failures_lock_the_address_for_a_while_whether_it_has_an_account_or_not(
    start_users: StartUsers,
) -> None:
    async with start_users(free_log_in_failures=2, longest_lock_seconds=100) as users:
        await users.post_user("ada@example.com")
        locked = []
        for email in ("ada@example.com", "nobody@example.com"):
            for _ in range(2):
                assert problem_of(await users.log_in(email, "wrong")) == (401, "invalid-credentials")
            # The third failure is the first that locks, for a second; the second lock lasts longer.
            assert (await users.log_in(email, "wrong")).status_code == 401
            assert problem_of(await users.log_in(email)) == (429, "log-in-locked")
            await users.execute("UPDATE failed_log_ins SET failures = 9, locked_until = now()")
            assert (await users.log_in(email, "wrong")).status_code == 401
            locked.append(await users.log_in(email))
        assert [answer.headers["Retry-After"] for answer in locked] == ["100", "100"]
        assert locked[0].content == locked[1].content
        # Not permanently: after that time, the correct password works and resets the count.
        await users.execute("UPDATE failed_log_ins SET locked_until = now()")
        assert (await users.log_in("ada@example.com")).status_code == 200
        assert len(await users.rows("SELECT FROM failed_log_ins")) == 1


async def test_many_guesses_at_once_are_all_counted(start_users: StartUsers) -> None:
    async with start_users(free_log_in_failures=3) as users:
        await users.post_user("ada@example.com")
        answers = await asyncio.gather(*(users.log_in("ada@example.com", f"guess {n}") for n in range(12)))
        wrong = [answer for answer in answers if answer.status_code == 401]
        [counted] = await users.rows("SELECT failures FROM failed_log_ins")
        assert counted["failures"] == len(wrong)
        assert problem_of(await users.log_in("ada@example.com")) == (429, "log-in-locked")


async def test_log_ins_beyond_the_queue_are_refused_and_nothing_else_is(start_users: StartUsers) -> None:
    async with start_users(password_threads=1, password_queue_limit=2) as users:
        await users.post_user("ada@example.com")
        flood = asyncio.gather(*(users.log_in("ada@example.com") for _ in range(12)))
        assert (await users.http.get("/users/.well-known/jwks.json")).status_code == 200
        answers = await flood
        assert {answer.status_code for answer in answers} == {200, 503}
        assert all("Retry-After" in answer.headers for answer in answers if answer.status_code == 503)


async def test_hash_with_older_parameters_is_replaced_at_log_in_even_by_several_at_once(users: Users) -> None:
    account = await users.account("ada@example.com")
    older = argon2.PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    await users.execute("UPDATE users SET password_hash = $1", older)

    answers = await asyncio.gather(*(users.log_in("ada@example.com") for _ in range(4)))

    assert [answer.status_code for answer in answers] == [200] * 4
    [stored] = await users.rows("SELECT password_hash FROM users")
    assert stored["password_hash"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert (await account.request("GET", "/users/me")).status_code == 200


async def test_refresh_token_is_good_once_and_gives_the_next(users: Users) -> None:
    account = await users.account()
    first = await users.refresh(account.tokens["refresh_token"])
    second = await users.refresh(first.json()["refresh_token"])

    assert (first.status_code, second.status_code) == (200, 200)
    assert first.headers["Cache-Control"] == "no-store"
    tokens = [account.tokens, first.json(), second.json()]
    assert len({token["refresh_token"] for token in tokens}) == 3
    assert len({token["access_token"] for token in tokens}) == 3


async def test_second_use_of_a_refresh_token_ends_the_session_for_thief_and_victim(users: Users) -> None:
    account = await users.account()
    other = await users.session(account.email, account.id)
    current = (await users.refresh(account.tokens["refresh_token"])).json()

    assert problem_of(await users.refresh(account.tokens["refresh_token"])) == (401, "invalid-refresh-token")

    assert problem_of(await users.refresh(current["refresh_token"])) == (401, "invalid-refresh-token")
    account.tokens = current
    assert problem_of(await account.request("GET", "/users/me")) == (401, "unauthenticated")
    assert (await other.request("GET", "/users/me")).status_code == 200, "another log-in is another session"


async def test_one_of_many_concurrent_uses_of_a_refresh_token_wins_and_the_session_ends(users: Users) -> None:
    account = await users.account()
    answers = await asyncio.gather(*(users.refresh(account.tokens["refresh_token"]) for _ in range(8)))

    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 7
    [winner] = [answer.json() for answer in answers if answer.status_code == 200]
    assert (await users.refresh(winner["refresh_token"])).status_code == 401
    assert await users.rows("SELECT FROM sessions") == []


async def test_unknown_expired_and_disabled_refresh_tokens_are_refused_alike(users: Users) -> None:
    expired, disabled = await users.account(), await users.account()
    await users.execute("UPDATE sessions SET expires_at = now() WHERE user_id = $1", expired.id)
    await users.execute("UPDATE users SET disabled = true WHERE id = $1", disabled.id)

    answers = [
        await users.refresh("unknown"),
        await users.refresh(expired.tokens["refresh_token"]),
        await users.refresh(disabled.tokens["refresh_token"]),
        await users.refresh(expired.tokens["access_token"][:256]),
    ]

    assert {problem_of(answer) for answer in answers} == {(401, "invalid-refresh-token")}
    assert len({answer.content for answer in answers}) == 1


async def test_refresh_carries_a_new_role(users: Users) -> None:
    account = await users.account()
    await users.execute("UPDATE users SET role = 'admin' WHERE id = $1", account.id)
    assert (await account.request("GET", "/users")).status_code == 403
    account.tokens = (await users.refresh(account.tokens["refresh_token"])).json()
    assert (await account.request("GET", "/users")).status_code == 200


async def test_without_redis_everything_works_and_quotas_are_kept_by_each_task(start_users: StartUsers) -> None:
    async with start_users(redis_url="redis://127.0.0.1:9/0", sign_ups_per_minute=3) as users:
        account = await users.account()
        assert (await users.refresh(account.tokens["refresh_token"])).status_code == 200
        assert (await account.request("GET", "/users/me")).status_code == 200
        answers = [await users.post_user(f"user-{number}@example.com") for number in range(7)]
        assert 429 in {answer.status_code for answer in answers}


async def test_log_out_ends_this_session_at_once(users: Users) -> None:
    account = await users.account()
    other = await users.session(account.email, account.id)

    assert (await account.request("DELETE", "/users/sessions/current")).status_code == 204

    assert (await account.request("GET", "/users/me")).status_code == 401
    assert (await users.refresh(account.tokens["refresh_token"])).status_code == 401
    assert (await other.request("GET", "/users/me")).status_code == 200


async def test_log_out_everywhere_ends_all_sessions_of_this_user(users: Users) -> None:
    account, stranger = await users.account(), await users.account()
    other = await users.session(account.email, account.id)

    assert (await account.request("DELETE", "/users/sessions")).status_code == 204

    for ended in (account, other):
        assert (await ended.request("GET", "/users/me")).status_code == 401
        assert (await users.refresh(ended.tokens["refresh_token"])).status_code == 401
    assert (await stranger.request("GET", "/users/me")).status_code == 200


async def test_log_in_removes_the_users_expired_sessions(users: Users) -> None:
    account = await users.account()
    await users.execute("UPDATE sessions SET expires_at = now() - interval '1 second'")
    await users.session(account.email, account.id)
    assert len(await users.rows("SELECT FROM sessions")) == 1


async def test_failures_that_no_longer_count_are_removed_little_by_little(users: Users) -> None:
    for _ in range(12):
        await users.execute(
            "INSERT INTO failed_log_ins VALUES ($1, 5, now() - interval '2 days', now())", uuid4().bytes
        )
    await users.log_in("nobody@example.com")
    assert len(await users.rows("SELECT FROM failed_log_ins")) == 3
