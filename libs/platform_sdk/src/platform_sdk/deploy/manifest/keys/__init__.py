"""The table of all keys of platform.toml: the one place that says which there are and what each may hold."""

from typing import Final

from platform_sdk.deploy.environment import ENVIRONMENT_NAME
from platform_sdk.deploy.manifest.keys import releases, resources, tasks
from platform_sdk.deploy.manifest.keys.key import ANY_NAME, Group, Key, walk

ENVIRONMENTS: Final = Group(
    name="environments",
    meaning="what is different in one environment; any key of this file, below the environment's name. A list replaces "
    "the whole list",
    form="named",
    names=ENVIRONMENT_NAME,
    example="production",
)

ROOT: Final = Group(
    name="",
    meaning="Every key of platform.toml.",
    keys=(
        tasks.SERVICE,
        tasks.TASK,
        tasks.SCALING,
        tasks.COMMANDS,
        tasks.WORKER,
        tasks.TASKS,
        releases.TRAFFIC_SHIFT,
        releases.ALARMS,
        releases.HOOKS,
        releases.HEALTH_CHECK,
        resources.ENVIRONMENT,
        resources.SECRETS,
        resources.DATABASE,
        resources.CACHE,
        resources.QUEUES,
        resources.PUBLISHES,
        resources.PERMISSIONS,
        resources.LOGS,
        tasks.SIDECARS,
        ENVIRONMENTS,
    ),
)

BY_PATH: Final = dict(walk(ROOT))
"""Dotted path, with `*` where the team chooses a name and without the numbers of lists, to the key or table."""

__all__ = ["ANY_NAME", "BY_PATH", "ENVIRONMENTS", "ROOT", "Group", "Key"]
