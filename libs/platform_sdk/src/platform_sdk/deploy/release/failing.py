"""When enough is known to stop: the same failure of several new tasks will be the failure of the next one, too."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

ENOUGH: Final = 3


def fails_alike(signatures: Iterable[str]) -> bool:
    return any(count >= ENOUGH for count in Counter(signatures).values())
