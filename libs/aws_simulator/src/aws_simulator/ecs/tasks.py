"""Tasks: RunTask, the tasks that services start, and DescribeTasks."""

from collections.abc import Sequence
from typing import Any, Final

from aws_simulator.account import Account
from aws_simulator.ecs import task_life
from aws_simulator.ecs.state import Cluster, Container, Task, TaskDefinition
from aws_simulator.ecs.task_definitions import PAGE_SIZE, PAGES, TaskDefinitions, found_and_missing, name_in
from aws_simulator.logs import Logs
from aws_simulator.service import Answer, Refused, Request, find_or_refuse, without_none

MAX_DESCRIBED: Final = 100
MAX_OVERRIDES_CHARACTERS: Final = 8192


class Tasks(TaskDefinitions):
    """Tasks. `unstopped` are those that still change; stopped ones can be described for an hour."""

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self.tasks: dict[str, Task] = {}
        self.unstopped: dict[str, Task] = {}
        self._asked: dict[str, list[str]] = {}

    # What services do with tasks.

    def start(
        self,
        definition: TaskDefinition,
        cluster: Cluster,
        *,
        group: str,
        started_by: str,
        request: dict[str, Any],
        tags: list[dict[str, str]],
        service: str | None = None,
        set_id: str | None = None,
    ) -> Task:
        """Start a task, by RunTask or for a service's task set `set_id`."""
        number = self.account.count("task address")
        containers = [
            Container(
                name=container["name"], definition=container, behaviour=self.account.behaviour_of(container["image"])
            )
            for container in definition.containers
        ]
        task = Task(
            arn=self.account.arn("ecs", f"task/{cluster.name}/{self.account.hexadecimal_id('task')}"),
            cluster_arn=cluster.arn,
            definition=definition,
            containers=containers,
            address=f"10.0.{number // 250 % 250}.{number % 250 + 1}",
            group=group,
            started_by=started_by,
            created_at=self.account.now(),
            request=request,
            tags=tags,
            service=service,
            set_id=set_id,
            ends_by_itself=service is None,
            has_address=not self.account.conditions.subnets_are_full,
        )
        self.tasks[task.id] = self.unstopped[task.id] = task
        return task

    def write_logs(self, task: Task, *, stopping: bool) -> None:
        """Write the app's lines when it starts; a one-off task's when it ends."""
        for container in task.containers:
            target = task_life.stream_of(task, container)
            behaviour = container.behaviour
            own = behaviour.migration_log_lines if task.ends_by_itself else behaviour.log_lines
            if target is not None and stopping == task.ends_by_itself:
                for line in own:
                    self.account.service(Logs).write(*target, line)

    def forget_old(self) -> None:
        """Forget stopped tasks after an hour, as ECS does."""
        now = self.account.now()
        self.tasks = {
            key: task
            for key, task in self.tasks.items()
            if task.stopped_at is None or now - task.stopped_at < task_life.KEPT
        }

    # Operations

    def run_task(self, request: Request) -> Answer:
        cluster = self.cluster(request.get("cluster"))
        token = request.get("clientToken")
        if token in self._asked:
            known = [self.tasks[key] for key in self._asked[str(token)] if key in self.tasks]
            return {"tasks": [description_of(task) for task in known], "failures": []}
        definition = self.runnable(request, inactive="InvalidParameterException")
        refuse_overrides(request.get("overrides", {}), definition)
        if self.account.conditions.placement_failure:
            # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html
            return {"tasks": [], "failures": [{"reason": self.account.conditions.placement_failure.rstrip(".")}]}
        started = [
            self.start(
                definition,
                cluster,
                group=request.get("group", f"family:{definition.family}"),
                started_by=request.get("startedBy", ""),
                request=dict(request),
                tags=self._tags_of(request, definition),
            )
            for _ in range(request.get("count", 1))
        ]
        if token is not None:
            self._asked[token] = [task.id for task in started]
        return {"tasks": [description_of(task) for task in started], "failures": []}

    def runnable(self, request: Request, *, inactive: str = "ClientException") -> TaskDefinition:
        """Return the definition that a request names.

        Args:
            inactive: the code with which an inactive one is refused: that of services differs from RunTask's.

        Raises:
            Refused: it does not exist, is not active, or needs a network that the request does not name.
        """
        try:
            definition = self.definition(request["taskDefinition"])
        except Refused:
            raise Refused("ClientException", "TaskDefinition not found.") from None
        if not self.starts(definition):
            raise Refused(inactive, "TaskDefinition is inactive")
        needs_network = definition.document.get("networkMode") == "awsvpc"
        if needs_network and "networkConfiguration" not in request:
            message = "Network Configuration must be provided when networkMode 'awsvpc' is specified."
            raise Refused("InvalidParameterException", message)
        return definition

    def _tags_of(self, request: Request, definition: TaskDefinition) -> list[dict[str, str]]:
        own = list(request.get("tags", []))
        propagated = definition.tags if request.get("propagateTags") == "TASK_DEFINITION" else []
        keys = {tag["key"] for tag in own}
        return [*own, *(tag for tag in propagated if tag["key"] not in keys)]

    def stop_task(self, request: Request) -> Answer:
        self.cluster(request.get("cluster"))
        self.forget_old()
        message = "The referenced task was not found."
        task = find_or_refuse(self.tasks, name_in(request["task"]), "InvalidParameterException", message)
        task_life.stop(task, self.account.now(), "UserInitiated", request.get("reason", "Task stopped by user"))
        return {"task": description_of(task)}

    def list_tasks(self, request: Request) -> Answer:
        """List tasks. `desiredStatus` defaults to RUNNING, as in ECS."""
        self.forget_old()
        cluster = self.cluster(request.get("cluster"))
        status = request.get("desiredStatus", "RUNNING")
        service, family = request.get("serviceName"), request.get("family")
        found = [
            task.arn
            for task in self.tasks.values()
            if task.cluster_arn == cluster.arn
            and task.wanted == (status == "RUNNING")
            and (service is None or task.service == name_in(service))
            and family in (None, task.definition.family)
            and request.get("startedBy") in (None, task.started_by)
        ]
        return PAGES.answer("taskArns", found, request, PAGE_SIZE)

    def describe_tasks(self, request: Request) -> Answer:
        cluster = self.cluster(request.get("cluster"))
        self.forget_old()
        if len(request["tasks"]) > MAX_DESCRIBED:
            raise Refused("InvalidParameterException", f"Tasks cannot have more than {MAX_DESCRIBED} elements.")
        keys = [name_in(task) for task in request["tasks"]]
        by_arn = {self.account.arn("ecs", f"task/{cluster.name}/{key}"): self.tasks.get(key) for key in keys}
        with_tags = "TAGS" in request.get("include", [])
        return found_and_missing(
            "tasks", by_arn, lambda task: description_of(task) | ({"tags": task.tags} if with_tags else {})
        )


