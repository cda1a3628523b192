"""Check services against each other: their paths and names, and which events reach which queue."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from platform_sdk.deploy.config_errors import did_you_mean, listed
from platform_sdk.deploy.manifest.resources import Queue
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.toml_document import Document, dotted


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A spec with the document that it comes from, so that an error between two services has a line."""

    spec: ServiceSpec
    document: Document

    def place(self, *path: str | int) -> str:
        """Return `file:line` of a key, or the file alone where a default stands for the key."""
        line = self.document.lines.get(path)
        return self.document.file if line is None else f"{self.document.file}:{line}"

    def events_are_known(self) -> bool:
        """Return whether the file has no error in its events."""
        hidden = any(path[0] == "queues" and path[2:3] in ((), ("consumes",)) for path in self.document.error_paths)
        return self.document.is_sound("publishes") and not hidden

    def queue(self, name: str) -> Queue:
        return next(queue for queue in self.spec.queues if queue.name == name)


def check_topology(sources: Sequence[Source]) -> None:
    """Add errors to the documents. Events are checked only if every file's events could be read."""
    all_events_are_known = all(source.events_are_known() for source in sources)
    for source in sources:
        check_folder(source)
    check_priorities(sources)
    check_families(sources)
    for place, later in enumerate(sources):
        for earlier in sources[:place]:
            check_paths(earlier, later)
            _check_owners(earlier, later)
    if all_events_are_known:
        for source in sources:
            check_publications(source, sources)
            check_consumption(source, sources)


def check_priorities(sources: Sequence[Source]) -> None:
    """Refuse equal priorities on the listener of all services. Their order does not matter: no paths overlap."""
    taken: dict[int, Source] = {}
    for source in sources:
        priority = source.spec.priority
        other = taken.setdefault(priority, source)
        if other is not source and source.spec.name != other.spec.name and source.document.is_sound("service"):
            free = next(number for number in range(priority + 1, 100_000) if number not in taken)
            reason = f"the rule's priority would be {priority}, as that of {other.place('service', 'priority')}"
            source.document.error(("service", "priority"), reason, f"give priority = {free % 50_000 or 1}")


def check_families(sources: Sequence[Source]) -> None:
    """Refuse a service `orders-worker` beside the worker of `orders`: both have the family <env>-orders-worker."""
    taken = {source.spec.name: source for source in sources if source.spec.name}
    for source in sources:
        name = source.spec.name
        for part, path in parts_of(source.spec):
            other = taken.get(f"{name}-{part}")
            if other is not None:
                reason = f"its task definition would have the name of the service at {other.place('service', 'name')}"
                source.document.error(path, reason, f"rename one of the two: both are {name}-{part}")


def parts_of(spec: ServiceSpec) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    """Yield what has its own task definition beside the service, and its path in the file."""
    if spec.worker is not None:
        yield "worker", ("worker",)
    for index, task in enumerate(spec.tasks):
        yield task.name, ("tasks", index, "name")


def check_folder(source: Source) -> None:
    """Refuse a name that is not the folder's: the command line finds a service by its folder."""
    folder = source.spec.directory.name
    if source.document.is_sound("service", "name") and source.spec.name not in ("", folder):
        reason = f'"{source.spec.name}" is not the name of its folder, which is "{folder}"'
        source.document.error(("service", "name"), reason, f"did you mean {folder}?")


def check_paths(earlier: Source, later: Source) -> None:
    """Refuse a path below another service's: a listener rule matches a path and all below it."""
    first, second = f"{earlier.spec.path}/", f"{later.spec.path}/"
    if "/" in (first, second) or not (first.startswith(second) or second.startswith(first)):
        return
    how = "is also" if first == second else "overlaps"
    reason = f'"{later.spec.path}" {how} "{earlier.spec.path}" of {earlier.place("service", "path")}'
    later.document.error(("service", "path"), reason, "choose a path that no other service contains")


def _check_owners(earlier: Source, later: Source) -> None:
    for name in sorted({queue.name for queue in earlier.spec.queues} & {queue.name for queue in later.spec.queues}):
        reason = f"the queue is owned by {earlier.place('queues', name)} as well"
        later.document.error(("queues", name), reason, "choose another name")


def check_publications(source: Source, sources: Sequence[Source]) -> None:
    """Check that every queue that receives an event exists, and that its owner consumes the event."""
    owners = {queue.name: other for other in sources for queue in other.spec.queues}
    for event, queues in source.spec.publishes.items():
        for index, name in enumerate(queues):
            path = ("publishes", event, index)
            if name not in owners:
                known = did_you_mean(name, owners) or f"the queues are {listed(sorted(owners))}"
                source.document.error(path, f'no service owns a queue "{name}"', known)
            elif event not in owners[name].queue(name).consumes:
                place = owners[name].place("queues", name, "consumes")
                reason = f'"{event}" is not among what the owner of the queue "{name}" consumes'
                source.document.error(path, reason, f"add it at {place}, or remove the queue here")


def check_consumption(source: Source, sources: Sequence[Source]) -> None:
    """Check that some service publishes every event that a queue consumes."""
    for queue in source.spec.queues:
        arriving = {
            event for other in sources for event, queues in other.spec.publishes.items() if queue.name in queues
        }
        if not arriving:
            hint = f'list "{queue.name}" in the [publishes] of some service'
            source.document.error(("queues", queue.name), "nobody publishes to this queue", hint)
            continue
        for index, event in enumerate(queue.consumes):
            if event not in arriving:
                reason = f'nobody publishes "{event}" to the queue "{queue.name}"'
                suggestion = _how_to_receive(event, queue.name, arriving, sources)
                source.document.error(("queues", queue.name, "consumes", index), reason, suggestion)


def _how_to_receive(event: str, queue: str, arriving: set[str], sources: Sequence[Source]) -> str | None:
    for other in sources:
        if event in other.spec.publishes:
            return f'add "{queue}" to {dotted(("publishes", event))} at {other.place("publishes", event)}'
    return did_you_mean(event, arriving) or f"arriving there: {listed(sorted(arriving))}"
