"""Rate limits: `dependencies=[Public, rate_limit("sign-in", limit=10, window_seconds=60)]`.

Counted in Redis over all tasks, or in this process while Redis is away. Every answer carries the header fields of
draft-ietf-httpapi-ratelimit-headers; beyond the limit the answer is 429.
"""

from collections.abc import Awaitable, Callable
from ipaddress import IPv6Address, ip_address
from typing import Any

from fastapi import Depends, Request

from platform_sdk.runtime.http.auth import Principal
from platform_sdk.runtime.http.problems import too_many_requests
from platform_sdk.runtime.http.resources import ServiceResources

Limit = int | Callable[[Any], int]


def client_network(request: Request) -> str:
    """Return the client's address; of an IPv6 address the /64 network, since one client has all of it.

    Behind the load balancer the server has already put the client that it saw in the place of its own address.
    """
    host = request.client.host if request.client else ""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        return str(IPv6Address(int(address) >> 64 << 64))
    return host


def caller(request: Request) -> str:
    """Return the authenticated user; for routes with another policy than `public`."""
    principal: Principal = request.scope["principal"]
    return str(principal.user_id)


def rate_limit(
    name: str, *, limit: Limit, window_seconds: int, key: Callable[[Request], str] = client_network
) -> Any:  # what Depends gives
    """Return a dependency that counts each call.

    Args:
        name: of the policy, as clients see it; routes with the same name share their counts.
        limit: calls in each window of `window_seconds`; a function gets it from the service's settings.
        key: whose calls are counted together.
    """
    return Depends(_counter(name, limit, window_seconds, key))


def _counter(
    name: str, limit: Limit, window_seconds: int, key: Callable[[Request], str]
) -> Callable[[Request], Awaitable[None]]:
    async def count_call(request: Request) -> None:
        held: ServiceResources = request.app.state.resources
        calls = limit if isinstance(limit, int) else limit(held.settings)
        decision = await held.cache.take_token(f"{name}:{key(request)}", limit=calls, window_seconds=window_seconds)
        policy = f'"{name}";q={calls};w={window_seconds}'
        state = f'"{name}";r={decision.remaining};t={decision.reset_seconds}'
        # Through the scope, because a handler that returns a Response of its own would drop headers set otherwise.
        request.scope.setdefault("response_headers", []).extend(
            [(b"ratelimit-policy", policy.encode()), (b"ratelimit", state.encode())]
        )
        if not decision.allowed:
            raise too_many_requests(name, decision.reset_seconds)

    return count_call
