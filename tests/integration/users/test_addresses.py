"""Addresses: stored, changed, limited, and nobody else's business."""

import asyncio
from uuid import uuid4

from tests.integration.users.users_service import StartUsers, Users, problem_of

ADDRESS = {"line1": "1 Main Street", "city": "Springfield", "postal_code": "12345", "country": "US"}
PATH = "/users/me/addresses"


async def test_address_is_stored_read_changed_and_removed(users: Users) -> None:
    account = await users.account()
    created = await account.request("POST", PATH, json={**ADDRESS, "line2": "Flat 3"})
    assert created.status_code == 201
    location = created.headers["Location"]
    assert (await account.request("GET", location)).json() == created.json()
    assert (await account.request("GET", PATH)).json() == {"data": [created.json()], "next_cursor": None}

    changed = await account.request(
        "PATCH", location, json={"city": "Shelbyville", "line2": None}, headers={"If-Match": created.headers["ETag"]}
    )
    assert changed.status_code == 200
    assert (changed.json()["city"], changed.json()["line2"]) == ("Shelbyville", None)
    assert (changed.json()["line1"], changed.headers["ETag"]) == ("1 Main Street", '"2"')

    assert (await account.request("DELETE", location)).status_code == 204
    assert problem_of(await account.request("GET", location)) == (404, "not-found")
    assert problem_of(await account.request("DELETE", location)) == (404, "not-found")


async def test_change_that_changes_nothing_is_no_new_version(users: Users) -> None:
    account = await users.account()
    location = (await account.request("POST", PATH, json=ADDRESS)).headers["Location"]
    for changes in ({}, {"city": "Springfield"}):
        answer = await account.request("PATCH", location, json=changes)
        assert (answer.status_code, answer.headers["ETag"]) == (200, '"1"')


async def test_change_for_an_older_version_is_refused(users: Users) -> None:
    account = await users.account()
    location = (await account.request("POST", PATH, json=ADDRESS)).headers["Location"]
    answer = await account.request("PATCH", location, json={"city": "X"}, headers={"If-Match": '"7"'})
    assert problem_of(answer) == (412, "precondition-failed")


async def test_somebody_elses_address_is_not_found_whatever_is_asked(users: Users) -> None:
    owner, stranger, admin = await users.account(), await users.account(), await users.administrator()
    location = (await owner.request("POST", PATH, json=ADDRESS)).headers["Location"]

    for other in (stranger, admin):
        for method, body in (("GET", None), ("PATCH", {"city": "Elsewhere"}), ("DELETE", None)):
            answer = await other.request(method, location, json=body, headers={"If-Match": '"7"'})
            unknown = await other.request(method, f"{PATH}/{uuid4()}", json=body)
            assert problem_of(answer) == (404, "not-found")
            assert answer.content == unknown.content
        assert (await other.request("GET", PATH)).json()["data"] == []
    assert (await owner.request("GET", location)).json()["city"] == "Springfield"


async def test_number_of_addresses_is_limited_also_under_concurrency(start_users: StartUsers) -> None:
    async with start_users(addresses_per_user=3) as users:
        account = await users.account()
        answers = await asyncio.gather(*(account.request("POST", PATH, json=ADDRESS) for _ in range(8)))
        assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 5
        assert {problem_of(answer)[1] for answer in answers if answer.status_code == 409} == {"address-limit"}
        assert len((await account.request("GET", PATH)).json()["data"]) == 3


async def test_what_is_no_address_is_refused(users: Users) -> None:
    account = await users.account()
    location = (await account.request("POST", PATH, json=ADDRESS)).headers["Location"]
    wrong = ({"country": "usa"}, {"country": "U1"}, {"line1": ""}, {"line1": "x" * 201}, {"city": "\u0000"})
    for change in (*wrong, {"user_id": str(uuid4())}, {"version": 9}, {"line1": None}):
        created = await account.request("POST", PATH, json={**ADDRESS, **change})
        assert problem_of(created) == (422, "validation-failed"), change
        patched = await account.request("PATCH", location, json=change)
        assert problem_of(patched) == (422, "validation-failed"), change
