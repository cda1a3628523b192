"""Idempotency-Key: a request that is sent twice has one effect, and gets the same answer twice.

draft-ietf-httpapi-idempotency-key-header. The claim of the key, the work and the stored reply are one transaction, so
there is no window in which a crash leaves a key claimed and its work undone. A second request with the same key waits
on the claim's unique index until the first one has committed, or gets a 409 when the lock timeout passes.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import asyncpg
import orjson
from fastapi import Depends, Header, Request
from pydantic import BaseModel
from pydantic_core import to_json
from sqlalchemy import bindparam, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert
from starlette.responses import Response

from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.database.statements import compile_statement, parameters
from platform_sdk.runtime.database.tables import idempotency
from platform_sdk.runtime.database.unit_of_work import UnitOfWork
from platform_sdk.runtime.http.auth import CurrentUser, Principal
from platform_sdk.runtime.http.problems import Problem, bad_request, conflict

REPLAYED_HEADER: Final = "Idempotency-Replayed"

RETRY_AFTER_SECONDS: Final = 1
"""Sent to a request whose twin is still running."""

_STORED_PROBLEMS: Final = frozenset({409, 422})
"""Refusals by business rules, which a retry would get again. Others (401, 403, 429, 5xx) leave the key unclaimed."""

KEY_PATTERN: Final = r'^(?:"([\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x7e][\x21-\x7e]{0,254}))$'
"""An RFC 8941 string without escapes, or the same without quotes: 1 to 255 visible ASCII characters."""

_KEY: Final = re.compile(KEY_PATTERN)

_same_key = (idempotency.c.scope == bindparam("scope"), idempotency.c.key == bindparam("key"))
_CLAIM: Final = compile_statement(
    "claim_idempotency_key",
    insert(idempotency)
    .values(parameters("scope", "key", "fingerprint"))
    .on_conflict_do_nothing()
    .returning(literal_column("true")),
)
_COMPLETE: Final = compile_statement(
    "store_reply", update(idempotency).values(parameters("status", "body", "headers")).where(*_same_key)
)
_STORED: Final = compile_statement(
    "find_reply",
    select(idempotency.c.fingerprint, idempotency.c.status, idempotency.c.body, idempotency.c.headers).where(
        *_same_key
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A response as it is stored and replayed, byte for byte; `body` is JSON."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def json(
        cls, status: int, content: BaseModel | Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> "Reply":
        """Return a reply with a JSON body; `headers`: for example Location and ETag."""
        body = content.model_dump_json().encode() if isinstance(content, BaseModel) else to_json(dict(content))
        return cls(status=status, body=body, headers={"content-type": "application/json", **(headers or {})})

    def response(self, *, replayed: bool = False) -> Response:
        """Return the HTTP response. A replayed one says so in the header Idempotency-Replayed."""
        headers = dict(self.headers)
        if replayed:
            headers[REPLAYED_HEADER] = "true"
        return Response(self.body, self.status, headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Idempotency:
    """The key of one request; without a key (where it is optional) every request is its own.

    Args:
        scope: caller, method and route template, so that keys of others, or for another route, are other keys.
        key: what the client sent, without quotes.
        fingerprint: SHA-256 of the path parameters and the canonical JSON body.
    """

    scope: str
    key: str | None
    fingerprint: bytes

    async def once(self, uow: UnitOfWork, produce: Callable[[], Awaitable[Reply]]) -> Response:
        """Return the reply of `produce`, or the stored one if this request has been answered before.

        A `Problem` with status 409 or 422 that `produce` raises undoes the whole unit of work, and is stored and
        answered. Every other exception propagates and rolls the claim back with the rest: the client may retry.

        Raises:
            Problem: 409 while a request with the same key is still running; 422 if the key belongs to another request.
        """
        if self.key is None:
            return (await produce()).response()
        if not await self._claim(uow):
            return (await self._stored(uow)).response(replayed=True)
        try:
            reply = await produce()
        except Problem as problem:
            if problem.status not in _STORED_PROBLEMS:
                raise
            # Cheaper than a savepoint around each success. A twin that claims the key now finds nothing to repeat.
            await uow.start_over()
            if not await self._claim(uow):
                return (await self._stored(uow)).response(replayed=True)
            reply = _refusal(problem)
        await self._store(uow, reply)
        return reply.response()

    async def replace(self, database: Database, reply: Reply) -> None:
        """Replace the reply that `once` stored: for a route that commits, waits, and then gives another answer."""
        if self.key is None:
            return
        async with database.unit_of_work() as uow:
            await self._store(uow, reply)

    async def _store(self, uow: UnitOfWork, reply: Reply) -> None:
        await uow.execute(
            _COMPLETE,
            scope=self.scope,
            key=self.key,
            status=reply.status,
            body=reply.body,
            headers=dict(reply.headers),
        )

    async def _claim(self, uow: UnitOfWork) -> bool:
        try:
            claimed = await uow.fetch_value(_CLAIM, scope=self.scope, key=self.key, fingerprint=self.fingerprint)
            return bool(claimed)
        except asyncpg.LockNotAvailableError as error:
            raise Problem(
                409,
                "request-in-progress",
                detail="a request with this Idempotency-Key is still running",
                headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
            ) from error

    async def _stored(self, uow: UnitOfWork) -> Reply:
        row = await uow.fetch_row(_STORED, scope=self.scope, key=self.key)
        if row is None:
            # Its retention ended between the two statements.
            raise conflict("request-in-progress", "this Idempotency-Key has just expired: send the request again")
        if row["fingerprint"] != self.fingerprint:
            raise Problem(
                422,
                "idempotency-key-reused",
                detail="this Idempotency-Key was used for a different request: use a new one",
            )
        return Reply(status=row["status"], body=row["body"], headers=row["headers"])


def _refusal(problem: Problem) -> Reply:
    response = problem.response()
    return Reply(status=response.status_code, body=bytes(response.body), headers=dict(response.headers))


def _parse_key(header: str) -> str:
    match = _KEY.fullmatch(header.strip())
    if match is None:
        raise bad_request(
            "Idempotency-Key must be 1 to 255 visible ASCII characters, for example a UUID", "malformed-idempotency-key"
        )
    return match[1] or match[2]


async def _identify(request: Request, principal: Principal, header: str | None) -> Idempotency:
    template = getattr(request.scope.get("route"), "path", request.url.path)
    return Idempotency(
        scope=f"{principal.user_id} {request.method} {template}",
        key=None if header is None else _parse_key(header),
        fingerprint=_fingerprint(await request.body(), request.path_params),
    )


def _fingerprint(body: bytes, path_parameters: Mapping[str, Any]) -> bytes:
    try:
        canonical = orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS)
    except orjson.JSONDecodeError:
        canonical = body
    path = orjson.dumps({name: str(value) for name, value in path_parameters.items()}, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(path + b"\n" + canonical).digest()


_Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="Makes it safe to send this request again: the same key and body get the same answer for 24 hours. "
        "1 to 255 visible ASCII characters, best a UUID; quoted (RFC 8941) or bare.",
        json_schema_extra={"pattern": KEY_PATTERN},
    ),
]


async def required_idempotency_key(request: Request, principal: CurrentUser, key: _Key = None) -> Idempotency:
    """Return the request's key; raise a Problem (400) if it has none."""
    if key is None:
        raise bad_request("this request needs an Idempotency-Key header", "missing-idempotency-key")
    return await _identify(request, principal, key)


async def optional_idempotency_key(request: Request, principal: CurrentUser, key: _Key = None) -> Idempotency:
    """Return the request's key, which may be absent."""
    return await _identify(request, principal, key)


RequiredIdempotencyKey = Annotated[Idempotency, Depends(required_idempotency_key)]
OptionalIdempotencyKey = Annotated[Idempotency, Depends(optional_idempotency_key)]
