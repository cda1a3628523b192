"""The AWS API on the laptop: ministack, for SQS, Secrets Manager and Systems Manager parameters."""

import http.client
import os
import subprocess
import sys
from typing import ClassVar

from local_aws.processes import LOOPBACK
from local_aws.servers.server import BackingServer


class AwsServer(BackingServer):
    """Bound to loopback. Its state is written when it is stopped, so a kill -9 loses what came since the last start."""

    name: ClassVar[str] = "aws"
    title: ClassVar[str] = "the AWS API"
    port_variable: ClassVar[str] = "PLATFORM_AWS_PORT"

    @property
    def endpoint_url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def _launch(self) -> subprocess.Popen[bytes]:
        return self._spawn([sys.executable, "-m", "local_aws.servers.ministack_process"], self._environment())

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
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=1)
        try:
            connection.request("GET", "/_ministack/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
