"""One answer of the preflight."""

from dataclasses import dataclass
from typing import Literal

CheckStatus = Literal["OK", "SKIP", "FAIL"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """`reason` says what was found, and of a SKIP why it could not be asked; `remedy` of a FAIL is the next step."""

    name: str
    status: CheckStatus
    reason: str
    remedy: str = ""
