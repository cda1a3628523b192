"""Accept and hash passwords. Routes use this outside transactions.

Hashing costs about 32 ms of CPU and 19 MiB of memory each time, on purpose. It runs in a small pool of threads behind a
short queue, so that a flood of log-ins slows log-ins down and nothing else.
"""

import asyncio
import base64
import os
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from typing import Final, TypeVar

import argon2

from platform_sdk.runtime.http.problems import unavailable
from users.errors import weak_password

T = TypeVar("T")

MINIMUM_LENGTH: Final = 15
"""NIST SP 800-63B-4, 3.1.1.2: at least 15 characters where the password is the only factor."""
MAXIMUM_LENGTH: Final = 128
"""The same section asks for at least 64."""

COMMON: Final = frozenset((files("users") / "common_passwords.txt").read_text(encoding="utf-8").splitlines())


def require_strong(password: str, *, email: str) -> None:
    """Refuse a password that is easy to guess. There are no composition rules: they make passwords worse.

    Raises:
        Problem: 422 weak-password.
    """
    folded = password.casefold()
    if len(password) < MINIMUM_LENGTH:
        raise weak_password(f"the password must have at least {MINIMUM_LENGTH} characters")
    if folded.strip() == email.casefold():
        raise weak_password("the password must not be the email address")
    if folded in COMMON:
        raise weak_password("the password is one of the first that anybody would try")


class Passwords:
    """Hashes and verifies with Argon2id (OWASP Password Storage Cheat Sheet: m=19 MiB, t=2, p=1).

    Args:
        threads: how many hashes are computed at the same time; each takes 19 MiB.
        queue_limit: how many more may wait; what comes beyond is refused with 503.
    """

    def __init__(self, *, threads: int, queue_limit: int, hasher: argon2.PasswordHasher | None = None) -> None:
        self._hasher = hasher or argon2.PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        self._limit = threads + queue_limit
        self._pending = 0
        self._dummy_hash = _hash_of_nothing(self._hasher)

    async def hash(self, password: str) -> str:
        """Return the hash in PHC string format.

        Raises:
            Problem: 503 when too many hashes are waiting.
        """
        return await self._run(lambda: self._hasher.hash(_normalised(password)))

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Return whether the password belongs to the hash. Without a hash it takes as long, and is false.

        Raises:
            Problem: 503 when too many hashes are waiting.
        """
        return await self._run(lambda: self._verify(password_hash or self._dummy_hash, password))

    def is_outdated(self, password_hash: str) -> bool:
        """Return whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    def close(self) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, _normalised(password))
        except argon2.exceptions.VerifyMismatchError:
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if self._pending >= self._limit:
            raise unavailable("too many passwords are being checked")
        self._pending += 1
        future = self._executor.submit(work)
        # Counted down by the work and not by the waiting request: a client that goes away does not stop the thread.
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._finished))
        return await asyncio.wrap_future(future)

    def _finished(self) -> None:
        self._pending -= 1


def _normalised(password: str) -> str:
    """Apply NFKC, so that two keyboards give the same password (NIST SP 800-63B-4, 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)


def _hash_of_nothing(hasher: argon2.PasswordHasher) -> str:
    """Return a hash that no password has. Its parameters make verification take the usual time."""

    def encoded(length: int) -> str:
        return base64.b64encode(os.urandom(length)).decode().rstrip("=")

    cost = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v=19${cost}${encoded(hasher.salt_len)}${encoded(hasher.hash_len)}"
