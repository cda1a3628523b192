"""AWS credentials and Signature Version 4, for the SQS data plane.

Credentials come from botocore's chain (environment, container role, profile …), read and refreshed off the event loop.
The signature is made here: botocore's signer takes ten times as long, for every call, and a consumer makes hundreds of
calls a second. A test compares both.
"""

import asyncio
import hashlib
import hmac
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from platform_sdk.errors import PlatformError

_REFRESH_SECONDS: Final = 300.0
"""How often temporary credentials are asked for again; botocore renews them 15 minutes before they expire."""


class Credentials(NamedTuple):
    """Never logged."""

    access_key: str
    secret_key: str
    token: str | None = None


class NoAwsCredentials(PlatformError):
    """Nothing in botocore's chain gave credentials."""


class CredentialChain:
    """Where credentials come from; `current` is cheap, and asks the chain in a thread when it has to."""

    def __init__(self) -> None:
        self._source: Any = None
        self._known: Credentials | None = None
        self._fresh_until = 0.0
        self._lock = asyncio.Lock()

    async def current(self) -> Credentials:
        """Raise NoAwsCredentials."""
        if self._known is not None and time.monotonic() < self._fresh_until:
            return self._known
        async with self._lock:
            if self._known is not None and time.monotonic() < self._fresh_until:
                return self._known
            known = _from_environment()
            if known is None:
                known = await asyncio.to_thread(self._ask_chain)
            self._known = known
            self._fresh_until = time.monotonic() + _REFRESH_SECONDS
            return known

    def expire(self) -> None:
        """Ask the chain again at the next call: AWS has refused the present credentials."""
        self._fresh_until = 0.0

    def _ask_chain(self) -> Credentials:
        if self._source is None:
            # 15 MB and 0.2 s; a process with credentials in its environment never needs it.
            import botocore.session

            self._source = botocore.session.get_session().get_credentials()
        if self._source is None:
            raise NoAwsCredentials(
                "there are no AWS credentials",
                hint="give the task a task role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            )
        frozen = self._source.get_frozen_credentials()
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token)


def _from_environment() -> Credentials | None:
    """Return the first link of botocore's chain (`EnvProvider`), without botocore."""
    access_key, secret_key = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if not access_key or not secret_key:
        return None
    return Credentials(access_key, secret_key, os.environ.get("AWS_SESSION_TOKEN") or None)


@dataclass(slots=True)
class Signer:
    """Signs POST requests to `/` of one service in one region (AWS General Reference, Signature Version 4)."""

    service: str
    region: str
    host: str
    _key_of: tuple[Credentials, str] | None = None
    _key: bytes = b""

    def headers(
        self, credentials: Credentials, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> dict[str, str]:
        """`headers` (lower-case names) with `x-amz-date`, the session token and `authorization` added.

        Args:
            now: in UTC.
        """
        timestamp = now.strftime("%Y%m%dT%H%M%SZ")
        signed = {**headers, "host": self.host, "x-amz-date": timestamp}
        if credentials.token:
            signed["x-amz-security-token"] = credentials.token
        names = sorted(signed)
        canonical = "\n".join(
            ["POST", "/", "", *(f"{name}:{signed[name]}" for name in names), "", ";".join(names), _sha256(body)]
        )
        scope = f"{timestamp[:8]}/{self.region}/{self.service}/aws4_request"
        to_sign = f"AWS4-HMAC-SHA256\n{timestamp}\n{scope}\n{_sha256(canonical.encode())}"
        signature = hmac.digest(self._signing_key(credentials, timestamp[:8]), to_sign.encode(), "sha256").hex()
        signed["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, "
            f"SignedHeaders={';'.join(names)}, Signature={signature}"
        )
        return signed

    def _signing_key(self, credentials: Credentials, date: str) -> bytes:
        if self._key_of != (credentials, date):
            key = f"AWS4{credentials.secret_key}".encode()
            for part in (date, self.region, self.service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._key, self._key_of = key, (credentials, date)
        return self._key


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
