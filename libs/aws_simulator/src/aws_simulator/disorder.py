"""What AWS promises of no answer: an order of lists, and that a read sees the write before it.

`Conditions` says how much of it a caller gets. Both are decided by its seed, so that a run can be repeated.
"""

import hashlib
import pickle
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from aws_simulator.world import Conditions

UNORDERED: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("ecs", "DescribeServices"): ("services", "services.taskSets", "services.deployments"),
    ("ecs", "DescribeTasks"): ("tasks", "tasks.containers"),
    ("ecs", "DescribeTaskSets"): ("taskSets",),
    ("ecs", "DescribeServiceDeployments"): ("serviceDeployments",),
    ("ecs", "DescribeServiceRevisions"): ("serviceRevisions",),
    ("ecs", "ListTasks"): ("taskArns",),
    ("ecs", "ListServices"): ("serviceArns",),
    ("ecs", "ListServiceDeployments"): ("serviceDeployments",),
    ("codedeploy", "ListDeployments"): ("deployments",),
    ("codedeploy", "BatchGetDeployments"): ("deploymentsInfo",),
    ("codedeploy", "GetDeploymentTarget"): ("deploymentTarget.ecsTarget.taskSetsInfo",),
    ("elbv2", "DescribeTargetGroups"): ("TargetGroups",),
    ("elbv2", "DescribeTargetHealth"): ("TargetHealthDescriptions",),
    ("elbv2", "DescribeRules"): ("Rules",),
    ("elbv2", "DescribeListeners"): ("Listeners",),
    ("cloudwatch", "DescribeAlarms"): ("MetricAlarms",),
    ("application-autoscaling", "DescribeScalableTargets"): ("ScalableTargets",),
    ("application-autoscaling", "DescribeScalingPolicies"): ("ScalingPolicies",),
    ("cloudformation", "ListStackResources"): ("StackResourceSummaries",),
    ("cloudformation", "DescribeStacks"): ("Stacks",),
}
"""Lists whose order AWS's API reference does not name, by operation. Members of members are separated by dots."""

EVENTUAL: Final[Mapping[str, frozenset[str]]] = {
    "ecs": frozenset(
        {"DescribeServices", "DescribeTasks", "ListTasks", "ListServices", "ListServiceDeployments", "DescribeTaskSets"}
    ),
    "codedeploy": frozenset({"ListDeployments"}),
    "application-autoscaling": frozenset({"DescribeScalableTargets"}),
    "dynamodb": frozenset({"GetItem", "Query", "Scan"}),
}
"""Reads that may be older than the write before them, by service: RunTask and RegisterScalableTarget in the API
references, and DynamoDB's reads without ConsistentRead. CodeDeploy's lists lag behind its deployments
(github.com/kayac/ecspresso/pull/663)."""

AT_ONCE: Final = frozenset({"RegisterTaskDefinition", "DeregisterTaskDefinition", "TagResource", "UntagResource"})
"""Writes that no read of these is about."""

Perform = Callable[[str, str, Mapping[str, Any]], dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """A service's state before its newest write: the pickled account."""

    written_at: datetime
    account: bytes


class Disorder:
    """Performs calls of clients as the conditions say."""

    def __init__(self) -> None:
        self._before: dict[str, Before] = {}
        self._reads = 0

    def note_write(self, service: str, operation: str, conditions: Conditions, now: datetime, account: object) -> None:
        """Keep the state before a write, for reads that do not see it yet."""
        if conditions.consistency_delay_seconds and service in EVENTUAL and operation not in AT_ONCE:
            self._before[service] = Before(written_at=now, account=pickle.dumps(account))

    def account_for(
        self, service: str, operation: str, request: Mapping[str, Any], conditions: Conditions, now: datetime
    ) -> Any:
        """Return the account before the newest write, where a read is to be old; otherwise None."""
        before = self._before.get(service)
        if before is None or operation not in EVENTUAL[service] or request.get("ConsistentRead"):
            return None
        if now - before.written_at >= timedelta(seconds=conditions.consistency_delay_seconds):
            del self._before[service]
            return None
        self._reads += 1
        is_old = chance(f"{conditions.seed} {self._reads}") < conditions.old_reads
        return pickle.loads(before.account) if is_old else None


def chance(text: str) -> float:
    """Return a number from 0 to 1 that looks like one of chance, and is always the same for a text."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 0xFFFFFFFF


def shuffle(service: str, operation: str, answer: dict[str, Any], seed: int) -> None:
    """Bring the lists of an answer whose order AWS does not promise into another one."""
    for path in UNORDERED.get((service, operation), ()):
        *parents, name = path.split(".")
        for holder in holders(answer, parents):
            holder.get(name, []).sort(key=lambda one: place(one, seed))


def holders(value: dict[str, Any], path: list[str]) -> Iterator[dict[str, Any]]:
    """Yield the structures that a path leads to, through each element of lists on the way."""
    if not path:
        yield value
        return
    found = value.get(path[0], [])
    for one in found if isinstance(found, list) else [found]:
        yield from holders(one, path[1:])


def place(one: object, seed: int) -> str:
    """Return a place that depends on the identity of an element and the seed only: a poll sees no new order."""
    identity = next(iter(one.values())) if isinstance(one, dict) else one
    return hashlib.sha256(f"{seed} {identity}".encode()).hexdigest()
