"""The caller of a request: policies that a route declares, the `Principal` that they return, and access tokens.

Deny by default: `create_app` refuses a route without a policy. Declare `dependencies=[Public]` (or `Authenticated`,
`Administrator`), take `user: CurrentUser`, `admin: Admin` or `caller: ServiceCaller`, or make one with `require_role`.

The users service signs tokens (Ed25519) and publishes its public keys (RFC 7517); every other service verifies them by
RFC 8725: one algorithm, an explicit type (`at+jwt`, RFC 9068), pinned issuer and audience, keys from our key set only.
"""

import asyncio
import base64
import hashlib
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Protocol, Self, TypeVar
from uuid import UUID

import orjson
from fastapi import Depends, Request

from platform_sdk.runtime.cache import Cache
from platform_sdk.runtime.http.problems import Problem, forbidden, unauthenticated, unavailable
from platform_sdk.runtime.process.settings import ServiceSettings

if TYPE_CHECKING:
    import aiohttp
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ADMIN: Final = "admin"
CUSTOMER: Final = "customer"
SERVICE: Final = "service"
ALGORITHM: Final = "EdDSA"
TOKEN_TYPE: Final = "at+jwt"  # noqa: S105 - a media type
CLOCK_SKEW_SECONDS: Final = 30
MAX_TOKEN_LENGTH: Final = 4096
MAX_VERIFIED_TOKENS: Final = 10_000
KEYS_FRESH_SECONDS: Final = 300
KEYS_STALE_SECONDS: Final = 24 * 3600
REFRESH_INTERVAL_SECONDS: Final = 5
FETCH_TIMEOUT_SECONDS: Final = 2
MAX_JWKS_BYTES: Final = 65_536

Policy = Callable[..., Awaitable[Any]]
P = TypeVar("P", bound=Policy)

_KEY_ID = re.compile(r"[A-Za-z0-9._~-]{1,128}")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Principal:
    """The verified caller; `token_id` is the token's `jti`, `session_id` its `sid` (the log-in that it belongs to)."""

    user_id: UUID
    roles: frozenset[str]
    token_id: str
    session_id: UUID | None = None

    @property
    def is_admin(self) -> bool:
        return ADMIN in self.roles


def _policy(function: P) -> P:
    function.is_policy = True  # type: ignore[attr-defined]  # a mark that create_app looks for
    return function


def is_policy(function: object) -> bool:
    """Return whether the function decides who may call a route."""
    return getattr(function, "is_policy", False) is True


@_policy
async def public(request: Request) -> None:
    """Allow every caller."""


@_policy
async def authenticated(request: Request) -> Principal:
    """Allow every caller with a valid access token; 401 otherwise (RFC 6750)."""
    # One request may need it several times: as a policy, and for the principal of an idempotency key.
    known = request.scope.get("principal")
    if isinstance(known, Principal):
        return known
    token = _bearer_token(request)
    principal: Principal = await request.app.state.resources.tokens.verify(token)
    request.scope["principal"] = principal
    return principal


def require_role(*roles: str) -> Callable[[Request], Awaitable[Principal]]:
    """Return a policy: only callers whose token carries one of `roles`; 403 for the others."""

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


# Access tokens. Memory, then Redis, then HTTP hold the public keys; known keys stay in use while users is away.


class KeySource(Protocol):
    """Where public keys come from."""

    async def find(self, key_id: str) -> "Ed25519PublicKey | None":
        """Return the key of that id, or None if there is none; raise a Problem (503) if that is unknown now."""

    async def prepare(self) -> None:
        """Get the keys before the first token does."""

    async def close(self) -> None: ...


class OwnKeys:
    """Keys of this process itself, for the users service."""

    def __init__(self, keys: "Mapping[str, Ed25519PublicKey]") -> None:
        self._keys = keys

    async def find(self, key_id: str) -> "Ed25519PublicKey | None":
        return self._keys.get(key_id)

    async def prepare(self) -> None:
        return None

    async def close(self) -> None:
        return None


