"""Which problem an exception is: the one place where an error that is no Problem yet becomes one.

Errors that the client can wait out are 503 with Retry-After; values that the database refuses are 422; what nobody
expected is 500, without a word about the cause, which goes to the log instead.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import asyncpg
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from platform_sdk.runtime.problems import (
    Fault,
    Problem,
    bad_request,
    internal_error,
    method_not_allowed,
    not_found,
    unavailable,
    validation_failed,
)
from platform_sdk.runtime.queries import DatabaseUnavailable, is_connection_error

MAX_FAULTS = 50
MAX_POINTER_LENGTH = 200

logger = logging.getLogger(__name__)

_TEMPORARY = (
    DatabaseUnavailable,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.SerializationError,
)
"""A failover of Aurora shows as a read-only transaction; the others are contention and time limits."""


class ClientGone(Exception):
    """The client closed the connection before its answer; there is nobody to answer."""


def problem_of(error: Exception, allowed_methods: Iterable[str]) -> Problem:
    """The problem to answer with; unexpected errors are logged here, with their traceback.

    Raises:
        ClientGone: nobody is waiting for an answer.
    """
    match error:
        case Problem():
            return error
        case RequestValidationError():
            return _invalid_request(error.errors())
        case HTTPException():
            return _http_problem(error, allowed_methods)
        case ClientDisconnect():
            raise ClientGone from error
        case asyncpg.DataError():
            # A type in platform_sdk.runtime.inputs would have refused it earlier and better.
            logger.error("the database refused a value", exc_info=error, extra={"action": "value_refused"})
            return validation_failed([], "a value cannot be stored")
        case _ if isinstance(error, _TEMPORARY) or is_connection_error(error):
            logger.warning("cannot work now: %s", error, extra={"action": "temporarily_unavailable"})
            return unavailable("a part that this needs is away or busy; try again")
        case _:
            logger.error("unexpected error", exc_info=error, extra={"action": "unexpected_error"})
            return internal_error()


def _http_problem(error: HTTPException, allowed_methods: Iterable[str]) -> Problem:
    # FastAPI turns whatever happens while it reads the body into a 400 of its own.
    match error.__cause__:
        case Problem() as problem:
            return problem
        case ClientDisconnect():
            raise ClientGone from error
    match error.status_code:
        case 400:
            return bad_request("the body cannot be read")
        case 404:
            return not_found()
        case 405:
            return method_not_allowed(allowed_methods)
        case status:
            return Problem(status, "about:blank", headers=error.headers)


def _invalid_request(errors: Sequence[Mapping[str, Any]]) -> Problem:
    if any(error["type"] == "json_invalid" for error in errors):
        return bad_request("the body is not JSON (RFC 8259, UTF-8)", "malformed-json")
    return validation_failed([_fault(error) for error in errors[:MAX_FAULTS]])


def _fault(error: Mapping[str, Any]) -> Fault:
    location = error["loc"]
    parts = location[1:] if location and location[0] == "body" else location
    pointer = "#" + "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)
    return {"detail": str(error["msg"]).removeprefix("Value error, "), "pointer": pointer[:MAX_POINTER_LENGTH]}
