"""How often one client address may ask. Between the SDK's cache, which counts, and the routes."""

from ipaddress import IPv6Address, ip_address
from typing import Final

from fastapi import Request

from platform_sdk.runtime.cache import Cache
from platform_sdk.runtime.problems import too_many_requests

WINDOW_SECONDS: Final = 60


async def limit_rate(cache: Cache, request: Request, policy: str, *, per_minute: int) -> None:
    """Counts this request against its client's quota.

    Raises:
        Problem: 429 quota-exceeded with the header fields of draft-ietf-httpapi-ratelimit-headers.
    """
    name = f"{policy}:{client_network(request)}"
    decision = await cache.take_token(name, limit=per_minute, window_seconds=WINDOW_SECONDS)
    if not decision.allowed:
        headers = {
            "RateLimit-Policy": f'"{policy}";q={decision.limit};w={WINDOW_SECONDS}',
            "RateLimit": f'"{policy}";r={decision.remaining};t={decision.reset_seconds}',
        }
        raise too_many_requests(policy, decision.reset_seconds, headers)


def client_network(request: Request) -> str:
    """The client's address; of an IPv6 address the /64 network, since a client has all of it."""
    forwarded = request.headers.getlist("x-forwarded-for")
    peer = request.client.host if request.client else ""
    # The load balancer appends the address that it saw, on the right; what stands left of it anybody may have sent.
    text = forwarded[-1].rpartition(",")[2].strip() if forwarded else peer
    try:
        address = ip_address(text)
    except ValueError:
        return peer
    if isinstance(address, IPv6Address):
        return str(IPv6Address(int(address) >> 64 << 64))
    return str(address)
