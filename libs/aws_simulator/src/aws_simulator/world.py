"""The behaviour of container images, of hooks and of AWS itself, as a test sets it."""

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "good",
    "crashes",
    "never_healthy",
    "answers_500",
    "slow",
    "out_of_memory",
    "missing",
    "no_secret",
]

Verdict = Literal["Succeeded", "Failed", "silent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How a task of an image behaves.

    Args:
        kind: `missing` is an image that is in no registry; with `no_secret` the task's secret cannot be read.
        exit_code: of `crashes`; of a good task when it is stopped it is 0.
        dies_after_seconds: after the start, of `crashes` and `out_of_memory`.
        log_lines: what the app writes when it starts.
        start_seconds: from the request for a task until it runs: network interface and pull of the image.
        healthy_after_seconds: after the start, until health checks pass.
        health_check: which one fails of `never_healthy`; a task without a load balancer has the container's only.
        health_status: with which it answers the load balancer's check; 0 is no answer at all.
        health_paths: below its SERVICE_PATH, that answer 200; any other path answers a check with 404.
        also_answers: paths that its routes answer besides SERVICE_PATH, such as the one of the version before.
        migration_exit_code, migration_log_lines, migration_seconds: when it is run by RunTask, not by a service.
    """

    kind: Kind = "good"
    exit_code: int = 1
    dies_after_seconds: float = 3
    log_lines: tuple[str, ...] = ()
    start_seconds: float = 20
    healthy_after_seconds: float = 5
    health_check: Literal["load_balancer", "container"] = "load_balancer"
    health_status: int = 503
    health_paths: tuple[str, ...] = ("/livez", "/readyz")
    also_answers: tuple[str, ...] = ()
    migration_exit_code: int = 0
    migration_log_lines: tuple[str, ...] = ()
    migration_seconds: float = 10

    @property
    def dies(self) -> bool:
        return self.kind in ("crashes", "out_of_memory")

    @property
    def never_starts(self) -> bool:
        return self.kind in ("missing", "no_secret")


NO_CAPACITY = "Capacity is unavailable at this time. Please try again later or in a different availability zone."
NO_VCPUS = "You've reached the limit on the number of vCPUs you can run concurrently."
"""Why ECS places no task on Fargate: docs.aws.amazon.com/AmazonECS, "Amazon ECS service event messages"."""

GOOD = Behaviour()
MISSING = Behaviour(kind="missing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A Lambda function that CodeDeploy calls. `silent` is one that never reports."""

    verdict: Verdict = "Succeeded"
    after_seconds: float = 5


@dataclass(slots=True, kw_only=True)
class Conditions:
    """How AWS behaves where it promises nothing. The defaults are the best that a caller can hope for.

    Args:
        stop_seconds: how long a StopDeployment of CodeDeploy is pending; callers have seen 90 s. Meanwhile the
            deployment does not go on.
        rollback_request_seconds: how long ECS takes to begin the rollback that StopServiceDeployment requests.
        metric_delay_seconds: how long after the end of its period a datapoint of CloudWatch arrives: one to three
            minutes for the metrics of a load balancer.
        shuffles: whether lists are in an order of chance where AWS promises none.
        consistency_delay_seconds: how long a read may miss the write before it, where AWS does not promise to see it.
        old_reads: the share of those reads that miss it.
        seed: of what is decided by chance.
        placement_failure: why ECS can place no task now, such as `NO_CAPACITY`; empty while it can.
        subnets_are_full: whether no subnet has a free address: a task is placed then, and stops before it runs.
        deregistered_starts_seconds: for how long after its deregistration new tasks may start from a revision: up to
            ten minutes.
        loads: what the tasks of an ECS service carry together, by its resource ID (`service/<cluster>/<service>`) and
            the name of a scaling policy, in the unit of the policy's metric: 300 for `cpu` keeps three tasks busy. A
            policy without a load has no data, and scales nothing.
    """

    stop_seconds: float = 0
    rollback_request_seconds: float = 0
    metric_delay_seconds: float = 0
    shuffles: bool = False
    consistency_delay_seconds: float = 0
    old_reads: float = 0.7
    seed: int = 0
    placement_failure: str = ""
    subnets_are_full: bool = False
    deregistered_starts_seconds: float = 0
    loads: dict[str, dict[str, float]] = field(default_factory=dict)
