"""Read how long a request waits (`Prefer`, RFC 7240) and where a stream resumes."""

import re
from collections.abc import Iterable
from typing import Final

# preference = token "=" ( token / quoted-string ), parameters after ";", several separated by ",".
_WAIT: Final = re.compile(r'(?:^|,)\s*wait\s*=\s*"?(\d{1,9})"?\s*(?=$|[,;])', re.IGNORECASE)


def preferred_wait_seconds(values: Iterable[str], at_most: float) -> float | None:
    """Return the first `wait=N` of these header values, at most `at_most`; None if there is none."""
    for value in values:
        if found := _WAIT.search(value):
            return min(float(found[1]), at_most)
    return None


def resume_after(last_event_id: str | None, version: int) -> int:
    """Return the version after which a stream resumes: the client's, or just before the current one.

    An id that this order has not reached is ignored: we never sent it.
    """
    if last_event_id is not None and re.fullmatch(r"[0-9]{1,9}", last_event_id) and 0 < int(last_event_id) <= version:
        return int(last_event_id)
    return version - 1
