"""Who serves the users, asked of those who know: ECS of its primary task set, the load balancer of its rule.

A deployment's status says what CodeDeploy did. This says what came of it.
"""

from dataclasses import dataclass

from platform_sdk.deploy.release.releasing import Releasing
from platform_sdk.deploy.state import DeploymentGroup, EcsService, ListenerRule, ServiceState, TargetGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """`revision` is the primary task set's (ARN), empty where there is none; `percent` of the users that it gets."""

    revision: str
    percent: int
    task_sets: int

    def is_all(self, revision: str) -> bool:
        return self.revision == revision and self.percent == 100

    def __str__(self) -> str:
        name = self.revision.rsplit("/", 1)[-1] or "no revision"
        beside = f", beside {self.task_sets - 1} more" if self.task_sets > 1 else ""
        return f"{name} is the primary task set with {self.percent} % of the traffic{beside}"


def who_serves(releasing: Releasing, group: DeploymentGroup, target_groups: tuple[TargetGroup, ...]) -> Serving:
    service = releasing.patiently(lambda: releasing.aws.ecs.service(releasing.cluster, releasing.api))
    rules = releasing.patiently(lambda: releasing.aws.load_balancing.rules(group.production_listener))
    return serving_of(service, rules, target_groups)


def serving_in(state: ServiceState) -> Serving:
    """When it was observed."""
    rules = (state.production_rule,) if state.production_rule else ()
    return serving_of(state.api, rules, state.target_groups)


def serving_of(
    service: EcsService | None, rules: tuple[ListenerRule, ...], target_groups: tuple[TargetGroup, ...]
) -> Serving:
    primary = service.primary if service else None
    if service is None or primary is None:
        return Serving(revision="", percent=0, task_sets=0)
    pair = {group.arn for group in target_groups}
    weights = next((rule.weights for rule in rules if pair & set(rule.weights)), {})
    whole = sum(weights.values())
    percent = round(100 * weights.get(primary.target_group, 0) / whole) if whole else 0
    return Serving(revision=primary.task_definition, percent=percent, task_sets=len(service.task_sets))
