"""The smallest and the largest number of tasks, edited in a platform.toml as a person would: comments and layout stay.

An environment's bounds are written into its own table, `[environments.<name>.scaling]`, which is made if there is none;
for all environments together, into `[scaling]`. The edit is refused unless the file, read again, means exactly that.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from platform_sdk.deploy.environment import FOLDER, environment_names
from platform_sdk.deploy.manifest import load_spec
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.errors import PlatformError

Role = Literal["api", "worker"]
TABLES: dict[Role, str] = {"api": "scaling", "worker": "worker"}


class NotEdited(PlatformError):
    """The edit would not mean what was asked for; the file is as it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What is asked for. A bound that is None stays. `everywhere` edits the table that environments without one of
    their own follow.
    """

    environment: str
    role: Role
    min_tasks: int | None
    max_tasks: int | None
    everywhere: bool = False

    @property
    def path(self) -> tuple[str, ...]:
        table = TABLES[self.role]
        return (table,) if self.everywhere else ("environments", self.environment, table)

    def values(self) -> dict[str, int]:
        given = {"min_tasks": self.min_tasks, "max_tasks": self.max_tasks}
        return {key: value for key, value in given.items() if value is not None}


def edit(root: Path, service: str, bounds: Bounds) -> tuple[str, str]:
    """The text of the service's platform.toml, and the text that it shall have. They are the same where it means that
    already. Nothing is written.

    Raises:
        InvalidManifest: the service cannot have such bounds.
        NotEdited
    """
    path = root / "services" / service / "platform.toml"
    before = path.read_bytes().decode()
    spec = load_spec(path, bounds.environment, root=root)
    if bounded(spec, bounds) == spec:
        return before, before
    after = edited(before, bounds)
    refuse_other_meaning(root, service, before, after, bounds)
    return before, after


def edited(text: str, bounds: Bounds) -> str:
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


def refuse_other_meaning(root: Path, service: str, before: str, after: str, bounds: Bounds) -> None:
    """
    Raises:
        InvalidManifest
        NotEdited
    """
    environment = bounds.environment
    wanted = bounded(spec_of(before, root, service, environment), bounds)
    if spec_of(after, root, service, environment) != wanted:
        raise NotEdited(
            f"[{'.'.join(bounds.path)}] does not decide how many tasks {service} has in {environment}",
            because=f"{environment} has a table of its own",
            hint="leave out --all-environments",
        )
    for other in environment_names(root):
        is_meant = bounds.everywhere or other == environment
        if not is_meant and spec_of(after, root, service, other) != spec_of(before, root, service, other):
            raise NotEdited(f"the edit would change {service} in {other}, too", hint="edit platform.toml by hand")


def bounded(spec: ServiceSpec, bounds: Bounds) -> ServiceSpec:
    """The service as it shall be.

    Raises:
        NotEdited: it has no worker.
    """
    changes: Any = bounds.values()
    if bounds.role == "api":
        return replace(spec, scaling=replace(spec.scaling, **changes))
    if spec.worker is None:
        raise NotEdited(f"{spec.name} has no worker", hint="leave out --worker")
    return replace(spec, worker=replace(spec.worker, **changes))


def spec_of(text: str, root: Path, service: str, environment: str) -> ServiceSpec:
    """What the text would mean in the place of the file; errors name the file."""
    with copied(root, service, text) as (copy, path):
        spec = load_spec(path, environment, root=copy)
    return replace(spec, directory=root / "services" / service)


@contextmanager
def copied(root: Path, service: str, text: str) -> Iterator[tuple[Path, Path]]:
    """A folder that looks like the repository to whoever reads this one file, and the file in it."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        (copy / FOLDER).mkdir(parents=True)
        for name in environment_names(root):
            (copy / FOLDER / f"{name}.toml").touch()
        path = copy / "services" / service / "platform.toml"
        path.parent.mkdir(parents=True)
        path.write_bytes(text.encode())
        yield copy, path


def write(root: Path, service: str, text: str) -> None:
    """All of it or nothing."""
    path = root / "services" / service / "platform.toml"
    new = path.with_suffix(".toml.new")
    new.write_bytes(text.encode())
    new.chmod(path.stat().st_mode)
    new.replace(path)
