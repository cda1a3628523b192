"""Who serves the users, by ECS's primary task set and the load balancer's rule.

A deployment's status only says what CodeDeploy did.
"""

from dataclasses import dataclass

from platform_sdk.deploy.state import EcsService, ListenerRule, ServiceState, TargetGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """Who serves: the primary task set's revision (ARN, empty without one) and its percentage of the traffic.
    `task_set` is its id, and `idle` counts the tasks of other sets that are not being removed.
    """

    revision: str
    percent: int
    task_sets: int
    task_set: str = ""
    idle: int = 0

    def is_all(self, revision: str) -> bool:
        return self.revision == revision and self.percent == 100

    def __str__(self) -> str:
        name = self.revision.rsplit("/", 1)[-1] or "no revision"
        others = f", with {self.task_sets - 1} more" if self.task_sets > 1 else ""
        return f"{name} is the primary task set with {self.percent} % of the traffic{others}"


def serving_in(state: ServiceState) -> Serving:
    """Return who served when the state was observed."""
    rules = (state.production_rule,) if state.production_rule else ()
    return serving_of(state.api, rules, state.target_groups)


def serving_of(
    service: EcsService | None, rules: tuple[ListenerRule, ...], target_groups: tuple[TargetGroup, ...]
) -> Serving:
    """Return the primary task set's revision, with the percentage that the production rule sends to it."""
    primary = service.primary if service else None
    if service is None or primary is None:
        return Serving(revision="", percent=0, task_sets=0)
    pair = {group.arn for group in target_groups}
    weights = next((rule.weights for rule in rules if pair & set(rule.weights)), {})
    whole = sum(weights.values())
    percent = round(100 * weights.get(primary.target_group, 0) / whole) if whole else 0
    others = [each for each in service.task_sets if each.status == "ACTIVE"]
    return Serving(
        revision=primary.task_definition,
        percent=percent,
        task_sets=1 + len(others),
        task_set=primary.id,
        idle=sum(each.desired for each in others),
    )


def idle_tasks(serving: Serving) -> str:
    """Return what to add to an outcome where a failed rollback has left tasks behind. CodeDeploy removes them when
    the next deployment begins.
    """
    if serving.percent != 100 or not serving.idle:
        return ""
    tasks = "task that serves nobody stays" if serving.idle == 1 else "tasks that serve nobody stay"
    return f"; {serving.idle} more {tasks} until the next release or restart"
