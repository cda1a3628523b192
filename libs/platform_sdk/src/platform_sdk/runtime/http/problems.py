"""Problems: one body for every failed request, `application/problem+json` (RFC 9457).

Routes, use cases and models raise a `Problem`; the middleware turns it, and by `problem_of` every other exception, into
a response. A problem's `type` is the URI reference `/problems/<slug>`; it is stable, and clients switch on it.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypedDict

import asyncpg
import orjson
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from platform_sdk.runtime.database.unit_of_work import DatabaseUnavailable, is_connection_error

PROBLEM_MEDIA_TYPE = "application/problem+json"
RENAMED_PHRASES = {413: "Content Too Large", 422: "Unprocessable Content"}
"""RFC 9110 renamed these; Python 3.11 has the older phrases."""

QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"
TEMPORARY_REDUCED_CAPACITY = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"


class FieldError(TypedDict):
    """One error in a request: what, and where (a JSON pointer in URI fragment form, RFC 6901)."""

    detail: str
    pointer: str


class Problem(Exception):
    """A failed request, as the client sees it.

    Args:
        status: the HTTP status.
        type: a slug such as `not-found`, or a complete URI.
        title: the same for every occurrence of the type; defaults to the status's phrase.
        detail: about this occurrence; never anything internal.
        headers: go into the response.
        extensions: further members (RFC 9457, section 3.2); JSON values.
    """

    def __init__(
        self,
        status: int,
        type: str,
        title: str | None = None,
        detail: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        **extensions: Any,
    ) -> None:
        super().__init__(f"{status} {type}: {detail or title or ''}")
        self.status = status
        self.type = type if ":" in type else f"/problems/{type}"
        self.title = title or RENAMED_PHRASES.get(status) or HTTPStatus(status).phrase
        self.detail = detail
        self.headers = dict(headers or {})
        self.extensions = extensions

    def body(self) -> dict[str, object]:
        """Return the members of the JSON body (RFC 9457, section 3.1)."""
        members: dict[str, object] = {"type": self.type, "title": self.title, "status": self.status}
        if self.detail is not None:
            members["detail"] = self.detail
        return members | self.extensions

    def response(self) -> Response:
        """Return the HTTP response with body and headers."""
        content = orjson.dumps(self.body())
        return Response(content, self.status, headers=self.headers, media_type=PROBLEM_MEDIA_TYPE)


def bad_request(detail: str, slug: str = "malformed-request") -> Problem:
    """Return 400, for a request that cannot be parsed."""
    return Problem(400, slug, detail=detail)


def unauthenticated(detail: str | None = None, *, error: str | None = None) -> Problem:
    """Return 401 with the challenge of RFC 6750, section 3: without credentials in the request, no `error`."""
    challenge = "Bearer" if error is None else f'Bearer error="{error}"'
    if error is not None and detail is not None:
        challenge += f', error_description="{detail}"'
    return Problem(
        401,
        "unauthenticated",
        detail=detail or "send an access token: `Authorization: Bearer …`",
        headers={"WWW-Authenticate": challenge},
    )


def forbidden(detail: str = "your roles do not allow this") -> Problem:
    """Return 403, for a known caller who may not do this."""
    return Problem(403, "forbidden", detail=detail)


def not_found(detail: str = "there is no such resource") -> Problem:
    """Return 404, also for what the caller may not know to exist (RFC 9110, section 15.5.4)."""
    return Problem(404, "not-found", detail=detail)


def _method_not_allowed(allowed: Iterable[str]) -> Problem:
    return Problem(405, "method-not-allowed", headers={"Allow": ", ".join(sorted(allowed))})


def conflict(slug: str, detail: str, **extensions: Any) -> Problem:
    """Return 409, for a state that does not allow the request. Clients switch on the slug."""
    return Problem(409, slug, detail=detail, **extensions)


def content_too_large(max_bytes: int) -> Problem:
    """Return 413 (RFC 9110, section 15.5.14)."""
    return Problem(413, "content-too-large", detail=f"the body may hold at most {max_bytes} bytes")


def unsupported_media_type(detail: str) -> Problem:
    """Return 415; `Accept` names what would be taken (RFC 9110, section 15.5.16)."""
    return Problem(415, "unsupported-media-type", detail=detail, headers={"Accept": "application/json"})


def validation_failed(
    errors: Sequence[FieldError], detail: str = "the request does not have the documented form"
) -> Problem:
    """Return 422, with every error of the request in `errors`."""
    return Problem(422, "validation-failed", detail=detail, errors=list(errors))


def too_many_requests(policy: str, retry_after_seconds: int) -> Problem:
    """Return 429 with the policy that was exceeded (draft-ietf-httpapi-ratelimit-headers, "Quota Exceeded")."""
    return Problem(
        429,
        QUOTA_EXCEEDED,
        "Quota Exceeded",
        f"try again in {retry_after_seconds} s",
        headers={"Retry-After": str(retry_after_seconds)},
        **{"violated-policies": [policy]},
    )


def internal_error() -> Problem:
    """Return the answer to any unexpected exception; the log has what happened, under the request's id."""
    return Problem(500, "internal-error", detail="the error has been logged under this response's X-Request-Id")


