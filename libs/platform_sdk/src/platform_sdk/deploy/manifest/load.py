"""Read a platform.toml into a ServiceSpec, and check rules about several tables."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from platform_sdk.deploy.manifest.reader import read_group
from platform_sdk.deploy.manifest.releases import LIFECYCLE_EVENTS, LifecycleEvent, alarms_of, check_alarms
from platform_sdk.deploy.manifest.tasks import MIGRATE
from platform_sdk.deploy.manifest.types import ROOT, Manifest, ServiceSpec
from platform_sdk.deploy.manifest.variables import secret_reference
from platform_sdk.deploy.toml_document import Document, Table


def read_service(document: Document, directory: Path) -> ServiceSpec:
    """Read the whole file. Errors are in the document, and wrong values are replaced by placeholders."""
    root = document.root()
    manifest: Manifest = read_group(root, ROOT, {})
    spec = spec_of(manifest, directory)
    check_alarms(document, spec.alarms)
    check_sidecars(document, manifest)
    check_presence(root, manifest)
    document.reject_unknown_keys()
    return spec


def spec_of(manifest: Manifest, directory: Path) -> ServiceSpec:
    service = manifest.service
    secrets = {name: secret_reference(text) for name, text in manifest.secrets.items()}
    return ServiceSpec(
        name=service.name,
        path=service.path,
        port=service.port,
        priority=service.priority,
        directory=directory,
        task=manifest.task,
        sidecars=manifest.sidecars,
        scaling=manifest.scaling,
        commands=manifest.commands,
        worker=manifest.worker,
        tasks=manifest.tasks,
        traffic_shift=manifest.traffic_shift.without_steps(),
        alarms=tuple(alarms_of(manifest.alarms, manifest.queues)),
        hooks=MappingProxyType(hooks_of(manifest)),
        health_check=manifest.health_check,
        log_retention_days=manifest.logs.retention_days,
        environment=manifest.environment,
        secrets=MappingProxyType(secrets),
        database=manifest.database,
        cache=manifest.cache,
        queues=manifest.queues,
        publishes=manifest.publishes,
        permissions=manifest.permissions,
    )


def hooks_of(manifest: Manifest) -> Mapping[LifecycleEvent, str]:
    functions = manifest.hooks.items()
    return {LIFECYCLE_EVENTS[event]: function for event, function in functions if function and function != "none"}


def check_sidecars(document: Document, manifest: Manifest) -> None:
    """Leave the app at least half of the CPU and 256 MiB of every task."""
    if not all(document.is_sound(table) for table in ("task", "worker", "tasks", "sidecars")):
        return
    sizes = [("task", manifest.task.cpu, manifest.task.memory_mib)]
    if manifest.worker is not None:
        sizes.append(("worker", manifest.worker.cpu, manifest.worker.memory_mib))
    sizes += [("tasks", task.cpu, task.memory_mib) for task in manifest.tasks]
    for table, cpu, memory_mib in sizes:
        for path, reason, suggestion in manifest.sidecars.lack_of_room(table, cpu, memory_mib):
            document.error(("sidecars", *path), reason, suggestion)


def check_presence(root: Table, manifest: Manifest) -> None:
    """Check what one table requires or forbids in another."""
    document = root.document
    could_be_read = ("commands",) not in document.error_paths and document.is_sound("commands", "migrate")
    if "database" in root.values and manifest.commands.migrate is None and could_be_read:
        hint = f"for example migrate = {MIGRATE.assigned}"
        document.error(("commands", "migrate"), "is missing, though there is a [database]", hint)
    if manifest.queues and "worker" not in root.values:
        reason = "the table [worker] is missing, though queues are consumed"
        document.error(("worker",), reason, root.example("worker"), beside=("queues",))
    for name in manifest.secrets.keys() & manifest.environment.keys():
        reason = "is in [environment] as well; ECS refuses a name given twice"
        document.error(("secrets", name), reason, "remove one of them")
