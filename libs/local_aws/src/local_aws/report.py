"""The record that a running region keeps of itself in the state folder; status.py reads it."""

from datetime import UTC, datetime
from typing import Any, Literal

from local_aws.local_stack import Region
from local_aws.state import ProcessRecord, record_processes
from local_aws.tasks.cluster import RunningTask
from local_aws.tasks.scheduling import Health, Slot, SlotRecord

Phase = Literal["starting", "running", "stopping"]


def region_document(region: Region, *, phase: Phase, supervisor: ProcessRecord, since: float) -> dict[str, Any]:
    """The whole record; `processes` is what a later run must recognise if this one is killed."""
    environment, database = region.environment, region.environment.database
    return {
        "state": phase,
        "pid": supervisor.pid,
        "supervisor": {"pid": supervisor.pid, "started_at": supervisor.started_at},
        "since": _moment(since),
        "state_folder": str(region.folder.path),
        "urls": {
            "load_balancer": region.load_balancer.url,
            "aws_endpoint": environment.aws_endpoint_url,
            "database": f"postgresql://{database.host}:{database.port}/{database.name}",
            "redis": environment.cache.url,
        },
        "servers": _servers(region),
        "tasks": _tasks(region),
        "processes": record_processes(region.process_ids()),
    }


def _servers(region: Region) -> list[dict[str, Any]]:
    return [
        {
            "name": watched.server.name,
            "pid": watched.server.pid,
            "port": watched.server.port,
            "since": _moment(watched.since),
            "health": watched.health,
            "restarts": watched.record.restarts,
        }
        for watched in sorted(region.server_watch.servers, key=lambda watched: region.servers.index(watched.server))
    ]


def _tasks(region: Region) -> list[dict[str, Any]]:
    """Every task, and every slot that waits for one."""
    cluster = region.cluster
    tasks: list[tuple[Slot, RunningTask | None]] = [(task.slot, task) for task in cluster.tasks]
    tasks += [(slot, None) for slot in set(cluster.desired) - {task.slot for task in cluster.tasks}]
    tasks.sort(key=lambda pair: pair[0])
    return [_task(slot, task, cluster.records.get(slot, SlotRecord())) for slot, task in tasks]


def _task(slot: Slot, task: RunningTask | None, record: SlotRecord) -> dict[str, Any]:
    return {
        "name": slot.name,
        "service": slot.service,
        "role": slot.role,
        "revision": task.revision if task else None,
        "pid": task.process.pid if task else None,
        "port": task.process.port if task and slot.role == "api" else None,
        "since": _moment(task.process.since) if task else None,
        "health": task.health if task else Health.UNHEALTHY,
        "restarts": record.restarts,
        "last_exit_code": record.last_exit_code,
    }


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