def unavailable(detail: str, retry_after_seconds: int = 1) -> Problem:
    """Return 503, for a failure that a retry is likely to pass."""
    return Problem(
        503,
        TEMPORARY_REDUCED_CAPACITY,
        "Temporarily Reduced Capacity",
        detail,
        headers={"Retry-After": str(retry_after_seconds)},
    )


def timed_out(seconds: float) -> Problem:
    """Return 504, for a route that took longer than its time limit."""
    return Problem(504, "timed-out", detail=f"no answer within {seconds:g} s; it is safe to retry with the same key")


PROBLEM_SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "description": "RFC 9457. Unknown members may be added; ignore them.",
    "type": "object",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "examples": ["/problems/not-found"]},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["detail", "pointer"],
                "properties": {
                    "detail": {"type": "string"},
                    "pointer": {"type": "string", "examples": ["#/items/0/quantity"]},
                },
            },
        },
    },
    "additionalProperties": True,
}


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return `responses=` of a route: each status as problem+json (app.py adds the schema `Problem`)."""
    return {
        status: {
            "description": Problem(status, "about:blank").title,
            "content": {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


# From any exception to a Problem. Temporary errors are 503 with Retry-After, values that the database refuses are 422,
# unexpected errors are 500 without their cause, which only the log shows.

MAX_ERRORS = 50
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
"""A failover of Aurora causes read-only transactions; the others are contention and time limits."""


class ClientGone(Exception):
    """The client closed the connection before its answer."""


def problem_of(error: Exception, allowed_methods: Iterable[str]) -> Problem:
    """Return the problem to answer with; unexpected errors are logged here, with their traceback.

    Raises:
        ClientGone: the client has disconnected.
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
            # A type in platform_sdk.runtime.http.inputs would have refused it earlier and better.
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
            return _method_not_allowed(allowed_methods)
        case status:
            return Problem(status, "about:blank", headers=error.headers)


def _invalid_request(errors: Sequence[Mapping[str, Any]]) -> Problem:
    if any(error["type"] == "json_invalid" for error in errors):
        return bad_request("the body is not JSON (RFC 8259, UTF-8)", "malformed-json")
    return validation_failed([_field_error(error) for error in errors[:MAX_ERRORS]])


def _field_error(error: Mapping[str, Any]) -> FieldError:
    location = error["loc"]
    parts = location[1:] if location and location[0] == "body" else location
    pointer = "#" + "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)
    return {"detail": str(error["msg"]).removeprefix("Value error, "), "pointer": pointer[:MAX_POINTER_LENGTH]}
