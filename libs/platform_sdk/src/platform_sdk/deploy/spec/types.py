"""What a service asks of the platform, in typed values that nothing can change."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal

Architecture = Literal["x86_64", "arm64"]
ARCHITECTURES: Final[tuple[Architecture, ...]] = ("x86_64", "arm64")


class SecretStore(StrEnum):
    SECRETS_MANAGER = "secrets_manager"
    PARAMETER_STORE = "parameter_store"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretReference:
    """Where a secret is kept, below `platform/<environment>/<service>/`; `json_key` picks one value out of JSON."""

    store: SecretStore
    name: str
    json_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSize:
    """A Fargate task: CPU units (1024 are one vCPU), MiB, and the seconds between SIGTERM and SIGKILL."""

    cpu: int
    memory_mib: int
    architecture: Architecture
    stop_timeout_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    min_tasks: int
    max_tasks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """What the image runs, each in exec form; `migrate` before the tasks of a version start, `demo` on the laptop."""

    api: tuple[str, ...]
    migrate: tuple[str, ...] | None
    demo: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """The tasks that consume the service's queues."""

    command: tuple[str, ...]
    min_tasks: int
    max_tasks: int
    cpu: int
    memory_mib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseNeeds:
    """A schema and a role of the service's name; `max_connections` is per process."""

    max_connections: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheNeeds:
    """Redis. Nothing to choose yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A queue that the service owns, with the event types that its worker consumes from it."""

    name: str
    consumes: tuple[str, ...]
    visibility_timeout_seconds: int
    max_receive_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSpec:
    """One platform.toml. `directory` is the service's folder; `publishes` maps event types to names of queues."""

    name: str
    path: str
    port: int
    directory: Path
    task: TaskSize
    scaling: Scaling
    commands: Commands
    worker: Worker | None
    environment: Mapping[str, str]
    secrets: Mapping[str, SecretReference]
    database: DatabaseNeeds | None
    cache: CacheNeeds | None
    queues: tuple[Queue, ...]
    publishes: Mapping[str, tuple[str, ...]]
