"""The stacks of an account, and the operations that read them."""

from typing import Any, ClassVar, Final

from aws_simulator.account import Account
from aws_simulator.cloudformation.operation import Operation
from aws_simulator.cloudformation.stack import Event, Stack, StackResource
from aws_simulator.cloudformation.template import Template, default_of, parse
from aws_simulator.service import Answer, Refused, Request, Service, UnsupportedOperation, page

EVENTS_IN_A_PAGE: Final = 100
MAX_TEMPLATE_BYTES: Final = 51_200
"""The limit for a template in the request. Larger ones need a bucket, which is not supported."""


class Stacks(Service):
    NAME: ClassVar[str] = "cloudformation"

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self.stacks: list[Stack] = []
        self._operations: dict[str, Operation] = {}

    def find(self, name_or_id: str) -> Stack:
        """Return a stack by name, or by id, which also finds deleted ones.

        Raises:
            Refused: the stack does not exist.
        """
        found = self.existing(name_or_id) or next((one for one in self.stacks if one.id == name_or_id), None)
        if found is None:
            raise Refused("ValidationError", f"Stack with id {name_or_id} does not exist")
        return found

    def existing(self, name_or_id: str) -> Stack | None:
        alive = (stack for stack in self.stacks if stack.status != "DELETE_COMPLETE")
        return next((stack for stack in alive if name_or_id in (stack.name, stack.id)), None)

    def describe_stacks(self, request: Request) -> Answer:
        if "StackName" in request:
            return {"Stacks": [description_of(self.find(request["StackName"]))]}
        alive = [stack for stack in self.stacks if stack.status != "DELETE_COMPLETE"]
        stacks, token = page(alive, request.get("NextToken"), EVENTS_IN_A_PAGE, refused="ValidationError")
        return {"Stacks": [description_of(stack) for stack in stacks], **next_token(token)}

    def list_stacks(self, request: Request) -> Answer:
        wanted = request.get("StackStatusFilter", [])
        chosen = [stack for stack in self.stacks if not wanted or stack.status in wanted]
        stacks, token = page(chosen, request.get("NextToken"), EVENTS_IN_A_PAGE, refused="ValidationError")
        return {"StackSummaries": [summary(stack) for stack in stacks], **next_token(token)}

    def describe_stack_events(self, request: Request) -> Answer:
        """Return events, the newest first."""
        events = self._named(request["StackName"]).events[::-1]
        shown, token = page(events, request.get("NextToken"), EVENTS_IN_A_PAGE, refused="ValidationError")
        return {"StackEvents": [event_description(event) for event in shown], **next_token(token)}

    def describe_stack_resources(self, request: Request) -> Answer:
        stack = self._named(request["StackName"])
        wanted = request.get("LogicalResourceId")
        chosen = [one for name, one in sorted(stack.resources.items()) if wanted in (None, name)]
        return {"StackResources": [resource_description(stack, one) for one in chosen]}

    def list_stack_resources(self, request: Request) -> Answer:
        stack = self._named(request["StackName"])
        chosen = [one for _, one in sorted(stack.resources.items())]
        shown, token = page(chosen, request.get("NextToken"), EVENTS_IN_A_PAGE, refused="ValidationError")
        return {"StackResourceSummaries": [summary_of_resource(one) for one in shown], **next_token(token)}

    def get_template(self, request: Request) -> Answer:
        """Return the template as it was sent. The processed one is the same: transforms are not supported."""
        template = self._template_of(request)
        return {"TemplateBody": template.text, "StagesAvailable": ["Original", "Processed"]}

    def _template_of(self, request: Request) -> Template:
        return self._named(request["StackName"]).definition.template

    def validate_template(self, request: Request) -> Answer:
        template = parse(body_of(request))
        parameters = [
            {
                "ParameterKey": name,
                "NoEcho": bool(body.get("NoEcho", False)),
                **{key: body[key] for key in ("Description",) if key in body},
                **({} if default_of(body) is None else {"DefaultValue": default_of(body)}),
            }
            for name, body in template.parameters.items()
        ]
        answer: Answer = {"Parameters": parameters, "Capabilities": list(template.capabilities)}
        return answer | ({"Description": template.description} if template.description else {})

    def get_stack_policy(self, request: Request) -> Answer:
        policy = self._named(request["StackName"]).policy
        return {} if policy is None else {"StackPolicyBody": policy}

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
    if "TemplateBody" not in request:
        raise UnsupportedOperation("a template in a bucket")
    body: str = request["TemplateBody"]
    if len(body.encode()) > MAX_TEMPLATE_BYTES:
        raise Refused(
            "ValidationError",
            f"1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have "
            f"length less than or equal to {MAX_TEMPLATE_BYTES}",
        )
    return body


def next_token(token: str | None) -> dict[str, str]:
    return {} if token is None else {"NextToken": token}


def description_of(stack: Stack) -> dict[str, Any]:
    definition = stack.definition
    shown: dict[str, Any] = {
        **named(stack),
        "Parameters": [value.description() for value in definition.values.values()],
        "Tags": [{"Key": key, "Value": value} for key, value in definition.tags.items()],
        "Capabilities": list(definition.capabilities),
        "Outputs": [
            {
                "OutputKey": name,
                "OutputValue": str(body["Value"]),
                **{key: body[key] for key in ("Description",) if key in body},
            }
            for name, body in stack.outputs.items()
        ],
        "EnableTerminationProtection": stack.protected,
        "DisableRollback": False,
        "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
    }
    optional = {
        "Description": definition.template.description or None,
        "RoleARN": definition.role_arn,
        "ChangeSetId": stack.change_set_id,
    }
    return shown | {key: value for key, value in optional.items() if value is not None}


def named(stack: Stack) -> dict[str, Any]:
    """Members that DescribeStacks and ListStacks share."""
    shown: dict[str, Any] = {
        "StackId": stack.id,
        "StackName": stack.name,
        "StackStatus": stack.status,
        "CreationTime": stack.created,
    }
    optional = {
        "LastUpdatedTime": stack.updated,
        "DeletionTime": stack.deleted,
        "StackStatusReason": stack.reason or None,
    }
    return shown | {key: value for key, value in optional.items() if value is not None}


def summary(stack: Stack) -> dict[str, Any]:
    return {**named(stack), "TemplateDescription": stack.definition.template.description}


def event_description(event: Event) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "StackId": event.stack_id,
        "StackName": event.stack_name,
        "EventId": f"{event.logical_id}-{event.status}-{event.number:06d}",
        "LogicalResourceId": event.logical_id,
        "PhysicalResourceId": event.physical_id,
        "ResourceType": event.type,
        "Timestamp": event.at,
        "ResourceStatus": event.status,
    }
    optional = {"ResourceStatusReason": event.reason or None, "ClientRequestToken": event.token}
    return shown | {key: value for key, value in optional.items() if value is not None}


def resource_description(stack: Stack, resource: StackResource) -> dict[str, Any]:
    shown = summary_of_resource(resource)
    timestamp = shown.pop("LastUpdatedTimestamp")
    return {**shown, "Timestamp": timestamp, "StackName": stack.name, "StackId": stack.id}


def summary_of_resource(resource: StackResource) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "LogicalResourceId": resource.logical_id,
        "ResourceType": resource.definition.type,
        "LastUpdatedTimestamp": resource.changed,
        "ResourceStatus": resource.status,
        "DriftInformation": {"StackResourceDriftStatus": "NOT_CHECKED"},
    }
    optional = {"PhysicalResourceId": resource.physical_id or None, "ResourceStatusReason": resource.reason or None}
    return shown | {key: value for key, value in optional.items() if value is not None}
