"""Administration: find users, change their role, disable and enable them; and who may not."""

from uuid import uuid4

from tests.integration.users.users_service import Json, Users, problem_of


async def test_users_are_listed_in_pages_and_each_exactly_once(users: Users) -> None:
    admin = await users.administrator()
    for number in range(6):
        await users.post_user(f"user-{number}@example.com")

    found: list[Json] = []
    cursor = None
    while cursor is not None or not found:
        parameters = {"limit": 3, **({"cursor": cursor} if cursor else {})}
        page = (await admin.request("GET", "/users", params=parameters)).json()
        assert len(page["data"]) <= 3
        found += page["data"]
        cursor = page["next_cursor"]

    emails = [user["email"] for user in found]
    assert emails == [admin.email, *(f"user-{number}@example.com" for number in range(6))]


async def test_users_are_found_by_part_of_their_address_or_name(users: Users) -> None:
    admin = await users.administrator()
    await users.post_user("ada@example.com", name="Countess of Lovelace")
    await users.post_user("grace@example.org", name="Rear Admiral")

    async def search(query: str) -> list[str]:
        page = (await admin.request("GET", "/users", params={"query": query})).json()
        return [user["email"] for user in page["data"]]

    assert await search("LOVELACE") == ["ada@example.com"]
    assert await search("example.org") == ["grace@example.org"]
    assert await search("%") == [], "a wildcard is a character like others"


async def test_bad_parameters_are_refused(users: Users) -> None:
    admin = await users.administrator()
    bad: list[Json] = [
        {"cursor": "x"},
        {"cursor": "WzFd"},
        {"limit": 0},
        {"limit": 101},
        {"query": ""},
        {"query": "\u0000"},
        {"x": 1},
    ]
    for parameters in bad:
        answer = await admin.request("GET", "/users", params=parameters)
        assert problem_of(answer) == (422, "validation-failed"), parameters


async def test_disabled_user_is_out_at_once_and_can_be_enabled_again(users: Users) -> None:
    admin, account = await users.administrator(), await users.account()

    disabled = await admin.request("PATCH", f"/users/{account.id}", json={"disabled": True})

    assert (disabled.status_code, disabled.json()["disabled"], disabled.headers["ETag"]) == (200, True, '"2"')
    assert (await account.request("GET", "/users/me")).status_code == 401
    assert (await users.refresh(account.tokens["refresh_token"])).status_code == 401
    assert (await users.log_in(account.email)).status_code == 401
    again = await admin.request("PATCH", f"/users/{account.id}", json={"disabled": True})
    assert (again.status_code, again.headers["ETag"]) == (200, '"2"')

    await admin.request("PATCH", f"/users/{account.id}", json={"disabled": False})

    assert (await users.log_in(account.email)).status_code == 200
    expected = [("user.registered", 1), ("user.disabled", 2), ("user.enabled", 3)]
    assert await users.published(account.id) == expected


async def test_role_is_changed_and_is_in_the_next_token(users: Users) -> None:
    admin, account = await users.administrator(), await users.account()
    changed = await admin.request("PATCH", f"/users/{account.id}", json={"role": "service"})
    assert (changed.status_code, changed.json()["role"]) == (200, "service")
    assert (await account.request("GET", "/users")).status_code == 403
    assert await users.published(account.id) == [("user.registered", 1), ("user.updated", 2)]


async def test_administrator_who_lost_the_role_has_lost_it_at_once(users: Users) -> None:
    admin, second = await users.administrator(), await users.administrator()
    await admin.request("PATCH", f"/users/{second.id}", json={"role": "customer"})
    assert problem_of(await second.request("GET", "/users")) == (401, "unauthenticated")


async def test_administrators_cannot_lock_themselves_out(users: Users) -> None:
    admin = await users.administrator()
    for change in ({"disabled": True}, {"role": "customer"}):
        answer = await admin.request("PATCH", f"/users/{admin.id}", json=change)
        assert problem_of(answer) == (409, "own-account")
    assert (await admin.request("PATCH", f"/users/{admin.id}", json={"role": "admin"})).status_code == 200


async def test_what_is_no_change_is_refused(users: Users) -> None:
    admin, account = await users.administrator(), await users.account()
    wrong: list[Json] = [
        {"role": "root"},
        {"role": None},
        {"disabled": 1},
        {"disabled": "true"},
        {"disabled": None},
        {"email": "a@b.c"},
    ]
    for change in wrong:
        answer = await admin.request("PATCH", f"/users/{account.id}", json=change)
        assert problem_of(answer) == (422, "validation-failed"), change


async def test_change_for_an_older_version_is_refused(users: Users) -> None:
    admin, account = await users.administrator(), await users.account()
    path = f"/users/{account.id}"
    answer = await admin.request("PATCH", path, json={"disabled": True}, headers={"If-Match": '"7"'})
    assert problem_of(answer) == (412, "precondition-failed")


async def test_unknown_user_is_not_found(users: Users) -> None:
    admin = await users.administrator()
    for answer in (
        await admin.request("GET", f"/users/{uuid4()}"),
        await admin.request("PATCH", f"/users/{uuid4()}", json={"disabled": True}),
        await admin.request("GET", "/users/not-an-id"),
    ):
        assert problem_of(answer) == (404, "not-found")


async def test_customers_and_services_are_no_administrators(users: Users) -> None:
    victim, customer, service = await users.account(), await users.account(), await users.account()
    await users.execute("UPDATE users SET role = 'service' WHERE id = $1", service.id)
    service = await users.session(service.email, service.id)
    for account in (customer, service):
        for method, path in (("GET", "/users"), ("GET", f"/users/{victim.id}"), ("PATCH", f"/users/{victim.id}")):
            answer = await account.request(method, path, **({"json": {"role": "admin"}} if method == "PATCH" else {}))
            assert problem_of(answer) == (403, "forbidden")
    assert (await customer.request("GET", f"/users/{customer.id}")).json()["email"] == customer.email
    # Not even for their own account, and not with a body that is wrong as well.
    own = await customer.request("PATCH", f"/users/{customer.id}", json={"role": 5})
    assert problem_of(own) == (403, "forbidden")


async def test_fixed_paths_are_no_user_ids(users: Users) -> None:
    admin = await users.administrator()
    answer = await admin.request("GET", "/users/sessions")
    assert problem_of(answer) == (405, "method-not-allowed")
    assert {"POST", "DELETE"} <= set(answer.headers["Allow"].split(", "))
