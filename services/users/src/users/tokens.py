"""Access tokens: the keys that sign them, the set of public keys that others verify with. Beside the model.

Access tokens are JWTs after RFC 9068 (`typ` is `at+jwt`), signed with Ed25519 (RFC 8037); a key's id is its thumbprint
(RFC 7638). Refresh tokens are random strings of which only a digest is stored.
"""

import base64
import hashlib
import json
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from platform_sdk.runtime.http.auth import ALGORITHM, TOKEN_TYPE
from platform_sdk.runtime.messaging.messages import new_id

REFRESH_TOKEN_BYTES: Final = 32

_PEM_BLOCK: Final = re.compile(r"-----BEGIN (?P<label>[A-Z ]+)-----.+?-----END (?P=label)-----", re.DOTALL)


def load_private_key(pem: str) -> Ed25519PrivateKey:
    """Read an Ed25519 private key in PEM (PKCS #8).

    Raises:
        ValueError: it is not one. The message does not show the key.
    """
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError):
        raise ValueError("not a private key in PEM (PKCS #8, without a password)") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("not an Ed25519 key")
    return key


def load_public_keys(pem: str) -> tuple[Ed25519PublicKey, ...]:
    """Read one or more Ed25519 keys, public or private, in PEM, one after the other.

    Raises:
        ValueError: a block is not an Ed25519 key, or there is none.
    """
    blocks = [match.group(0) for match in _PEM_BLOCK.finditer(pem)]
    if not blocks:
        raise ValueError("no key in PEM")
    return tuple(_public_key(block) for block in blocks)


def _public_key(block: str) -> Ed25519PublicKey:
    if "PRIVATE KEY" in block:
        return load_private_key(block).public_key()
    try:
        key = serialization.load_pem_public_key(block.encode())
    except (ValueError, TypeError):
        raise ValueError("not a public key in PEM") from None
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("not an Ed25519 key")
    return key


def public_jwk(key: Ed25519PublicKey) -> dict[str, str]:
    """Return the public key as a JSON Web Key (RFC 8037, 2), with its thumbprint as key id."""
    x = _base64url(key.public_bytes_raw())
    required = {"crv": "Ed25519", "kty": "OKP", "x": x}
    # RFC 7638, 3: the required members only, in lexicographic order, without white space.
    canonical = json.dumps(required, separators=(",", ":"), sort_keys=True)
    thumbprint = _base64url(hashlib.sha256(canonical.encode()).digest())
    return {**required, "use": "sig", "alg": ALGORITHM, "kid": thumbprint}


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """A signed token and for how long it is valid."""

    text: str
    expires_in_seconds: int


class TokenSigner:
    """Signs with the current key, and publishes it together with the previous ones.

    Rotation: the old key becomes a previous key and the new one the current. Tokens signed before stay valid, since the
    published set has both; once they have expired, the previous key can go.
    """

    def __init__(
        self,
        current: Ed25519PrivateKey,
        previous: Sequence[Ed25519PublicKey] = (),
        *,
        issuer: str,
        audience: str,
        lifetime_seconds: int,
    ) -> None:
        self._key = current
        self._key_id = public_jwk(current.public_key())["kid"]
        self._issuer = issuer
        self._audience = audience
        self._lifetime_seconds = lifetime_seconds
        keys = {jwk["kid"]: jwk for jwk in map(public_jwk, (current.public_key(), *previous))}
        self.jwks: Mapping[str, Any] = {"keys": list(keys.values())}
        """The JSON Web Key Set (RFC 7517, 5), current key first."""

    def issue(self, *, user_id: UUID, role: str, session_id: UUID) -> AccessToken:
        """Return a new access token of one user's session."""
        now = int(time.time())
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": str(user_id),
            "roles": [role],
            "sid": str(session_id),
            "jti": str(new_id()),
            "iat": now,
            "nbf": now,
            "exp": now + self._lifetime_seconds,
        }
        text = jwt.encode(claims, self._key, algorithm=ALGORITHM, headers={"typ": TOKEN_TYPE, "kid": self._key_id})
        return AccessToken(text=text, expires_in_seconds=self._lifetime_seconds)


def new_refresh_token() -> str:
    """Return 256 random bits, base64url."""
    return secrets.token_urlsafe(REFRESH_TOKEN_BYTES)


def refresh_token_digest(token: str) -> bytes:
    """Return what is stored of a refresh token. A fast hash is enough for 256 random bits."""
    return hashlib.sha256(token.encode()).digest()
