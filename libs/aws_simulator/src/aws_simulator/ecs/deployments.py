"""ECS's rolling deployments: task by task, with circuit breaker, alarms and rollback."""

from datetime import timedelta
from typing import Any

from aws_simulator.cloudwatch import CloudWatch
from aws_simulator.ecs import task_life
from aws_simulator.ecs.services import Services
from aws_simulator.ecs.state import EcsService, ServiceDeployment, ServiceRevision, Task, TaskDefinition, TaskSet

ROLLED_BACK_BY = {
    "breaker": "ECS deployment circuit breaker: rolling back to deploymentId {id}.",
    "alarms": "ECS deployment failed: alarm detected, rolling back to deploymentId {id}.",
    "request": "ECS deployment stopped: rolling back to deploymentId {id}.",
}


class Deployments(Services):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.service_deployments: dict[str, ServiceDeployment] = {}
        self.service_revisions: dict[str, ServiceRevision] = {}

    def begun(self, service: EcsService, one: TaskSet) -> None:
        if service.controller != "ECS":
            return
        one.rollout_state_reason = f"ECS deployment {one.id} in progress."
        now = self.account.now()
        path = f"{service.cluster.name}/{service.name}"
        revision = self._revision(service, one.definition)
        alarms = self._alarms(service)
        record = ServiceDeployment(
            arn=self.account.arn("ecs", f"service-deployment/{path}/{self.account.hexadecimal_id('deployment', 21)}"),
            set_id=one.id,
            service=service,
            target=revision,
            sources=[self._revision(service, old.definition) for old in service.sets if old is not one],
            status="IN_PROGRESS",
            created_at=now,
            started_at=now,
            updated_at=now,
            alarms_at_start=tuple(self.account.service(CloudWatch).in_alarm(alarms)),
        )
        self.service_deployments[record.arn] = record

    def _revision(self, service: EcsService, definition: TaskDefinition) -> ServiceRevision:
        for revision in self.service_revisions.values():
            if revision.service is service and revision.definition is definition:
                return revision
        path = f"{service.cluster.name}/{service.name}"
        arn = self.account.arn("ecs", f"service-revision/{path}/{self.account.count('service revision'):019d}")
        now = self.account.now()
        revision = ServiceRevision(arn=arn, service=service, definition=definition, created_at=now)
        self.service_revisions[arn] = revision
        return revision

    def roll_to(self, service: EcsService, definition: TaskDefinition) -> None:
        """Roll to another definition. It supersedes a running deployment."""
        for one in service.sets:
            if one.status == "PRIMARY" and one.rollout_state == "IN_PROGRESS":
                self._finish(one, "STOPPED", "Superseded by a newer deployment.")
            if one.status == "PRIMARY":
                one.status = "ACTIVE"
        made = self.create_set(service, definition, status="PRIMARY", desired_count=0)
        service.definition = definition
        self.begun(service, made)

    def request_rollback(self, record: ServiceDeployment, in_progress: TaskSet) -> None:
        """Request the rollback of a deployment. It begins at once or later, as the account's conditions say."""
        now = self.account.now()
        record.rolls_back_at = now + timedelta(seconds=self.account.conditions.rollback_request_seconds)
        if record.rolls_back_at > now:
            record.status, record.updated_at = "ROLLBACK_REQUESTED", now
        else:
            self._fail(record.service, in_progress, "request")

    # Time

    def step(self) -> None:
        super().step()
        for service in self.ecs_services.values():
            if service.controller == "ECS" and service.status == "ACTIVE":
                self._roll(service)

    def _is_at_rest(self, service: EcsService) -> bool:
        if service.controller != "ECS" or service.status != "ACTIVE":
            return super()._is_at_rest(service)
        only = service.sets[0]
        settled = only.rollout_state != "IN_PROGRESS" and only.desired_count == service.desired_count
        return len(service.sets) == 1 and settled and super()._is_at_rest(service)

    def _roll(self, service: EcsService) -> None:
        primary = service.primary
        if primary.rollout_state == "FAILED":
            return
        self._share(service, primary)
        if primary.rollout_state != "IN_PROGRESS":
            return
        cause = self._cause_of_failure(service, primary)
        if cause is not None:
            self._fail(service, primary, cause)
        elif self._is_done(service, primary):
            primary.rollout_state = "COMPLETED"
            primary.rollout_state_reason = f"ECS deployment {primary.id} completed."
            self.add_event(service, f") (deployment {primary.id}) deployment completed.")
            self._succeed(primary)

    def _share(self, service: EcsService, primary: TaskSet) -> None:
        others = [one for one in service.sets if one is not primary]
        new = self.live_tasks(primary.id)
        old = sum(len(self.live_tasks(one.id)) for one in others)
        healthy = sum(self._is_healthy(task) for task in new)
        before = primary.desired_count
        primary.desired_count, left = task_life.rolling_shares(
            service.desired_count, service.configuration, new_live=len(new), new_healthy=healthy, old_live=old
        )
        if primary.desired_count != before:
            primary.steady_at = None
        for one in others:
            one.desired_count = min(left, len(self.live_tasks(one.id)))
            left -= one.desired_count
            if one.desired_count == 0 and not self.tasks_of(one) and one.status != "DRAINING":
                service.sets.remove(one)

    def _is_healthy(self, task: Task) -> bool:
        return task_life.is_healthy(task, self.account.now()) and all(
            health.state in ("healthy", "unused") for _, health in self._healths(task)
        )

    def _is_done(self, service: EcsService, primary: TaskSet) -> bool:
        if primary.steady_at is None or len(service.sets) > 1 or primary.desired_count != service.desired_count:
            return False
        if self._record(primary).status == "ROLLBACK_REQUESTED":
            return False
        bake = timedelta(minutes=service.configuration.get("bakeTimeInMinutes", 0))
        watched = self.account.service(CloudWatch).window(self._alarms(service))
        # Without a given time ECS watches for as long as the alarms need; the very first deployment replaces nothing.
        record = self._record(primary)
        wait = max(bake, watched) if record.sources else bake
        return self.account.now() - primary.steady_at >= wait

    def _cause_of_failure(self, service: EcsService, primary: TaskSet) -> str | None:
        if service.configuration["deploymentCircuitBreaker"]["enable"]:
            threshold = task_life.breaker_threshold(service.desired_count, service.configuration)
            if primary.failed_tasks >= threshold:
                return "breaker"
        if primary.rolls_back:
            return None
        record = self._record(primary)
        if record.rolls_back_at is not None and record.rolls_back_at <= self.account.now():
            return "request"
        # An alarm that was in ALARM when the deployment began is ignored.
        ignored = record.alarms_at_start
        fired = self.account.service(CloudWatch).in_alarm(self._alarms(service))
        return "alarms" if set(fired) - set(ignored) else None

    def _alarms(self, service: EcsService) -> list[str]:
        alarms = service.request.get("deploymentConfiguration", {}).get("alarms", {})
        return list(alarms.get("alarmNames", [])) if alarms.get("enable") else []

    def _fail(self, service: EcsService, primary: TaskSet, cause: str) -> None:
        reason = {
            "breaker": "ECS deployment circuit breaker: tasks failed to start.",
            "alarms": "ECS deployment failed: alarm detected.",
            "request": "ECS deployment stopped by request.",
        }[cause]
        primary.rollout_state, primary.rollout_state_reason = "FAILED", reason
        self.add_event(service, f") (deployment {primary.id}) deployment failed: {reason}")
        record = self._record(primary)
        record.breaker_tripped, record.failed_tasks = cause == "breaker", primary.failed_tasks
        if primary.rolls_back:
            self._origin(primary).status = "ROLLBACK_FAILED"
            self._finish(primary, "ROLLBACK_FAILED", reason)
        elif record.sources and self._rolls_back(service, cause):
            self._roll_back(service, primary, record, cause)
        else:
            self._finish(primary, "STOPPED", reason)
        if primary.status == "PRIMARY":
            primary.desired_count = len(self.live_tasks(primary.id))

    def _rolls_back(self, service: EcsService, cause: str) -> bool:
        if cause == "request":
            return True
        watcher = "deploymentCircuitBreaker" if cause == "breaker" else "alarms"
        return bool(service.configuration[watcher]["rollback"])

    def _roll_back(self, service: EcsService, failed: TaskSet, record: ServiceDeployment, cause: str) -> None:
        """Roll back to the deployment whose tasks still run, or else to a new one of its revision."""
        definition = record.sources[0].definition
        kept = next((one for one in service.sets if one.definition is definition and one.status == "ACTIVE"), None)
        failed.status = "ACTIVE"
        target = kept or self.create_set(service, definition, desired_count=0)
        target.status, target.rollout_state, target.rolls_back = "PRIMARY", "IN_PROGRESS", True
        target.failed_tasks, target.steady_at = 0, None
        target.rollout_state_reason = ROLLED_BACK_BY[cause].format(id=target.id)
        service.definition = definition
        now = self.account.now()
        record.status, record.rollback_set_id, record.updated_at = "ROLLBACK_IN_PROGRESS", target.id, now
        record.reason = failed.rollout_state_reason
        record.rollback = {
            "reason": failed.rollout_state_reason,
            "startedAt": now,
            "serviceRevisionArn": record.sources[0].arn,
        }
        self.add_event(service, f") rolling back to deployment {target.id}.")

    # Records

    def description_of(self, service: EcsService) -> dict[str, Any]:
        facts = super().description_of(service)
        records = [one for one in self.service_deployments.values() if one.service is service]
        if records and records[-1].finished_at is None and service.status == "ACTIVE":
            facts["currentServiceDeployment"] = records[-1].arn
        return facts

    def _record(self, one: TaskSet) -> ServiceDeployment:
        """Return the newest record of the set."""
        newest_first = reversed(self.service_deployments.values())
        return next(record for record in newest_first if one.id in (record.set_id, record.rollback_set_id))

    def _origin(self, rolling_back: TaskSet) -> ServiceDeployment:
        newest_first = reversed(self.service_deployments.values())
        return next(record for record in newest_first if record.rollback_set_id == rolling_back.id)

    def _succeed(self, primary: TaskSet) -> None:
        if primary.rolls_back:
            origin = self._origin(primary)
            self._end(origin, "ROLLBACK_SUCCESSFUL", origin.reason)
            primary.rolls_back = False
        else:
            self._finish(primary, "SUCCESSFUL", "")

    def _finish(self, one: TaskSet, status: str, reason: str) -> None:
        self._end(self._record(one), status, reason)

    def _end(self, record: ServiceDeployment, status: str, reason: str) -> None:
        now = self.account.now()
        record.status, record.reason, record.finished_at, record.updated_at = status, reason, now, now
