"""Read a table of platform.toml into the type that declares its keys.

The reader never raises. It adds errors to the document, and puts a placeholder where a value is wrong.
"""

from collections import ChainMap
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from platform_sdk.deploy.config_errors import listed
from platform_sdk.deploy.manifest.keys import ANY_NAME, Boolean, Choice, Group, Integer, Key, Kind, Number, Text, Texts
from platform_sdk.deploy.manifest.releases import LIFECYCLE_EVENTS, LifecycleEvent, alarms_of, check_alarms
from platform_sdk.deploy.manifest.resources import secret_reference
from platform_sdk.deploy.manifest.tasks import MIGRATE
from platform_sdk.deploy.manifest.types import ROOT, Manifest, ServiceSpec
from platform_sdk.deploy.toml_document import Document, Table, dotted


def read_group(table: Table, group: Group, file: Mapping[str, Any]) -> Any:
    """Read one table, then check rules about several of its keys.

    Args:
        file: the outermost tables that are read already, for defaults that depend on them.
    """
    table.examples = examples_of(group, dotted(step for step in table.path if isinstance(step, str)))
    if group.before is not None:
        group.before(table)
    if group.names is not None and group.form != "named":
        only = group.keys[ANY_NAME]
        assert isinstance(only, Key), "the team chooses names of keys here"
        values = {name: _read_key(table, name, only, {}) for name in table.names(group.names)}
    else:
        values = {"name": table.path[-1]} if group.form == "named" else {}
        known = ChainMap(values, dict(file))
        for name, member in group.keys.items():
            values[name] = _read_member(table, name, member, known)
    return group.checked(values, table)


def _read_member(table: Table, name: str, member: Key | Group, known: Mapping[str, Any]) -> Any:
    return _read_key(table, name, member, known) if isinstance(member, Key) else read_tables(table, name, member, known)


def read_tables(table: Table, name: str, group: Group, file: Mapping[str, Any]) -> Any:
    """Read the table of the name, all of a list, or all of a table with names of the team's."""
    if group.form != "table":
        tables = table.tables(name) if group.form == "list" else _named_tables(table, name, group)
        entries = list(tables)
        values = tuple(read_group(entry, group, file) for entry in entries)
        if group.form == "list" and "name" in group.keys:
            _refuse_same_names(entries, [value.name for value in values])
        return values
    if group.is_required:
        return read_group(table.table(name), group, file)
    if group.is_optional:
        found = table.optional_table(name)
        return None if found is None else read_group(found, group, file)
    return read_group(table.table_or_defaults(name), group, file)


def _named_tables(table: Table, name: str, group: Group) -> Iterator[Table]:
    found = table.optional_table(name)
    if found is None or group.names is None:
        return
    found.examples = {ANY_NAME: f"[{name}.{group.example}]"}
    for own in found.names(group.names):
        entry = found.optional_table(own)
        if entry is not None:
            yield entry


def _refuse_same_names(tables: list[Table], names: list[str]) -> None:
    for index, (table, name) in enumerate(zip(tables, names, strict=True)):
        if name in names[:index] and table.are_sound("name"):
            table.error("name", f'"{name}" is the name of an entry above as well', f"for example {name}-2")


def _read_key(table: Table, name: str, key: Key, known: Mapping[str, Any]) -> Any:
    value = _read_value(table, name, key.kind, None if callable(key.default) else key.default)
    return key.default(known) if value is None and callable(key.default) else value


def _read_value(table: Table, name: str, kind: Kind, default: Any) -> Any:
    match kind:
        case Integer():
            return _read_integer(table, name, kind, default)
        case Number(low=low, high=high):
            return table.number(name, low, high, default=default)
        case Boolean():
            return table.boolean(name, default=default)
        case Text(form=form):
            return table.text(name, form, default=default)
        case Choice(values=legal):
            return table.choice(name, legal, default=default)
        case Texts():
            return _read_texts(table, name, kind, default)


def _read_integer(table: Table, name: str, kind: Integer, default: Any) -> int | None:
    is_off = kind.or_zero and table.values.get(name, default) == 0
    legal = None if kind.legal or is_off else range(kind.low, kind.high + 1)
    value = table.integer(name, legal=legal, default=default)
    return None if is_off else value


def _read_texts(table: Table, name: str, kind: Texts, default: Any) -> tuple[str, ...] | None:
    values: tuple[str, ...] | None = table.texts(name, kind.form, may_be_empty=kind.may_be_empty, default=default)
    if kind.unique and values:
        twice = sorted({value for value in values if values.count(value) > 1})
        if twice:
            table.error(name, f"{listed(twice)} is listed twice", "remove one")
    return values


@cache
def examples_of(group: Group, path: str) -> dict[str, str]:
    """Return an assignment, or the head of a table, for each key of the group at the path."""
    return {name: _example_of(name, member, group, path) for name, member in group.keys.items()}


def _example_of(name: str, member: Key | Group, group: Group, path: str) -> str:
    if isinstance(member, Key):
        return f"{group.example if name == ANY_NAME else name} = {member.assigned}"
    own = f"{path}.{name}" if path else name
    head = f"[[{own}]]" if member.form == "list" else f"[{own}]"
    required = [name for name, key in member.keys.items() if isinstance(key, Key) and key.is_required]
    return f"{head} with {listed(required)}" if required else head


# Read a platform.toml into a ServiceSpec, and check rules about several tables.


def read_service(document: Document, directory: Path) -> ServiceSpec:
    """Read the whole file. Errors are in the document, and wrong values are replaced by placeholders."""
    root = document.root()
    manifest: Manifest = read_group(root, ROOT, {})
    spec = _spec_of(manifest, directory)
    check_alarms(document, spec.alarms)
    check_sidecars(document, manifest)
    check_presence(root, manifest)
    document.reject_unknown_keys()
    return spec


def _spec_of(manifest: Manifest, directory: Path) -> ServiceSpec:
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
        hooks=MappingProxyType(_hooks_of(manifest)),
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


def _hooks_of(manifest: Manifest) -> Mapping[LifecycleEvent, str]:
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
