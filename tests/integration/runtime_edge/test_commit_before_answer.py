"""One edge, one transaction, and the commit comes before the first byte of the answer."""

from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from fastapi import APIRouter
from starlette.types import Message, Scope

from platform_sdk.runtime.http.app import ServiceApp, create_app
from platform_sdk.runtime.http.auth import Public
from platform_sdk.runtime.http.problems import conflict
from platform_sdk.runtime.http.resources import Read, Uow
from tests.unit.runtime_edge.edge_settings import settings

router = APIRouter(prefix="/shop", dependencies=[Public])


@router.post("/notes", status_code=201)
async def post_note(uow: Uow) -> dict[str, str]:
    await uow.execute("INSERT INTO public.notes VALUES ('kept')")
    return {"id": "1"}


@router.post("/refused")
async def post_refused(uow: Uow) -> None:
    await uow.execute("INSERT INTO public.notes VALUES ('refused')")
    raise conflict("refused", "no")


@router.post("/unstorable")
async def post_unstorable(uow: Uow) -> None:
    await uow.execute("INSERT INTO public.notes VALUES ($1)", "a\x00b")


@router.post("/deferred")
async def post_deferred(uow: Uow) -> None:
    await uow.execute("INSERT INTO public.deferred VALUES (1), (1)")


@router.get("/notes")
async def get_notes(read: Read) -> int:
    return int(await read.fetch_value("SELECT count(*) FROM public.notes"))


class Recorder:
    """A server that asks once, and looks at each message from the app what others can see in the database."""

    def __init__(self, watcher: "asyncpg.Connection[Any]") -> None:
        self.seen: list[tuple[str, int]] = []
        self.status = 0
        self._watcher = watcher

    async def receive(self) -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: Message) -> None:
        self.status = message.get("status", self.status)
        self.seen.append((message["type"], await self._watcher.fetchval("SELECT count(*) FROM public.notes")))


def app_with_database(database_url: str, **overrides: Any) -> ServiceApp:
    parts = urlsplit(database_url)
    url = urlunsplit(parts._replace(netloc=f"{parts.username}@{parts.hostname}:{parts.port}"))
    return create_app(
        settings(database_url=url, database_password=parts.password, **overrides), title="Shop", routers=[router]
    )


def scope(method: str, path: str) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "scheme": "http",
    }


@pytest.fixture
async def watcher(database_url: str) -> Any:
    connection = await asyncpg.connect(database_url)
    await connection.execute("CREATE TABLE notes (text text)")
    await connection.execute("CREATE TABLE deferred (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    yield connection
    await connection.close()


async def play(app: ServiceApp, watcher: Any, method: str, path: str) -> Recorder:
    recorder = Recorder(watcher)
    async with app.router.lifespan_context(app):
        await app(scope(method, path), recorder.receive, recorder.send)
    return recorder


async def test_the_row_is_there_for_all_before_the_answer_starts(database_url: str, watcher: Any) -> None:
    recorder = await play(app_with_database(database_url), watcher, "POST", "/shop/notes")
    assert recorder.status == 201
    assert recorder.seen == [("http.response.start", 1), ("http.response.body", 1)]


async def test_a_refusal_leaves_nothing_behind(database_url: str, watcher: Any) -> None:
    recorder = await play(app_with_database(database_url), watcher, "POST", "/shop/refused")
    assert (recorder.status, recorder.seen[0]) == (409, ("http.response.start", 0))


async def test_a_commit_that_fails_is_no_success(database_url: str, watcher: Any) -> None:
    recorder = await play(app_with_database(database_url), watcher, "POST", "/shop/deferred")
    assert recorder.status == 500


async def test_a_value_that_slipped_through_is_422_and_no_500(database_url: str, watcher: Any) -> None:
    recorder = await play(app_with_database(database_url), watcher, "POST", "/shop/unstorable")
    assert recorder.status == 422


async def test_a_read_needs_no_transaction(database_url: str, watcher: Any) -> None:
    recorder = await play(app_with_database(database_url), watcher, "GET", "/shop/notes")
    assert recorder.status == 200


async def test_a_database_that_is_away_is_503_and_the_task_not_ready(database_url: str, watcher: Any) -> None:
    app = app_with_database("postgresql://shop:x@127.0.0.1:1/shop")
    assert (await play(app, watcher, "POST", "/shop/notes")).status == 503
    app = app_with_database("postgresql://shop:x@127.0.0.1:1/shop")
    assert (await play(app, watcher, "GET", "/shop/readyz")).status == 503


async def test_a_database_that_is_there_makes_the_task_ready(database_url: str, watcher: Any) -> None:
    assert (await play(app_with_database(database_url), watcher, "GET", "/shop/readyz")).status == 200
