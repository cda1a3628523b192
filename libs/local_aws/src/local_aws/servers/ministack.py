"""The AWS API on the laptop: ministack, for SQS, Secrets Manager and Systems Manager parameters.

`python -m local_aws.servers.ministack` runs it with long polls that look again after each call to SQS. By itself it
looks every 100 ms, which would be most of the time that an event takes from one service to the next.
"""

import asyncio
import contextlib
import os
import runpy
import subprocess
import sys
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar, Final

from local_aws.processes import LOOPBACK, http_status
from local_aws.servers.server import BackingServer

# No real account's keys: a developer's own keys never reach a task or an endpoint on the laptop.
ACCESS_KEY_ID: Final = "local"
SECRET_ACCESS_KEY: Final = "local"  # noqa: S105 - deliberately not a secret


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


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsClients:
    """botocore clients of the endpoint, with which start-up creates and reads what tasks need.

    Threads may share them. Call them through `platform_sdk.deploy.aws.call`.
    """

    sqs: Any
    secretsmanager: Any
    ssm: Any


def connect(endpoint_url: str, region: str) -> AwsClients:
    """Return clients of the endpoint. Takes about half a second, to import botocore; sends nothing."""
    import botocore.session
    from botocore.config import Config

    # Without the developer's profile and configuration files, which may not even be readable.
    session = botocore.session.Session({"profile": (None, None, None, None), "config_file": (None, None, None, None)})
    session.set_credentials(ACCESS_KEY_ID, SECRET_ACCESS_KEY)
    config = Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 2})
    sqs, secretsmanager, ssm = (
        session.create_client(service, region_name=region, endpoint_url=endpoint_url, config=config)
        for service in ("sqs", "secretsmanager", "ssm")
    )
    return AwsClients(sqs=sqs, secretsmanager=secretsmanager, ssm=ssm)


def look_again_after_each_call(sqs: Any) -> None:
    """Wake the receives that wait in ministack's SQS module whenever another call may have made a message visible.

    The module sleeps nowhere but while a receive waits. Delays and time-outs still show within its own 100 ms.
    """
    dispatch, called = sqs._dispatch, asyncio.Event()

    async def dispatch_and_wake(action: str, data: dict[str, Any], queue_url: str) -> Any:
        answer = await dispatch(action, data, queue_url)
        if action != "ReceiveMessage":
            called.set()
            called.clear()
        return answer

    async def sleep(seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await called.wait()

    sqs._dispatch = dispatch_and_wake
    sqs.asyncio = SimpleNamespace(**{**vars(asyncio), "sleep": sleep})


if __name__ == "__main__":
    from ministack.services import sqs

    look_again_after_each_call(sqs)
    runpy.run_module("ministack", run_name="__main__", alter_sys=True)
