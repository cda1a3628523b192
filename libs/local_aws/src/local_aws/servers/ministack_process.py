"""Runs ministack, with long polls that notice a message within 10 ms instead of 100.

ministack looks for messages every 100 ms while a receive waits, which would be most of the time that an event takes
from one service to the next. Its SQS module sleeps nowhere else.
"""

import asyncio
import runpy
from types import SimpleNamespace
from typing import Final

from ministack.services import sqs

POLL_INTERVAL_SECONDS: Final = 0.01


async def _sleep(seconds: float) -> None:
    await asyncio.sleep(min(seconds, POLL_INTERVAL_SECONDS))


if __name__ == "__main__":
    sqs.asyncio = SimpleNamespace(**{**vars(asyncio), "sleep": _sleep})
    runpy.run_module("ministack", run_name="__main__", alter_sys=True)
