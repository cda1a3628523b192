"""`PlatformError`: the base of all errors that a person reads.

PlatformError
├── deploy half: InvalidManifest, UnknownEnvironment, …     (platform_sdk.deploy)
├── runtime: InvalidSettings, RouteWithoutPolicy, …     (platform_sdk.runtime; raised while a service starts)
└── local AWS: PortTaken, ServerDidNotStart, …          (local_aws)

Errors of a request are problems (platform_sdk.runtime.http.problems), not PlatformErrors, and are answered as
problem+json.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class PlatformError(Exception):
    """What happened, why, and what to do next.

    Args:
        what: one sentence, without a full stop.
        because: the cause, where it adds something.
        hint: the next useful step.
    """

    exit_code = 1

    def __init__(self, what: str, *, because: str | None = None, hint: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.because = because
        self.hint = hint

    def __str__(self) -> str:
        lines = [self.what]
        if self.because:
            lines.append(f"because: {self.because}")
        if self.hint:
            lines.append(f"hint: {self.hint}")
        return "\n".join(lines)


@contextmanager
def ended_by_errors() -> Iterator[None]:
    """End the process on a PlatformError in the block: print it on stderr, exit with its code.

    Raises:
        SystemExit: instead of a PlatformError.
    """
    try:
        yield
    except PlatformError as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(error.exit_code) from None
