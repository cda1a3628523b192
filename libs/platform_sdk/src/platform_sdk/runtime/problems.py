"""How a request that fails is answered: one body for every error, `application/problem+json` (RFC 9457).

Anything from the router to the model raises a Problem; the middleware of app turns it, and every other exception, into
a response. A problem's `type` is the URI reference `/problems/<slug>`, stable and documented; clients switch on it.
"""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypedDict

import orjson
from starlette.responses import Response

PROBLEM_MEDIA_TYPE = "application/problem+json"
RENAMED_PHRASES = {413: "Content Too Large", 422: "Unprocessable Content"}
"""RFC 9110 renamed them; Python 3.11 still knows the older ones."""

QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"
TEMPORARY_REDUCED_CAPACITY = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"


class Fault(TypedDict):
    """One thing that is wrong with a request: what, and where (a JSON pointer in URI fragment form, RFC 6901)."""

    detail: str
    pointer: str


class Problem(Exception):
    """A failed request, as the client is told about it.

    Args:
        status: the HTTP status.
        type: a slug such as `not-found`, or a complete URI.
        title: the same for every occurrence of the type; defaults to the status's phrase.
        detail: what is particular to this occurrence; never anything internal.
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
        members: dict[str, object] = {"type": self.type, "title": self.title, "status": self.status}
        if self.detail is not None:
            members["detail"] = self.detail
        return members | self.extensions

    def response(self) -> Response:
        content = orjson.dumps(self.body())
        return Response(content, self.status, headers=self.headers, media_type=PROBLEM_MEDIA_TYPE)


def bad_request(detail: str, slug: str = "malformed-request") -> Problem:
    return Problem(400, slug, detail=detail)


def unauthenticated(detail: str | None = None, *, error: str | None = None) -> Problem:
    """401 with the challenge of RFC 6750, section 3: no `error` when the request carried no credentials at all."""
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
    return Problem(403, "forbidden", detail=detail)


def not_found(detail: str = "there is no such resource") -> Problem:
    return Problem(404, "not-found", detail=detail)


def method_not_allowed(allowed: Iterable[str]) -> Problem:
    return Problem(405, "method-not-allowed", headers={"Allow": ", ".join(sorted(allowed))})


def conflict(slug: str, detail: str, **extensions: Any) -> Problem:
    return Problem(409, slug, detail=detail, **extensions)


def content_too_large(max_bytes: int) -> Problem:
    return Problem(413, "content-too-large", detail=f"the body may hold at most {max_bytes} bytes")


def unsupported_media_type(detail: str) -> Problem:
    return Problem(415, "unsupported-media-type", detail=detail, headers={"Accept": "application/json"})


def validation_failed(
    errors: Sequence[Fault], detail: str = "the request does not have the documented form"
) -> Problem:
    return Problem(422, "validation-failed", detail=detail, errors=list(errors))


def too_many_requests(policy: str, retry_after_seconds: int) -> Problem:
    return Problem(
        429,
        QUOTA_EXCEEDED,
        "Quota Exceeded",
        f"try again in {retry_after_seconds} s",
        headers={"Retry-After": str(retry_after_seconds)},
        violated_policies=[policy],
    )


def internal_error() -> Problem:
    """The answer to any unexpected exception; what happened stands in the log, under the request's id."""
    return Problem(500, "internal-error", detail="the error has been logged under this response's X-Request-Id")


def unavailable(detail: str, retry_after_seconds: int = 1) -> Problem:
    return Problem(
        503,
        TEMPORARY_REDUCED_CAPACITY,
        "Temporarily Reduced Capacity",
        detail,
        headers={"Retry-After": str(retry_after_seconds)},
    )


def timed_out(seconds: float) -> Problem:
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
    """For `responses=` of a route: documents each status as problem+json (the schema `Problem` is put in by app)."""
    return {
        status: {
            "description": Problem(status, "about:blank").title,
            "content": {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }
