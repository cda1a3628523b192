"""Named places at which a process can be told to die, so that tests show that a crash there loses and doubles nothing.

`PLATFORM_CRASH_AT=consumer_after_commit` kills the process as SIGKILL would, when it comes past that point; only where
ENVIRONMENT is `local`, everywhere else this file does nothing.

    after_commit                 committed, before callbacks and before the relay is woken
    relay_after_send             SQS has taken the messages, the outbox rows are not yet deleted
    consumer_before_commit       the handler has done its work, nothing is committed
    consumer_after_commit        committed, the message is not yet deleted from the queue
"""

import os
from typing import Final

from platform_sdk.contract import Variable

_CRASH_AT: Final = os.environ.get("PLATFORM_CRASH_AT") if os.environ.get(Variable.ENVIRONMENT) == "local" else None


def crash_point(name: str) -> None:
    """Die here, if this point is the one that was asked for."""
    if name == _CRASH_AT:
        os._exit(137)
