"""`platform explain KEY`: what one key of platform.toml does, from the table of keys."""

import textwrap
from collections.abc import Iterator

from platform_sdk.deploy.document import Required
from platform_sdk.deploy.faults import did_you_mean
from platform_sdk.deploy.manifest.keys import ANY_NAME, BY_PATH, ENVIRONMENTS
from platform_sdk.deploy.manifest.keys.kinds import Group, Key
from platform_sdk.deploy.reference import capitalised, default_of, said_of
from platform_sdk.errors import PlatformError


class UnknownKey(PlatformError):
    """platform.toml has no such key."""


def explain(asked: str) -> str:
    """Text for people.

    Args:
        asked: a dotted path as one would write it, such as `scaling.max_tasks` or `queues.orders.consumes`, or only
            its last part, where that is enough.

    Raises:
        UnknownKey: with the closest key there is, or with all that it may mean.
    """
    path = find(asked)
    found = BY_PATH[path]
    return "\n".join(lines_of_key(path, found) if isinstance(found, Key) else lines_of_table(path, found)) + "\n"


def find(asked: str) -> str:
    steps = without_environment(asked.strip("[] ").replace('"', "").split("."))
    for path in BY_PATH:
        if matches(steps, path.split(".")):
            return path
    ends = [path for path in BY_PATH if path.rpartition(".")[2] == asked]
    if len(ends) == 1:
        return ends[0]
    if ends:
        raise UnknownKey(f"`{asked}` is more than one key", hint=f"say which: {', '.join(ends)}")
    close = did_you_mean(".".join(steps), BY_PATH) or did_you_mean(asked, {path.rpartition(".")[2] for path in BY_PATH})
    raise UnknownKey(
        f"platform.toml has no key `{asked}`", hint=close or "`platform reference` prints every key that there is"
    )


def without_environment(steps: list[str]) -> list[str]:
    """Any key may stand below an environment, and means the same there."""
    return steps[2:] if steps[0] == ENVIRONMENTS.name and len(steps) > 2 else steps


def matches(steps: list[str], path: list[str]) -> bool:
    """Whether the steps lead to the path; a name of the team's may itself hold dots, as those of events do."""
    if path and path[-1] == ANY_NAME:
        return len(steps) >= len(path) and steps[: len(path) - 1] == path[:-1]
    return len(steps) == len(path) and all(own in (ANY_NAME, step) for step, own in zip(steps, path, strict=True))


def lines_of_key(path: str, key: Key) -> Iterator[str]:
    yield f"{path} = {key.example}"
    yield ""
    yield from textwrap.wrap(key.meaning, 100)
    yield ""
    yield f"range:    {said_of(key.kind)}"
    if isinstance(key.default, Required):
        yield "default:  none: it must be given"
    elif key.name != ANY_NAME:
        yield f"default:  {default_of(key).removeprefix('Default: ').removesuffix('.')}"
    yield f"becomes:  {key.becomes or 'nothing on AWS'}"


def lines_of_table(path: str, group: Group) -> Iterator[str]:
    yield f"[[{path}]]" if group.form == "list" else f"[{path}]"
    yield ""
    yield from textwrap.wrap(f"{capitalised(group.meaning)}.", 100)
    if group.keys:
        yield ""
    below = f"{path}.{ANY_NAME}" if group.form == "named" else path
    for member in group.keys:
        what = member.meaning.partition(". ")[0].rstrip(".")
        yield f"  {below}.{member.name}" + ("" if isinstance(member, Key) else " (table)") + f": {what}"
