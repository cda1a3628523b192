"""The stacks of an account, and the operations that read them."""

from typing import Any, Final

from aws_simulator.account import Account
from aws_simulator.cloudformation.operation import Operation
from aws_simulator.cloudformation.stack import Stack, StackResource
from aws_simulator.cloudformation.template import Template
from aws_simulator.service import Answer, Paging, Refused, Request, Service, UnsupportedOperation, without_none

PAGE_SIZE: Final = 100
PAGES: Final = Paging(marker="NextToken", next_marker="NextToken", size="MaxResults", invalid="ValidationError")
MAX_TEMPLATE_BYTES: Final = 51_200
"""The limit for a template in the request. Larger ones need a bucket, which is not supported."""


class Stacks(Service):
    """The stacks, deleted ones too, each with its running or last operation."""

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self.stacks: list[Stack] = []
        self._operations: dict[str, Operation] = {}

    def find(self, name_or_id: str) -> Stack:
        """Return a stack by name, or by id, which also finds deleted ones. Raises Refused: the stack does not exist."""
        found = self.existing(name_or_id) or next((one for one in self.stacks if one.id == name_or_id), None)
        if found is None:
            raise Refused("ValidationError", f"Stack with id {name_or_id} does not exist")
        return found

    def existing(self, name_or_id: str) -> Stack | None:
        """Return the stack of that name or id, if there is one that is not deleted."""
        alive = (stack for stack in self.stacks if stack.status != "DELETE_COMPLETE")
        return next((stack for stack in alive if name_or_id in (stack.name, stack.id)), None)

    def describe_stacks(self, request: Request) -> Answer:
        if "StackName" in request:
            return {"Stacks": [description_of(self.find(request["StackName"]))]}
        alive = [stack for stack in self.stacks if stack.status != "DELETE_COMPLETE"]
        return PAGES.answer("Stacks", alive, request, PAGE_SIZE, description_of)

    def list_stacks(self, request: Request) -> Answer:
        wanted = request.get("StackStatusFilter", [])
        chosen = [stack for stack in self.stacks if not wanted or stack.status in wanted]
        return PAGES.answer("StackSummaries", chosen, request, PAGE_SIZE, summary)

    def describe_stack_events(self, request: Request) -> Answer:
        """Return events, the newest first."""
        stack = self._named(request["StackName"])
        return PAGES.answer("StackEvents", stack.events[::-1], request, PAGE_SIZE)

    def describe_stack_resources(self, request: Request) -> Answer:
        stack = self._named(request["StackName"])
        wanted = request.get("LogicalResourceId")
        chosen = [one for name, one in sorted(stack.resources.items()) if wanted in (None, name)]
        return {"StackResources": [resource_description(stack, one) for one in chosen]}

    def list_stack_resources(self, request: Request) -> Answer:
        stack = self._named(request["StackName"])
        chosen = [one for _, one in sorted(stack.resources.items())]
        return PAGES.answer("StackResourceSummaries", chosen, request, PAGE_SIZE, summary_of_resource)

    def get_template(self, request: Request) -> Answer:
        """Return the template as it was sent. The processed one is the same: transforms are not supported."""
        template = self._template_of(request)
        return {"TemplateBody": template.text, "StagesAvailable": ["Original", "Processed"]}

    def _template_of(self, request: Request) -> Template:
        return self._named(request["StackName"]).definition.template

    def set_stack_policy(self, request: Request) -> Answer:
        if "StackPolicyBody" not in request:
            raise UnsupportedOperation("a stack policy in a bucket")
        self._named(request["StackName"]).policy = request["StackPolicyBody"]
        return {}

    def update_termination_protection(self, request: Request) -> Answer:
        stack = self._named(request["StackName"])
        stack.protected = request["EnableTerminationProtection"]
        return {"StackId": stack.id}

    def iam_resources(self, operation: str, request: Request) -> tuple[str, ...]:
        name = request.get("StackName")
        if name is None or name.startswith("arn:"):
            return super().iam_resources(operation, request)
        known = self.existing(name)
        return (self.account.arn("cloudformation", f"stack/{name}/*") if known is None else known.id,)

    def _named(self, name_or_id: str) -> Stack:
        try:
            return self.find(name_or_id)
        except Refused as refused:
            raise Refused(refused.code, f"Stack [{name_or_id}] does not exist") from None


def body_of(request: Request) -> str:
    """Return the template in a request. Raises Refused: it is too large."""
    if "TemplateBody" not in request:
        raise UnsupportedOperation("a template in a bucket")
    body: str = request["TemplateBody"]
    if len(body.encode()) > MAX_TEMPLATE_BYTES:
        constraint = f"Member must have length less than or equal to {MAX_TEMPLATE_BYTES}"
        message = "1 validation error detected: Value at 'templateBody' failed to satisfy constraint"
        raise Refused("ValidationError", f"{message}: {constraint}")
    return body


def description_of(stack: Stack) -> dict[str, Any]:
    """Return a stack as DescribeStacks does."""
    definition = stack.definition
    members = {
        **named(stack),
        "Parameters": [value.description() for value in definition.values.values()],
        "Tags": [{"Key": key, "Value": value} for key, value in definition.tags.items()],
        "Capabilities": list(definition.capabilities),
        "Outputs": [
            without_none({"OutputKey": name, "OutputValue": str(body["Value"]), "Description": body.get("Description")})
            for name, body in stack.outputs.items()
        ],
        "EnableTerminationProtection": stack.protected,
        "DisableRollback": False,
        "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
        "Description": definition.template.description or None,
        "RoleARN": definition.role_arn,
        "ChangeSetId": stack.change_set_id,
    }
    return without_none(members)


def named(stack: Stack) -> dict[str, Any]:
    """Return the members that DescribeStacks and ListStacks share."""
    members = {
        "StackId": stack.id,
        "StackName": stack.name,
        "StackStatus": stack.status,
        "CreationTime": stack.created,
        "LastUpdatedTime": stack.updated,
        "DeletionTime": stack.deleted,
        "StackStatusReason": stack.reason or None,
    }
    return without_none(members)


def summary(stack: Stack) -> dict[str, Any]:
    """Return a stack as ListStacks does."""
    return {**named(stack), "TemplateDescription": stack.definition.template.description}


def resource_description(stack: Stack, resource: StackResource) -> dict[str, Any]:
    """Return a resource as DescribeStackResources does."""
    shown = summary_of_resource(resource)
    timestamp = shown.pop("LastUpdatedTimestamp")
    return {**shown, "Timestamp": timestamp, "StackName": stack.name, "StackId": stack.id}


def summary_of_resource(resource: StackResource) -> dict[str, Any]:
    """Return a resource as ListStackResources does."""
    members = {
        "LogicalResourceId": resource.logical_id,
        "ResourceType": resource.definition.type,
        "LastUpdatedTimestamp": resource.changed,
        "ResourceStatus": resource.status,
        "DriftInformation": {"StackResourceDriftStatus": "NOT_CHECKED"},
        "PhysicalResourceId": resource.physical_id or None,
        "ResourceStatusReason": resource.reason or None,
    }
    return without_none(members)
