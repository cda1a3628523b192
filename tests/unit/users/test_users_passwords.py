"""Which passwords are accepted, and how the pool that hashes them behaves."""

import asyncio
from collections.abc import Iterator

import argon2
import pytest

from platform_sdk.runtime.http.problems import Problem
from users.passwords import Passwords, require_strong

QUICK = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
EMAIL = "ada.lovelace@example.com"


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    pool = Passwords(threads=1, queue_limit=1, hasher=QUICK)
    yield pool
    pool.close()


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "x" * 64,
        "fifteen letters",
        "ausschließlich Ümläute",
        "no digit, no capital, no sign",
    ],
)
def test_length_is_all_that_is_asked_for(password: str) -> None:
    require_strong(password, email=EMAIL)


@pytest.mark.parametrize(
    "password", ["", "fourteen chars", "PasswordPassword", "123456789012345", EMAIL, EMAIL.upper(), f" {EMAIL} "]
)
def test_short_common_and_obvious_passwords_are_refused(password: str) -> None:
    with pytest.raises(Problem) as refusal:
        require_strong(password, email=EMAIL)
    assert (refusal.value.status, refusal.value.type) == (422, "/problems/weak-password")


async def test_right_password_is_recognised_and_a_wrong_one_is_not(passwords: Passwords) -> None:
    password_hash = await passwords.hash("correct horse battery staple")
    assert await passwords.verify(password_hash, "correct horse battery staple")
    assert not await passwords.verify(password_hash, "correct horse battery stapler")


async def test_same_password_typed_on_another_keyboard_is_the_same(passwords: Passwords) -> None:
    composed, decomposed = "caf\u00e9 caf\u00e9 caf\u00e9", "cafe\u0301 cafe\u0301 cafe\u0301"
    assert await passwords.verify(await passwords.hash(composed), decomposed)


async def test_without_a_hash_the_check_is_false_and_as_expensive(passwords: Passwords) -> None:
    assert not await passwords.verify(None, "correct horse battery staple")
    parameters = argon2.extract_parameters(passwords._dummy_hash)
    assert parameters == argon2.extract_parameters(await passwords.hash("anything"))


async def test_parameters_are_those_that_owasp_recommends() -> None:
    pool = Passwords(threads=1, queue_limit=0)
    parameters = argon2.extract_parameters(await pool.hash("correct horse battery staple"))
    pool.close()
    assert (parameters.type, parameters.memory_cost) == (argon2.Type.ID, 19456)
    assert (parameters.time_cost, parameters.parallelism) == (2, 1)


async def test_hash_with_older_parameters_is_outdated(passwords: Passwords) -> None:
    older = argon2.PasswordHasher(time_cost=2, memory_cost=8, parallelism=1).hash("correct horse battery staple")
    assert passwords.is_outdated(older)
    assert await passwords.verify(older, "correct horse battery staple")
    assert not passwords.is_outdated(await passwords.hash("correct horse battery staple"))


async def test_more_than_the_queue_holds_is_refused_and_the_rest_is_done(passwords: Passwords) -> None:
    answers = await asyncio.gather(*(passwords.hash("x" * 15) for _ in range(5)), return_exceptions=True)
    problems = [answer for answer in answers if isinstance(answer, Problem)]
    assert [problem.status for problem in problems] == [503] * 3
    assert all(problem.headers["Retry-After"] == "1" for problem in problems)
    assert await passwords.hash("x" * 15)


async def test_client_that_goes_away_gives_its_place_back(passwords: Passwords) -> None:
    for _ in range(5):
        waiting = asyncio.create_task(passwords.hash("x" * 15))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        # The pool has one thread: when this is done, so is what stood before it.
        await asyncio.wrap_future(passwords._executor.submit(int))
    assert await passwords.hash("x" * 15)
