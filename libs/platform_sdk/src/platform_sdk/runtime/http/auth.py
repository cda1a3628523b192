"""Who is calling: policies that a route declares, and the principal that they yield.

Deny by default: `create_app` refuses a route whose dependencies hold no policy. A policy is `public`, `authenticated`,
`administrator`, or what `require_role` makes; it runs before everything else that a route asks for, so a request
without a token is a 401 whatever else is wrong with it.

The tokens themselves are verified in platform_sdk.runtime.http.tokens (RFC 8725), against keys that the users service
publishes (RFC 7517).
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, TypeVar

from fastapi import Depends, Request

from platform_sdk.runtime.http.problems import forbidden, unauthenticated
from platform_sdk.runtime.http.tokens import ADMIN, Principal

__all__ = [
    "ADMIN",
    "CUSTOMER",
    "SERVICE",
    "Admin",
    "Administrator",
    "Authenticated",
    "CurrentUser",
    "Principal",
    "Public",
    "ServiceCaller",
    "administrator",
    "authenticated",
    "public",
    "require_role",
    "service",
]

CUSTOMER: Final = "customer"
SERVICE: Final = "service"

Policy = Callable[..., Awaitable[Any]]
P = TypeVar("P", bound=Policy)


def _policy(function: P) -> P:
    function.is_policy = True  # type: ignore[attr-defined]  # a mark that create_app looks for
    return function


def is_policy(function: object) -> bool:
    return getattr(function, "is_policy", False) is True


@_policy
async def public(request: Request) -> None:
    """Anybody may call this route; say so with `dependencies=[Public]`."""


@_policy
async def authenticated(request: Request) -> Principal:
    """Any caller with a valid access token; 401 otherwise (RFC 6750)."""
    # The same request may ask several times: once as a policy, once for the principal of an idempotency key.
    known = request.scope.get("principal")
    if isinstance(known, Principal):
        return known
    token = _bearer_token(request)
    principal: Principal = await request.app.state.resources.tokens.verify(token)
    request.scope["principal"] = principal
    return principal


def require_role(*roles: str) -> Callable[[Request], Awaitable[Principal]]:
    """A policy: only callers whose token carries one of `roles`; 403 for the others."""

    @_policy
    async def has_role(request: Request) -> Principal:
        principal = await authenticated(request)
        if principal.roles.isdisjoint(roles):
            raise forbidden()
        return principal

    return has_role


administrator = require_role(ADMIN)
service = require_role(SERVICE)

Public = Depends(public)
Authenticated = Depends(authenticated)
Administrator = Depends(administrator)
CurrentUser = Annotated[Principal, Depends(authenticated)]
Admin = Annotated[Principal, Depends(administrator)]
ServiceCaller = Annotated[Principal, Depends(service)]


def _bearer_token(request: Request) -> str:
    values = request.headers.getlist("authorization")
    if not values:
        raise unauthenticated()
    scheme, _, token = values[0].partition(" ")
    if len(values) > 1 or scheme.lower() != "bearer" or not token.strip():
        raise unauthenticated("send one `Authorization: Bearer <token>` header", error="invalid_request")
    return token.strip()
