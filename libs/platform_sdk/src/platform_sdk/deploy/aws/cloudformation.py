"""CloudFormation: stacks, their change sets, resources and events."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from platform_sdk.deploy.aws import AwsCallFailed, Client, NotFound, utc
from platform_sdk.deploy.state import ChangeSet, Json, ResourceChange, Stack, StackEvent, StackResource


class Stacks:
    """The calls of CloudFormation, by a stack's name, or its id if it is deleted. All raise AwsCallFailed."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def stack(self, name: str) -> Stack | None:
        """Return None where there is none. A stack with only a first change set is in status REVIEW_IN_PROGRESS."""
        try:
            answer = self.client.call("describe_stacks", f"read the stack {name}", StackName=name)
        except NotFound:
            return None
        return _stack_of(answer["Stacks"][0])

    def template(self, name: str) -> Json | str:
        """Return the template as it was given last: a document for JSON, a text for YAML.

        Raises:
            NotFound: there is no such stack.
        """
        purpose = f"read the template of the stack {name}"
        answer = self.client.call("get_template", purpose, StackName=name, TemplateStage="Original")
        body = answer["TemplateBody"]
        return body if isinstance(body, str) else plain(body)

    def resources(self, name: str) -> tuple[StackResource, ...]:
        """Return nothing where the stack does not exist."""
        listed = self.client.pages("list_stack_resources", f"list the resources of the stack {name}", StackName=name)
        try:
            return tuple(
                StackResource(
                    logical_id=each["LogicalResourceId"],
                    physical_id=each.get("PhysicalResourceId", ""),
                    type=each["ResourceType"],
                    status=each["ResourceStatus"],
                )
                for page in listed
                for each in page["StackResourceSummaries"]
            )
        except NotFound:
            return ()

    def create_change_set(
        self,
        name: str,
        *,
        change_set: str,
        kind: Literal["CREATE", "UPDATE"],
        template: str,
        parameters: Sequence[Json],
        tags: Mapping[str, str] | None = None,
        role_arn: str | None = None,
    ) -> None:
        """Start to compute what would change. `parameters` are as CloudFormation takes them. An existing change set of
        the same name is no error, so that the call may be repeated. Without `tags`, a stack keeps its own.
        """
        more: dict[str, Any] = {} if role_arn is None else {"RoleARN": role_arn}
        if tags is not None:
            more["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
        try:
            self.client.call(
                "create_change_set",
                f"create a change set of the stack {name}",
                StackName=name,
                ChangeSetName=change_set,
                ChangeSetType=kind,
                TemplateBody=template,
                Parameters=list(parameters),
                Capabilities=["CAPABILITY_NAMED_IAM"],
                **more,
            )
        except AwsCallFailed as error:
            if error.code != "AlreadyExistsException":
                raise

    def change_set(self, stack: str, name: str) -> ChangeSet | None:
        """Return a change set with all its changes; None where there is none of the name."""
        purpose = f"read the change set {name} of the stack {stack}"
        listed = self.client.pages("describe_change_set", purpose, StackName=stack, ChangeSetName=name)
        try:
            answers = list(listed)
        except NotFound:
            return None
        about = answers[-1]
        return ChangeSet(
            name=about["ChangeSetName"],
            stack=about["StackName"],
            status=about["Status"],
            status_reason=about.get("StatusReason", ""),
            execution_status=about.get("ExecutionStatus", ""),
            changes=tuple(_change_of(each["ResourceChange"]) for page in answers for each in _resource_changes(page)),
        )

    def execute(self, stack: str, change_set: str, *, rolls_back: bool = True) -> None:
        """Start the update. If it fails, the resources that it created are deleted, even those that a stack otherwise
        keeps: they would block the next attempt. Without `rolls_back` they stay, and the stack is UPDATE_FAILED.
        """
        purpose = f"execute the change set {change_set} of the stack {stack}"
        self.client.call(
            "execute_change_set",
            purpose,
            StackName=stack,
            ChangeSetName=change_set,
            RetainExceptOnCreate=True,
            **({} if rolls_back else {"DisableRollback": True}),
        )

    def delete_change_set(self, stack: str, name: str) -> None:
        """Delete a change set. A missing one is no error."""
        try:
            purpose = f"delete the change set {name} of the stack {stack}"
            self.client.call("delete_change_set", purpose, StackName=stack, ChangeSetName=name)
        except NotFound:
            pass

    def events(self, name: str, *, after: str | None) -> tuple[StackEvent, ...]:
        """Return the events after the one of this id, or all; oldest first. None where the stack does not exist."""
        found: list[StackEvent] = []
        try:
            for each in self.newest_events(name):
                if each["EventId"] == after:
                    break
                found.append(_stack_event_of(each))
        except NotFound:
            pass
        return tuple(reversed(found))

    def last_event(self, name: str) -> str | None:
        """Return the id of the newest event; None where there is none."""
        try:
            return next((str(each["EventId"]) for each in self.newest_events(name)), None)
        except NotFound:
            return None

    def newest_events(self, name: str) -> Iterator[Any]:
        """Yield the events of a stack as AWS describes them, the newest first, page by page."""
        purpose = f"read the events of the stack {name}"
        for page in self.client.pages("describe_stack_events", purpose, StackName=name):
            yield from page["StackEvents"]

    def protect(self, name: str) -> None:
        """Protect the stack from deletion."""
        purpose = f"protect the stack {name} from being deleted"
        self.client.call("update_termination_protection", purpose, StackName=name, EnableTerminationProtection=True)

    def delete(self, name: str) -> None:
        """Start deleting a stack. A missing one is no error."""
        self.client.call("delete_stack", f"delete the stack {name}", StackName=name)

    def continue_rollback(self, name: str, *, role_arn: str | None = None, skipped: Sequence[str] = ()) -> None:
        """Continue the rollback of a stack in status UPDATE_ROLLBACK_FAILED. `skipped` are logical ids of resources in
        status UPDATE_FAILED; CloudFormation then assumes that they were rolled back.
        """
        purpose = f"continue the rollback of the stack {name}"
        more: dict[str, Any] = {} if role_arn is None else {"RoleARN": role_arn}
        if skipped:
            more["ResourcesToSkip"] = list(skipped)
        self.client.call("continue_update_rollback", purpose, StackName=name, **more)


def plain(value: Any) -> Any:
    """Replace the ordered mappings that boto3 makes of a JSON template."""
    match value:
        case Mapping():
            return {key: plain(inner) for key, inner in value.items()}
        case list():
            return [plain(inner) for inner in value]
        case _:
            return value


def _stack_of(found: Any) -> Stack:
    return Stack(
        name=found["StackName"],
        id=found.get("StackId", ""),
        status=found["StackStatus"],
        status_reason=found.get("StackStatusReason", ""),
        parameters={each["ParameterKey"]: each.get("ParameterValue", "") for each in found.get("Parameters", [])},
        outputs={each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])},
        tags={each["Key"]: each["Value"] for each in found.get("Tags", [])},
        updated_at=utc(found.get("LastUpdatedTime") or found.get("CreationTime")),
        is_protected=found.get("EnableTerminationProtection", False),
    )


def _resource_changes(page: Any) -> Iterator[Any]:
    return (each for each in page.get("Changes", []) if each.get("Type") == "Resource")


def _change_of(found: Any) -> ResourceChange:
    targets = [each.get("Target", {}) for each in found.get("Details", [])]
    return ResourceChange(
        action=found["Action"],
        logical_id=found["LogicalResourceId"],
        physical_id=found.get("PhysicalResourceId", ""),
        type=found["ResourceType"],
        replacement=found.get("Replacement", ""),
        scope=tuple(found.get("Scope", [])),
        properties=tuple(dict.fromkeys(each["Name"] for each in targets if each.get("Name"))),
        policy_action=found.get("PolicyAction", ""),
    )


def _stack_event_of(found: Any) -> StackEvent:
    return StackEvent(
        id=found["EventId"],
        at=utc(found["Timestamp"]),
        logical_id=found.get("LogicalResourceId", ""),
        physical_id=found.get("PhysicalResourceId", ""),
        type=found.get("ResourceType", ""),
        status=found.get("ResourceStatus", ""),
        reason=found.get("ResourceStatusReason", ""),
    )
