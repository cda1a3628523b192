"""The AWS API on the laptop: ministack, for SQS, Secrets Manager and Systems Manager parameters.

`python -m local_aws.servers.ministack` runs it with long polls that notice a message within 10 ms instead of 100, which
would be most of the time that an event takes from one service to the next.
"""

import asyncio
import os
import runpy
import subprocess
import sys
from types import SimpleNamespace
from typing import ClassVar, Final

from local_aws.processes import LOOPBACK, http_status
from local_aws.servers.server import BackingServer

POLL_INTERVAL_SECONDS: Final = 0.01


class AwsServer(BackingServer):
    """Bound to loopback. Its state is written when it is stopped, so a kill -9 loses what came since the last start."""

    name: ClassVar[str] = "aws"
    title: ClassVar[str] = "the AWS API"
    port_variable: ClassVar[str] = "PLATFORM_AWS_PORT"

    @property
    def endpoint_url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def _launch(self) -> subprocess.Popen[bytes]:
        return self._spawn([sys.executable, "-m", "local_aws.servers.ministack"], self._environment())

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "BIND_HOST": LOOPBACK,
            "MINISTACK_HOST": LOOPBACK,
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_REGION": "us-east-1",
            "PERSIST_STATE": "1",
            "STATE_DIR": str(self.directory / "state"),
            "S3_DATA_DIR": str(self.directory / "s3"),
            "TMPDIR": str(self.directory),
            # It would remove containers of other tools that it takes for its own.
            "DOCKER_HOST": "unix:///nonexistent",
            # Listeners of their own, on fixed ports.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            # Access logs of long polls would fill the log.
            "LOG_LEVEL": "WARNING",
        }

    def is_ready(self) -> bool:
        return http_status(self.port, "/_ministack/health") == 200


async def _sleep(seconds: float) -> None:
    await asyncio.sleep(min(seconds, POLL_INTERVAL_SECONDS))


if __name__ == "__main__":
    from ministack.services import sqs

    # This module sleeps nowhere but while a receive waits.
    sqs.asyncio = SimpleNamespace(**{**vars(asyncio), "sleep": _sleep})
    runpy.run_module("ministack", run_name="__main__", alter_sys=True)
