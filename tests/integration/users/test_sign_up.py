"""Sign-up: what is stored, answered and refused."""

import asyncio
from typing import Any

from tests.integration.users.users_service import PASSWORD, StartUsers, Users, problem_of


async def test_new_user_gets_their_location_and_never_their_password(users: Users) -> None:
    created = await users.post_user(" Ada@Example.COM ", name="Ada Lovelace")

    assert created.status_code == 201
    body = created.json()
    assert created.headers["Location"] == f"/users/{body['id']}"
    assert set(body) == {"id", "email", "name", "role", "disabled", "version", "created_at", "updated_at"}
    assert (body["email"], body["name"], body["role"]) == ("ada@example.com", "Ada Lovelace", "customer")
    [stored] = await users.rows("SELECT password_hash FROM users")
    assert stored["password_hash"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert PASSWORD not in created.text


async def test_registration_is_published_with_ids_only(users: Users) -> None:
    created = (await users.post_user("ada@example.com")).json()
    [message] = await users.rows("SELECT type, payload, aggregate_id, aggregate_version FROM outbox")
    assert (message["type"], message["payload"]) == ("user.registered", {"user_id": created["id"]})
    assert (message["aggregate_id"], message["aggregate_version"]) == (created["id"], 1)


async def test_one_of_many_concurrent_sign_ups_with_the_same_address_succeeds(users: Users) -> None:
    spellings = ("ada@example.com", "ADA@example.com", "Ada@Example.Com", " ada@example.com")
    answers = await asyncio.gather(*(users.post_user(spelling) for spelling in spellings * 3))

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 11
    assert {problem_of(answer)[1] for answer in answers if answer.status_code == 409} == {"email-taken"}
    assert len(await users.rows("SELECT id FROM users")) == 1
    assert len(await users.rows("SELECT id FROM outbox")) == 1


async def test_weak_password_is_refused(users: Users) -> None:
    for password in ("short", "passwordpassword", "ada@example.com"):
        assert problem_of(await users.post_user("ada@example.com", password)) == (422, "weak-password")
    assert await users.rows("SELECT id FROM users") == []


async def test_long_password_is_accepted_in_full(users: Users) -> None:
    assert (await users.post_user("ada@example.com", "é" * 128)).status_code == 201
    assert (await users.log_in("ada@example.com", "é" * 127)).status_code == 401
    assert (await users.log_in("ada@example.com", "é" * 128)).status_code == 200
    assert problem_of(await users.post_user("bob@example.com", "x" * 129)) == (422, "validation-failed")


async def test_what_is_not_asked_for_or_not_storable_is_refused(users: Users) -> None:
    extras: list[dict[str, Any]] = [
        {"role": "admin"},
        {"disabled": False},
        {"id": "01939f3e-5c7a-7b21-9d3e-3f1d2a6b8c01"},
        {"version": 7},
        {"name": "nul \u0000"},
        {"email": "not an address"},
        {"email": 5},
        {"name": None},
        {"name": ""},
    ]
    for extra in extras:
        body = {"email": "ada@example.com", "password": PASSWORD, "name": "Ada", **extra}
        assert problem_of(await users.http.post("/users", json=body)) == (422, "validation-failed"), extra


async def test_one_client_address_signs_up_only_so_often(start_users: StartUsers) -> None:
    async with start_users(sign_ups_per_minute=2) as users:
        answers = [await users.post_user(f"user-{number}@example.com") for number in range(6)]
    # The window may turn over once in between.
    refused = [answer for answer in answers if answer.status_code == 429]
    assert 2 <= len(refused) <= 4
    assert problem_of(refused[0]) == (429, "http-problem-types#quota-exceeded")
    assert int(refused[0].headers["Retry-After"]) in range(1, 61)
    assert refused[0].headers["RateLimit-Policy"] == '"sign-up";q=2;w=60'
