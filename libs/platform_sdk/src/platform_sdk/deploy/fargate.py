"""The task sizes that Fargate offers (docs.aws.amazon.com/AmazonECS, "Fargate task definition differences")."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

MEMORY_MIB_BY_CPU: Final[Mapping[int, Sequence[int]]] = {
    256: (512, 1024, 2048),
    512: range(1024, 4096 + 1, 1024),
    1024: range(2048, 8192 + 1, 1024),
    2048: range(4096, 16384 + 1, 1024),
    4096: range(8192, 30720 + 1, 1024),
    8192: range(16384, 61440 + 1, 4096),
    16384: range(32768, 122880 + 1, 8192),
    32768: (61440, 122880, 249856),
}
"""CPU units (1024 are one vCPU) to the memory sizes in MiB that may go with them."""


def nearest(value: int, legal: Iterable[int]) -> list[int]:
    """The largest legal value below and the smallest above, where they exist."""
    below = [candidate for candidate in legal if candidate < value]
    above = [candidate for candidate in legal if candidate > value]
    return [*below[-1:], *above[:1]]