def refuse_overrides(overrides: dict[str, Any], definition: TaskDefinition) -> None:
    """Raise Refused if the overrides of RunTask are too long, or name a container that does not exist."""
    if len(str(overrides)) > MAX_OVERRIDES_CHARACTERS:
        message = f"Container Overrides length must be at most {MAX_OVERRIDES_CHARACTERS}"
        raise Refused("InvalidParameterException", message)
    names = [container["name"] for container in definition.containers]
    for override in overrides.get("containerOverrides", []):
        if override.get("name") not in names:
            message = f"Override for container named {override.get('name')} is not a container in the TaskDefinition."
            raise Refused("InvalidParameterException", message)


def description_of(task: Task) -> dict[str, Any]:
    """Describe a task as DescribeTasks does, without its tags."""
    document = task.definition.document
    overrides = task.request.get("overrides", {})
    architecture = str(document.get("runtimePlatform", {}).get("cpuArchitecture", "X86_64")).lower()
    facts: dict[str, Any] = {
        "taskArn": task.arn,
        "clusterArn": task.cluster_arn,
        "taskDefinitionArn": task.definition.arn,
        "group": task.group,
        "startedBy": task.started_by or None,
        "lastStatus": task.last_status,
        "desiredStatus": "RUNNING" if task.wanted else "STOPPED",
        "cpu": document.get("cpu"),
        "memory": document.get("memory"),
        "launchType": "FARGATE",
        "platformVersion": "1.4.0",
        "platformFamily": "Linux",
        "availabilityZone": f"{task.arn.split(':')[3]}a",
        "healthStatus": overall_health(task.containers),
        "connectivity": "CONNECTED" if task.started_at and not task.stopped_at else None,
        "createdAt": task.created_at,
        "startedAt": task.started_at,
        "stoppingAt": task.stopping_at,
        "stoppedAt": task.stopped_at,
        "stopCode": task.stop_code,
        "stoppedReason": task.stopped_reason,
        "version": 1,
        "overrides": {"containerOverrides": [], "inferenceAcceleratorOverrides": [], **overrides},
        "attachments": [attachment(task)],
        "attributes": [{"name": "ecs.cpu-architecture", "value": architecture}],
        "containers": [container_description(task, container) for container in task.containers],
    }
    return without_none(facts)


def overall_health(containers: Sequence[Container]) -> str:
    """Return UNHEALTHY or UNKNOWN as soon as one essential container with a health check is.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html
    """
    checked = {one.health for one in containers if one.essential and task_life.has_health_check(one)}
    if "UNHEALTHY" in checked:
        return "UNHEALTHY"
    return "HEALTHY" if checked == {"HEALTHY"} else "UNKNOWN"


def attachment(task: Task) -> dict[str, Any]:
    """Return the network interface of a task, as DescribeTasks does."""
    network = task.request.get("networkConfiguration", {}).get("awsvpcConfiguration", {})
    subnets = network.get("subnets", ["subnet-0123456789abcdef0"])
    status = "DELETED" if task.stopped_at else ("ATTACHED" if task.started_at else "PRECREATED")
    return {
        "id": f"{task.id[:8]}-{task.id[8:12]}-{task.id[12:16]}-{task.id[16:20]}-{task.id[20:32]}",
        "type": "ElasticNetworkInterface",
        "status": status,
        "details": [
            {"name": "subnetId", "value": subnets[0]},
            {"name": "networkInterfaceId", "value": f"eni-{task.id[:17]}"},
            {"name": "privateIPv4Address", "value": task.address},
        ],
    }


def container_description(task: Task, container: Container) -> dict[str, Any]:
    """Return a container of a task, as DescribeTasks does."""
    digest = container.image.partition("@")[2]
    facts = {
        "containerArn": f"{task.arn.replace(':task/', ':container/')}/{container.name}",
        "taskArn": task.arn,
        "name": container.name,
        "image": container.image,
        "imageDigest": (digest or None) if task.started_at else None,
        "runtimeId": f"{task.id}-{container.name}" if task.started_at else None,
        "lastStatus": container.status,
        "exitCode": container.exit_code,
        "reason": container.reason,
        "healthStatus": container.health,
        "networkInterfaces": [{"attachmentId": attachment(task)["id"], "privateIpv4Address": task.address}],
        "cpu": str(container.definition.get("cpu", 0)),
    }
    return without_none(facts)
