"""Edit the bounds of scaling in a platform.toml. Comments and layout are kept.

The bounds of one environment are in `[environments.<name>.scaling]`, which is created if there is none; those of all
environments are in `[scaling]`. The edit is refused unless the file then means exactly what was asked for.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from platform_sdk.deploy.environment import environment_names
from platform_sdk.deploy.manifest import load_spec
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.errors import PlatformError

Role = Literal["api", "worker"]
TABLES: dict[Role, str] = {"api": "scaling", "worker": "worker"}


class NotEdited(PlatformError):
    """The edit would not have the requested effect. The file is unchanged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The requested bounds. One that is None is kept. `everywhere` edits the table for all environments."""

    environment: str
    role: Role
    min_tasks: int | None
    max_tasks: int | None
    everywhere: bool = False

    @property
    def path(self) -> tuple[str, ...]:
        """The path of the table to edit, such as `("environments", "staging", "scaling")`."""
        table = TABLES[self.role]
        return (table,) if self.everywhere else ("environments", self.environment, table)

    def values(self) -> dict[str, int]:
        """Return the requested bounds by key, without those that are kept."""
        given = {"min_tasks": self.min_tasks, "max_tasks": self.max_tasks}
        return {key: value for key, value in given.items() if value is not None}


def edit(root: Path, service: str, bounds: Bounds) -> tuple[str, str]:
    """Return the text of the service's platform.toml before and after the edit. Nothing is written.

    Both are equal if the file already has the requested bounds.

    Raises:
        InvalidManifest: the service cannot have such bounds.
        NotEdited: the edit would not have the requested effect.
    """
    before = _manifest_of(root, service).read_bytes().decode()
    spec = load_spec(_manifest_of(root, service), bounds.environment, root=root)
    if bounded(spec, bounds) == spec:
        return before, before
    after = _edited(before, bounds)
    refuse_other_meaning(root, service, after, bounds)
    return before, after


def _manifest_of(root: Path, service: str) -> Path:
    return root / "services" / service / "platform.toml"


def _edited(text: str, bounds: Bounds) -> str:
    import tomlkit

    document = tomlkit.parse(text)
    table: Any = document
    for name in bounds.path:
        if name not in table:
            table[name] = tomlkit.table(is_super_table=name != bounds.path[-1])
        table = table[name]
    for key, value in bounds.values().items():
        table[key] = value
    return tomlkit.dumps(document)


def refuse_other_meaning(root: Path, service: str, after: str, bounds: Bounds) -> None:
    """Refuse an edited text that does not have the requested effect, or has another one as well.

    Raises:
        InvalidManifest: the edited text has errors.
        NotEdited: the effect is a different one.
    """
    path, environment = _manifest_of(root, service), bounds.environment
    wanted = bounded(load_spec(path, environment, root=root), bounds)
    if load_spec(path, environment, root=root, content=after.encode()) != wanted:
        raise NotEdited(
            f"[{'.'.join(bounds.path)}] does not decide how many tasks {service} has in {environment}",
            because=f"{environment} has a table of its own",
            hint="leave out --all-environments",
        )
    for other in environment_names(root):
        if bounds.everywhere or other == environment:
            continue
        if load_spec(path, other, root=root, content=after.encode()) != load_spec(path, other, root=root):
            raise NotEdited(f"the edit would change {service} in {other}, too", hint="edit platform.toml by hand")


def bounded(spec: ServiceSpec, bounds: Bounds) -> ServiceSpec:
    """Return the service with the requested bounds.

    Raises:
        NotEdited: it has no worker.
    """
    changes: Any = bounds.values()
    if bounds.role == "api":
        return replace(spec, scaling=replace(spec.scaling, **changes))
    if spec.worker is None:
        raise NotEdited(f"{spec.name} has no worker", hint="leave out --worker")
    return replace(spec, worker=replace(spec.worker, **changes))


def write(root: Path, service: str, text: str) -> None:
    """Write all of the text or nothing."""
    path = _manifest_of(root, service)
    new = path.with_suffix(".toml.new")
    new.write_bytes(text.encode())
    new.chmod(path.stat().st_mode)
    new.replace(path)