class PublishedKeys:
    """The key set at one fixed URL; refreshed when it is old or a key id is unknown, at most every few seconds."""

    def __init__(self, url: str, cache: Cache) -> None:
        self._url = url
        self._cache = cache
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._refreshing: asyncio.Task[None] | None = None
        self._session: aiohttp.ClientSession | None = None

    async def find(self, key_id: str) -> "Ed25519PublicKey | None":
        """Return the key, or None if the key set lacks it. A key set that is too old is renewed beside the call.

        Raises:
            Problem: 503, while no key set could be fetched yet.
        """
        key = self._keys.get(key_id)
        if key is not None:
            if time.monotonic() - self._fetched_at > KEYS_FRESH_SECONDS:
                self._start_refresh()
            return key
        await self.prepare()
        if not self._keys:
            raise unavailable("the keys that verify access tokens are not available")
        return self._keys.get(key_id)

    async def prepare(self) -> None:
        """Fetch the key set, unless that was tried a moment ago; concurrent callers share one attempt."""
        self._start_refresh()
        if self._refreshing is not None:
            await asyncio.shield(self._refreshing)

    async def close(self) -> None:
        """Stop fetching and close the HTTP client."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.gather(self._refreshing, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def _start_refresh(self) -> None:
        now = time.monotonic()
        is_running = self._refreshing is not None and not self._refreshing.done()
        if not is_running and now - self._tried_at >= REFRESH_INTERVAL_SECONDS:
            self._tried_at = now
            self._refreshing = asyncio.create_task(self._refresh(), name="refresh token keys")

    async def _refresh(self) -> None:
        import aiohttp

        try:
            document = await self._fetch()
            keys = public_keys_of(document)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            logger.warning("cannot fetch the token keys: %s", error, extra={"action": "token_keys_not_fetched"})
            if not self._keys:
                self._keys = await self._from_cache()
            return
        self._keys, self._fetched_at = keys, time.monotonic()
        await self._cache.set_json("jwks", document, KEYS_STALE_SECONDS)

    async def _from_cache(self) -> "dict[str, Ed25519PublicKey]":
        document = await self._cache.get_json("jwks")
        try:
            return public_keys_of(document)
        except ValueError:
            return {}

    async def _fetch(self) -> Any:
        import aiohttp

        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=FETCH_TIMEOUT_SECONDS))
        async with self._session.get(self._url, allow_redirects=False) as response:
            if response.status != 200:
                raise ValueError(f"{self._url} answered {response.status}")
            content = await response.content.read(MAX_JWKS_BYTES)
        return orjson.loads(content)


class TokenVerifier:
    """Turns an access token into a Principal; a token that was verified once is remembered until it expires."""

    def __init__(self, keys: KeySource, *, issuer: str, audience: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._verified: dict[bytes, tuple[float, Principal]] = {}

    @classmethod
    def from_settings(cls, settings: ServiceSettings, cache: Cache) -> Self:
        """Return a verifier of tokens from the settings' issuer. It fetches no key yet."""
        keys = PublishedKeys(settings.jwks_url, cache)
        return cls(keys, issuer=settings.token_issuer, audience=settings.token_audience)

    @classmethod
    def from_public_keys(cls, keys: "Mapping[str, Ed25519PublicKey]", *, issuer: str, audience: str) -> Self:
        """Return a verifier for the service that signs: with its own keys (key id to key), without HTTP."""
        return cls(OwnKeys(keys), issuer=issuer, audience=audience)

    async def verify(self, token: str) -> Principal:
        """Check signature, type, issuer, audience and times.

        Raises:
            Problem: 401 `invalid_token`; 503 while no key is known and the users service is away.
        """
        if len(token) > MAX_TOKEN_LENGTH or not token.isascii():
            raise _invalid_token()
        digest = hashlib.sha256(token.encode()).digest()
        known = self._verified.get(digest)
        if known is not None and time.time() < known[0]:
            return known[1]
        claims = await self._verify_signature(token)
        principal = _principal_of(claims)
        self._remember(digest, float(claims["exp"]), principal)
        return principal

    async def prepare(self) -> None:
        """Get the keys before the first token does; a users service that is away is logged, not raised."""
        await self._keys.prepare()

    async def close(self) -> None:
        await self._keys.close()

    async def _verify_signature(self, token: str) -> dict[str, Any]:
        # Imported here: 50 ms that a process does not need to become ready.
        import jwt

        try:
            key = await self._keys.find(_key_id_of(jwt.get_unverified_header(token)))
            if key is None:
                raise _invalid_token()
            return jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                issuer=self._issuer,
                audience=self._audience,
                leeway=CLOCK_SKEW_SECONDS,
                options={"require": ["exp", "iat", "iss", "aud", "sub", "jti"]},
            )
        except jwt.ExpiredSignatureError:
            raise _invalid_token("the access token has expired") from None
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            raise _invalid_token() from None

    def _remember(self, digest: bytes, expires_at: float, principal: Principal) -> None:
        if len(self._verified) >= MAX_VERIFIED_TOKENS:
            # The oldest goes first; a dictionary keeps the order of insertion.
            del self._verified[next(iter(self._verified))]
        self._verified[digest] = (expires_at, principal)


def public_keys_of(document: Any) -> "dict[str, Ed25519PublicKey]":
    """Return the Ed25519 signature keys of a JSON Web Key Set by key id (RFC 8037); other keys are not ours to use.

    Raises:
        ValueError: this is no key set, or it holds no key for us.
    """
    try:
        keys = {key["kid"]: _public_key(key["x"]) for key in document["keys"] if _is_ours(key)}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("not a JSON Web Key Set") from error
    if not keys:
        raise ValueError("the key set holds no Ed25519 signature key")
    return keys


def _is_ours(key: Mapping[str, Any]) -> bool:
    is_ed25519 = key.get("kty") == "OKP" and key.get("crv") == "Ed25519" and key.get("use", "sig") == "sig"
    return is_ed25519 and _KEY_ID.fullmatch(key["kid"]) is not None


def _public_key(x: str) -> "Ed25519PublicKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    return Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(x + "=" * (-len(x) % 4)))


def _key_id_of(header: Mapping[str, Any]) -> str:
    """Return the key id of a header that names our type and our algorithm and asks us to understand nothing else."""
    kind = str(header.get("typ", "")).lower().removeprefix("application/")
    key_id = header.get("kid")
    if kind != TOKEN_TYPE or header.get("alg") != ALGORITHM or "crit" in header:
        raise _invalid_token()
    if not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id):
        raise _invalid_token()
    return key_id


def _principal_of(claims: Mapping[str, Any]) -> Principal:
    roles, token_id = claims.get("roles", []), claims["jti"]
    try:
        user_id = UUID(claims["sub"])
        session_id = UUID(claims["sid"]) if "sid" in claims else None
    except (ValueError, TypeError, AttributeError):
        raise _invalid_token() from None
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles) or not isinstance(token_id, str):
        raise _invalid_token()
    return Principal(user_id, frozenset(roles), token_id, session_id)


def _invalid_token(detail: str = "the access token is not valid") -> Problem:
    return unauthenticated(detail, error="invalid_token")
