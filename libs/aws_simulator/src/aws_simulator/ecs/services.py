"""Services: what should run, kept so second by second; and what UpdateService may change under which controller."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any, Final

from aws_simulator.ecs import task_life
from aws_simulator.ecs.state import EcsService, Task, TaskDefinition, TaskSet, service_description, task_set_description
from aws_simulator.ecs.task_definitions import PAGES, found_and_missing, name_in
from aws_simulator.ecs.tasks import Tasks
from aws_simulator.elbv2.service import ElbV2
from aws_simulator.elbv2.state import Health
from aws_simulator.service import Answer, Refused, Request, find_or_refuse

MAX_EVENTS: Final = 100
MAX_DESCRIBED: Final = 10
PLATFORM_VERSION: Final = "1.4.0"
INACTIVE_FOR: Final = timedelta(hours=1)
"""How long a deleted service can still be described. ECS names no time."""

REPEATED_AFTER: Final = timedelta(hours=6)
"""After which ECS repeats an event whose cause stays."""
SEE_GUIDE: Final = "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."

CODE_DEPLOY_OWNS: Final = {
    "taskDefinition": "Unable to update task definition",
    "networkConfiguration": "Unable to update network parameters",
    "loadBalancers": "Unable to update load balancers",
    "platformVersion": "Unable to update platform version",
    "capacityProviderStrategy": "Unable to update capacity provider strategy",
    "forceNewDeployment": "Unable to force a new deployment",
}
"""Members of UpdateService to how ECS begins to refuse them:
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html"""

TO_CODE_DEPLOY: Final = (
    " on services with a CODE_DEPLOY deployment controller. Use AWS CodeDeploy to trigger a new deployment."
)

MAKES_A_DEPLOYMENT: Final = ("networkConfiguration", "loadBalancers", "platformVersion")
"""Members of UpdateService that, like another task definition, begin a deployment where they differ from what runs."""


def definitions_of(sets: Iterable[TaskSet]) -> Iterator[TaskDefinition]:
    return (one.definition for one in sets)


class Services(Tasks):
    """What ECS does with services whose task sets another party decides."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.ecs_services: dict[str, EcsService] = {}

    # What CodeDeploy, scaling and the rolling deployments ask and do.

    def uses(self, definition: TaskDefinition) -> bool:
        services = (service for service in self.ecs_services.values() if service.status != "INACTIVE")
        of_services = [used for service in services for used in (service.definition, *definitions_of(service.sets))]
        of_tasks = (task.definition for task in self.unstopped.values())
        return any(one is definition for one in (*of_services, *of_tasks))

    def ecs_service(self, cluster: str | None, name: str) -> EcsService:
        """Return an ECS service. Raises Refused: ClusterNotFoundException or ServiceNotFoundException."""
        key = f"{self.cluster(cluster).name}/{name_in(name)}"
        return find_or_refuse(self.ecs_services, key, "ServiceNotFoundException", "Service not found.")

    def live_tasks(self, set_id: str) -> list[Task]:
        """Return the tasks of a task set that should run."""
        return [task for task in self.unstopped.values() if task.set_id == set_id and task.wanted]

    def create_set(self, service: EcsService, definition: TaskDefinition, **given: Any) -> TaskSet:
        """Add an empty task set or deployment. `given` holds what differs from the service."""
        now = self.account.now()
        values: dict[str, Any] = {
            "id": f"ecs-svc/{int(self.account.hexadecimal_id('task set', 16), 16):019d}"[:27],
            "status": "ACTIVE",
            "load_balancers": list(service.request.get("loadBalancers", [])),
            "network": service.request.get("networkConfiguration", {}),
            "platform_version": service.request.get("platformVersion", PLATFORM_VERSION),
            "desired_count": service.desired_count,
        }
        made = TaskSet(definition=definition, created_at=now, updated_at=now, **{**values, **given})
        service.sets.append(made)
        return made

    def delete_set(self, service: EcsService, one: TaskSet) -> None:
        """Stop the tasks of a set. It is removed when the last one has stopped."""
        one.status, one.desired_count, one.steady_at, one.updated_at = "DRAINING", 0, None, self.account.now()

    def add_event(self, service: EcsService, message: str) -> None:
        event = {
            "id": self.account.hexadecimal_id("event"),
            "createdAt": self.account.now(),
            "message": f"(service {service.name}{message}",
        }
        service.events = [event, *service.events][:MAX_EVENTS]

    def scale(self, service: EcsService, desired: int) -> None:
        """Set the desired count. Under CODE_DEPLOY both task sets of a deployment get it."""
        service.desired_count = desired
        for one in service.sets:
            if one.status != "DRAINING" and service.controller != "ECS":
                one.desired_count, one.steady_at = desired, None

    # Time

    @property
    def quiet(self) -> bool:
        return all(map(task_life.is_at_rest, self.unstopped.values())) and all(
            self._is_at_rest(service) for service in self.ecs_services.values()
        )

    def _is_at_rest(self, service: EcsService) -> bool:
        return service.status != "DRAINING" and all(one.steady_at is not None for one in service.sets)

    def step(self) -> None:
        for task in list(self.unstopped.values()):
            self._live(task)
        for service in self.ecs_services.values():
            for one in list(service.sets):
                self._keep(service, one)
            if service.status == "DRAINING":
                self._end_draining(service)

    def _end_draining(self, service: EcsService) -> None:
        """Make a deleted service inactive when each of its tasks is stopping or has stopped."""
        tasks = [task for one in service.sets for task in self.tasks_of(one)]
        if all(task.last_status in ("STOPPING", "DEPROVISIONING") for task in tasks):
            service.status, service.inactive_since = "INACTIVE", self.account.now()

    def _live(self, task: Task) -> None:
        match task_life.advance(task, self.account.now()):
            case "started":
                self._register(task)
                self.write_logs(task, stopping=False)
            case "stopping":
                self._deregister(task, vanished=task.exited)
                self.write_logs(task, stopping=True)
            case "stopped":
                del self.unstopped[task.id]
            case None:
                pass
        if task.last_status in ("STOPPING", "DEPROVISIONING"):
            self._deregister(task, vanished=task.last_status == "DEPROVISIONING")

    def _register(self, task: Task) -> None:
        behaviour = task.subject.behaviour
        ready_at = self.account.now() + timedelta(seconds=behaviour.healthy_after_seconds)
        for group, port in task.targets:
            listening = task_life.listening_at(task, port)
            self.account.service(ElbV2).register(group, task.address, port, listening, behaviour, ready_at)

    def _deregister(self, task: Task, *, vanished: bool) -> None:
        for group, port in task.targets:
            self.account.service(ElbV2).deregister(group, task.address, port)
            if vanished:
                self.account.service(ElbV2).vanish(group, task.address, port)

    def _keep(self, service: EcsService, one: TaskSet) -> None:
        """Bring a task set closer to its desired state."""
        for task in self.tasks_of(one):
            self._judge(service, one, task)
        live = self.live_tasks(one.id)
        for task in live[one.desired_count :]:
            self._stop(service, one, task, f"Scaling activity initiated by ({self._kind(service)} {one.id})")
        for _ in range(task_life.to_start(one, len(live), self.account.now())):
            if self.account.conditions.placement_failure:
                self._note_unplaced(service, one)
                break
            self._start(service, one)
        self._note_steadiness(service, one)
        if one.status == "DRAINING" and not self.tasks_of(one):
            service.sets.remove(one)

    def tasks_of(self, one: TaskSet) -> list[Task]:
        return [task for task in self.unstopped.values() if task.set_id == one.id]

    def _kind(self, service: EcsService) -> str:
        return "deployment" if service.controller == "ECS" else "taskSet"

    def _judge(self, service: EcsService, one: TaskSet, task: Task) -> None:
        """Count a task that failed, and stop one that is not healthy."""
        now = self.account.now()
        if task.wanted:
            reason = task_life.reason_to_replace(task, self._healths(task), service.grace_seconds, now)
            if reason is None:
                return
            self.add_event(service, f", {self._kind(service)} {one.id}) (task {task.id}) is unhealthy: {reason}.")
            self._stop(service, one, task, reason)
        elif task.counted or task.stop_code not in ("TaskFailedToStart", "EssentialContainerExited"):
            return
        task.counted = True
        one.failed_tasks += 1
        one.last_failure_at, one.steady_at = now, None

    def _healths(self, task: Task) -> list[tuple[str, Health]]:
        load_balancing = self.account.service(ElbV2)
        return [(group, load_balancing.health(group, task.address, port)) for group, port in task.targets]

    def _start(self, service: EcsService, one: TaskSet) -> None:
        tags = one.definition.tags if service.request.get("propagateTags") == "TASK_DEFINITION" else service.tags
        task = self.start(
            one.definition,
            service.cluster,
            group=f"service:{service.name}",
            started_by=one.id,
            request={"networkConfiguration": one.network},
            tags=list(tags) if service.request.get("propagateTags", "NONE") != "NONE" else [],
            service=service.name,
            set_id=one.id,
        )
        task.targets = [
            (balancer["targetGroupArn"], balancer["containerPort"])
            for balancer in one.load_balancers
            if "targetGroupArn" in balancer
        ]
        one.steady_at = service.unplaced_since = None
        self.add_event(service, f", {self._kind(service)} {one.id}) has started 1 tasks: (task {task.id}).")

    def _note_unplaced(self, service: EcsService, one: TaskSet) -> None:
        """Say that no task can be placed: once, and again after six hours if the cause stays.

        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages.html
        """
        now = self.account.now()
        if service.unplaced_since is not None and now - service.unplaced_since < REPEATED_AFTER:
            return
        service.unplaced_since = now
        where = f", taskSet {one.id})" if service.controller == "CODE_DEPLOY" else ")"
        reason = self.account.conditions.placement_failure
        self.add_event(service, f"{where} was unable to place a task. Reason: {reason} {SEE_GUIDE}")

    def _stop(self, service: EcsService, one: TaskSet, task: Task, reason: str) -> None:
        task_life.stop(task, self.account.now(), "ServiceSchedulerInitiated", reason)
        self._deregister(task, vanished=False)
        self.add_event(service, f", {self._kind(service)} {one.id}) has stopped 1 running tasks: (task {task.id}).")

    def _note_steadiness(self, service: EcsService, one: TaskSet) -> None:
        tasks = self.tasks_of(one)
        healths = [health for task in tasks for _, health in self._healths(task)]
        if not task_life.is_steady(one, tasks, healths, self.account.now()):
            one.steady_at = None
        elif one.steady_at is None:
            one.steady_at = one.updated_at = self.account.now()
            where = f", taskSet {one.id})" if service.controller == "CODE_DEPLOY" else ")"
            self.add_event(service, f"{where} has reached a steady state.")

    # Operations

    def create_service(self, request: Request) -> Answer:
        cluster = self.cluster(request.get("cluster"))
        name = request["serviceName"]
        key = f"{cluster.name}/{name}"
        if key in self.ecs_services:
            refuse_name_in_use(self.ecs_services[key])
        controller = request.get("deploymentController", {}).get("type", "ECS")
        self._refuse_balancers(request, controller)
        definition = self.runnable(request)
        service = EcsService(
            arn=self.account.arn("ecs", f"service/{cluster.name}/{name}"),
            name=name,
            cluster=cluster,
            request={key: value for key, value in request.items() if key not in ("tags", "desiredCount")},
            desired_count=request.get("desiredCount", 1),
            controller=controller,
            definition=definition,
            created_at=self.account.now(),
            tags=list(request.get("tags", [])),
        )
        self.ecs_services[key] = service
        first = self.create_set(service, definition, status="PRIMARY")
        self.begun(service, first)
        return {"service": self.description_of(service)}

    def begun(self, service: EcsService, one: TaskSet) -> None:
        """Note that a deployment has begun: rolling deployments are recorded."""

    def _refuse_balancers(self, request: Request, controller: str) -> None:
        balancers = request.get("loadBalancers", [])
        if controller == "CODE_DEPLOY" and not balancers:
            message = "A load balancer is required for services with a CODE_DEPLOY deployment controller."
            raise Refused("InvalidParameterException", message)
        for balancer in balancers:
            arn = balancer["targetGroupArn"]
            if not self.account.service(ElbV2).load_balancers_of(arn):
                message = f"The target group with targetGroupArn {arn} does not have an associated load balancer."
                raise Refused("InvalidParameterException", message)

    def update_service(self, request: Request) -> Answer:
        service = self.ecs_service(request.get("cluster"), request["service"])
        if service.status != "ACTIVE":
            raise Refused("ServiceNotActiveException", "Service was not ACTIVE.")
        if service.controller == "CODE_DEPLOY":
            refused = next((name for name in CODE_DEPLOY_OWNS if request.get(name)), None)
            if refused is not None:
                raise Refused("InvalidParameterException", CODE_DEPLOY_OWNS[refused] + TO_CODE_DEPLOY)
        definition = self.runnable({**service.request, **request}) if "taskDefinition" in request else None
        kept = ("cluster", "service", "desiredCount", "taskDefinition", "forceNewDeployment")
        others = (name for name in MAKES_A_DEPLOYMENT if name in request)
        is_other = any(request[name] != service.request.get(name) for name in others)
        is_other = is_other or (definition is not None and definition.arn != service.definition.arn)
        rolls = bool(request.get("forceNewDeployment") or is_other)
        if rolls and not self.starts(definition or service.definition):
            raise Refused("ClientException", "TaskDefinition is inactive")
        service.request |= {key: value for key, value in request.items() if key not in kept}
        if "desiredCount" in request:
            self.scale(service, request["desiredCount"])
        if rolls:
            self.roll_to(service, definition or service.definition)
        return {"service": self.description_of(service)}

    def roll_to(self, service: EcsService, definition: TaskDefinition) -> None:
        """Begin a rolling deployment."""

    def delete_service(self, request: Request) -> Answer:
        """Delete a service. It drains, and is then inactive: described, but not listed, and its name is free again.

        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteService.html
        """
        service = self.ecs_service(request.get("cluster"), request["service"])
        if service.status == "INACTIVE":
            raise Refused("ServiceNotFoundException", "Service not found.")
        if service.desired_count and not request.get("force"):
            message = "The service cannot be stopped while it is scaled above 0."
            raise Refused("InvalidParameterException", message)
        service.status, service.desired_count = "DRAINING", 0
        for one in service.sets:
            self.delete_set(service, one)
            for task in self.live_tasks(one.id):
                task_life.stop(task, self.account.now(), "ServiceSchedulerInitiated", "Service deleted")
        return {"service": self.description_of(service)}

    def forget_deleted(self) -> None:
        """Forget deleted services after a while."""
        now = self.account.now()
        self.ecs_services = {
            key: service
            for key, service in self.ecs_services.items()
            if service.inactive_since is None or now - service.inactive_since < INACTIVE_FOR
        }

    def describe_services(self, request: Request) -> Answer:
        cluster = self.cluster(request.get("cluster"))
        self.forget_deleted()
        if len(request["services"]) > MAX_DESCRIBED:
            raise Refused("InvalidParameterException", f"Services cannot have more than {MAX_DESCRIBED} elements.")
        keys = [f"{cluster.name}/{name_in(name)}" for name in request["services"]]
        by_arn = {self.account.arn("ecs", f"service/{key}"): self.ecs_services.get(key) for key in keys}
        with_tags = "TAGS" in request.get("include", [])
        return found_and_missing(
            "services", by_arn, lambda one: self.description_of(one) | ({"tags": one.tags} if with_tags else {})
        )

    def list_services(self, request: Request) -> Answer:
        cluster = self.cluster(request.get("cluster"))
        active = (service for service in self.ecs_services.values() if service.status == "ACTIVE")
        arns = [service.arn for service in active if service.cluster is cluster]
        return PAGES.answer("serviceArns", arns, request, MAX_DESCRIBED)

    def description_of(self, service: EcsService) -> dict[str, Any]:
        return service_description(service, {one.id: self.tasks_of(one) for one in service.sets})

    def describe_task_sets(self, request: Request) -> Answer:
        service = self.ecs_service(request["cluster"], request["service"])
        wanted = [name_in(one) for one in request.get("taskSets", [])]
        return {
            "taskSets": [
                task_set_description(service, one, self.tasks_of(one))
                for one in service.sets
                if not wanted or name_in(one.id) in wanted
            ],
            "failures": [],
        }


def refuse_name_in_use(service: EcsService) -> None:
    """Raise Refused if a service still has the name that another one is to get."""
    if service.status == "DRAINING":
        raise Refused("InvalidParameterException", "Unable to Start a service that is still Draining.")
    if service.status == "ACTIVE":
        raise Refused("InvalidParameterException", "Creation of service was not idempotent.")
