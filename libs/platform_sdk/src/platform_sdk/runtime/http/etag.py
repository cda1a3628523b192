"""Conditional requests (RFC 9110, section 13): a row's version is its strong entity tag.

A client that read version 3 sends `If-Match: "3"` with its change; 412 means that the row has changed since.
"""

from typing import Any

from starlette.requests import Request

from platform_sdk.runtime.http.problems import Problem


def etag_of(version: int) -> str:
    """Return the entity tag of a version: `"3"`, with its quotes."""
    return f'"{version}"'


def require_match(request: Request, version: int) -> None:
    """Let the request go on only if it was made for this version.

    Raises:
        Problem: 428 without `If-Match` (RFC 6585), 412 if none of its tags is this version's.
    """
    if "if-match" not in request.headers:
        raise Problem(428, "precondition-required", detail="send `If-Match` with the ETag that you read")
    if not _matches(request, "if-match", version, weak=False):
        raise Problem(
            412,
            "precondition-failed",
            detail="the resource has changed since you read it; read it again",
            headers={"ETag": etag_of(version)},
        )


def honour_match(request: Request, version: int) -> None:
    """Check the header as `require_match` does, if it is there; without it the last change wins.

    Raises:
        Problem: 412.
    """
    if "if-match" in request.headers:
        require_match(request, version)


def documented_match(*, required: bool) -> dict[str, Any]:
    """Return `openapi_extra=` of a route that takes `If-Match`; it is required by `require_match`."""
    return {
        "parameters": [
            {
                "name": "If-Match",
                "in": "header",
                "required": required,
                "description": "the ETag that you read; 412 if the resource has changed since",
                "schema": {"type": "string"},
            }
        ]
    }


def is_not_modified(request: Request, version: int) -> bool:
    """Return whether a GET may be answered by 304: `If-None-Match` names this version (weak comparison)."""
    return _matches(request, "if-none-match", version, weak=True)


def _matches(request: Request, header: str, version: int, *, weak: bool) -> bool:
    tags = [tag.strip() for value in request.headers.getlist(header) for tag in value.split(",")]
    if weak:
        tags = [tag.removeprefix("W/") for tag in tags]
    return "*" in tags or etag_of(version) in tags
