"""Your own account: read, rename, new password, delete."""

import asyncio
from uuid import uuid4

from tests.integration.users.users_service import PASSWORD, StartUsers, Users, problem_of

NEW_PASSWORD = "a quite different sentence"


async def test_account_is_shown_with_its_version_as_entity_tag(users: Users) -> None:
    account = await users.account()
    answer = await account.request("GET", "/users/me")
    assert (answer.json()["id"], answer.json()["email"]) == (str(account.id), account.email)
    assert answer.headers["ETag"] == '"1"'
    assert "password" not in answer.text


async def test_rename_is_the_next_version_and_is_published(users: Users) -> None:
    account = await users.account()
    renamed = await account.request("PATCH", "/users/me", json={"name": "Ada"}, headers={"If-Match": '"1"'})

    assert (renamed.status_code, renamed.json()["name"], renamed.headers["ETag"]) == (200, "Ada", '"2"')
    assert await users.published(account.id) == [("user.registered", 1), ("user.updated", 2)]
    same = await account.request("PATCH", "/users/me", json={"name": "Ada"})
    assert (same.status_code, same.headers["ETag"]) == (200, '"2"')


async def test_change_for_an_older_version_is_refused(users: Users) -> None:
    account = await users.account()
    await account.request("PATCH", "/users/me", json={"name": "Ada"})
    stale = await account.request("PATCH", "/users/me", json={"name": "Bob"}, headers={"If-Match": '"1"'})
    assert problem_of(stale) == (412, "precondition-failed")
    assert (await account.request("GET", "/users/me")).json()["name"] == "Ada"


async def test_one_of_several_concurrent_changes_of_the_same_version_wins(users: Users) -> None:
    account = await users.account()
    answers = await asyncio.gather(
        *(
            account.request("PATCH", "/users/me", json={"name": f"Ada {number}"}, headers={"If-Match": '"1"'})
            for number in range(5)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412, 412]


async def test_nobody_promotes_themselves(users: Users) -> None:
    account = await users.account()
    for field in ("role", "disabled", "email", "id", "version", "password_hash"):
        answer = await account.request("PATCH", "/users/me", json={"name": "Ada", field: "admin"})
        assert problem_of(answer) == (422, "validation-failed"), field
    assert (await account.request("GET", "/users/me")).json()["role"] == "customer"


async def test_new_password_needs_the_old_one_and_ends_the_other_sessions(users: Users) -> None:
    account = await users.account()
    other = await users.session(account.email, account.id)
    change = {"old_password": PASSWORD, "new_password": NEW_PASSWORD}

    assert (await account.request("PUT", "/users/me/password", json=change)).status_code == 204

    assert (await account.request("GET", "/users/me")).status_code == 200
    assert (await users.refresh(account.tokens["refresh_token"])).status_code == 200
    assert (await other.request("GET", "/users/me")).status_code == 401
    assert (await users.refresh(other.tokens["refresh_token"])).status_code == 401
    assert (await users.log_in(account.email)).status_code == 401
    assert (await users.log_in(account.email, NEW_PASSWORD)).status_code == 200


async def test_weak_new_password_is_refused(users: Users) -> None:
    account = await users.account()
    for weak in ("short", account.email):
        change = {"old_password": PASSWORD, "new_password": weak}
        answer = await account.request("PUT", "/users/me/password", json=change)
        assert problem_of(answer) == (422, "weak-password")


async def test_guessing_the_old_password_with_a_stolen_token_locks_too(start_users: StartUsers) -> None:
    async with start_users(free_log_in_failures=2) as users:
        account = await users.account()
        change = {"old_password": "wrong", "new_password": NEW_PASSWORD}
        for _ in range(3):
            answer = await account.request("PUT", "/users/me/password", json=change)
            assert problem_of(answer) == (401, "invalid-credentials")
        change["old_password"] = PASSWORD
        locked = await account.request("PUT", "/users/me/password", json=change)
        assert problem_of(locked) == (429, "log-in-locked")


async def test_one_of_two_concurrent_password_changes_wins(users: Users) -> None:
    account = await users.account()
    other = await users.session(account.email, account.id)
    change = {"old_password": PASSWORD, "new_password": NEW_PASSWORD}
    answers = await asyncio.gather(
        *(session.request("PUT", "/users/me/password", json=change) for session in (account, other))
    )
    assert sorted(answer.status_code for answer in answers) == [204, 401]
    assert len(await users.rows("SELECT FROM sessions")) == 1


async def test_log_in_with_the_old_password_during_a_change_leaves_no_session(users: Users) -> None:
    account = await users.account()
    change = {"old_password": PASSWORD, "new_password": NEW_PASSWORD}
    log_ins = (users.log_in(account.email) for _ in range(4))
    await asyncio.gather(account.request("PUT", "/users/me/password", json=change), *log_ins)
    assert len(await users.rows("SELECT FROM sessions")) == 1


async def test_deleted_account_is_gone_with_all_that_belonged_to_it(users: Users) -> None:
    account = await users.account("ada@example.com")
    address = {"line1": "1 Main Street", "city": "Springfield", "postal_code": "12345", "country": "US"}
    await account.request("POST", "/users/me/addresses", json=address)

    assert (await account.request("DELETE", "/users/me")).status_code == 204

    for table in ("users", "sessions", "refresh_tokens", "addresses"):
        assert await users.rows(f"SELECT FROM {table}") == [], table
    assert await users.published(account.id) == [("user.registered", 1), ("user.deleted", 2)]
    assert problem_of(await account.request("GET", "/users/me")) == (401, "unauthenticated")
    assert problem_of(await users.log_in("ada@example.com")) == (401, "invalid-credentials")
    assert (await users.post_user("ada@example.com")).status_code == 201


async def test_without_a_token_everything_of_ones_own_is_401(users: Users) -> None:
    own = ("GET /users/me", "PATCH /users/me", "DELETE /users/me", "PUT /users/me/password")
    sessions = ("DELETE /users/sessions", "DELETE /users/sessions/current")
    addresses = ("GET /users/me/addresses", "POST /users/me/addresses")
    for operation in (*own, *sessions, *addresses, "GET /users", f"PATCH /users/{uuid4()}"):
        answer = await users.http.request(*operation.split())
        assert problem_of(answer) == (401, "unauthenticated"), operation
        assert answer.headers["WWW-Authenticate"].startswith("Bearer"), operation
