"""Elastic Container Service as boto3 knows it."""

from aws_simulator.ecs.concerned import concerned
from aws_simulator.ecs.service_deployments import ServiceDeployments
from aws_simulator.ecs.task_definitions import name_in
from aws_simulator.refused import Refused
from aws_simulator.service import Answer, Request


class Ecs(ServiceDeployments):
    NAME = "ecs"

    def tag_resource(self, request: Request) -> Answer:
        tags = self._tags(request["resourceArn"])
        given = {tag["key"] for tag in request["tags"]}
        tags[:] = [*(tag for tag in tags if tag["key"] not in given), *request["tags"]]
        return {}

    def untag_resource(self, request: Request) -> Answer:
        tags = self._tags(request["resourceArn"])
        tags[:] = [tag for tag in tags if tag["key"] not in request["tagKeys"]]
        return {}

    def list_tags_for_resource(self, request: Request) -> Answer:
        return {"tags": list(self._tags(request["resourceArn"]))}

    def _tags(self, arn: str) -> list[dict[str, str]]:
        short = name_in(arn)
        if ":task-definition/" in arn and short in self.definitions:
            return self.definitions[short].tags
        if ":task/" in arn and short in self.tasks:
            return self.tasks[short].tags
        for service in self.ecs_services.values():
            if service.arn == arn:
                return service.tags
        raise Refused("InvalidParameterException", "The specified resource ARN was not found.")

    def concerned(self, operation: str, request: Request) -> tuple[str, ...]:
        return concerned(operation, request, lambda resource: self.account.arn("ecs", resource))
