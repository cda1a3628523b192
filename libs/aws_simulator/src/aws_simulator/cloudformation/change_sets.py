"""Change sets: compute what an update would do before it is done."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from aws_simulator.account import Account
from aws_simulator.cloudformation.differences import changes, without_values
from aws_simulator.cloudformation.operation import OnFailure
from aws_simulator.cloudformation.stack import NOTHING, Stack, StackDefinition
from aws_simulator.cloudformation.stacks import PAGES, Stacks, body_of
from aws_simulator.cloudformation.template import Template, parse, refuse_unsound, values_of
from aws_simulator.iam import Iam
from aws_simulator.secrets_and_parameters import Ssm
from aws_simulator.service import Answer, Refused, Request, without_none

NO_CHANGES: Final = (
    "The submitted information didn't contain changes. Submit different information to create a change set."
)
SECONDS: Final = 3
"""Until a change set is ready."""

EMPTY: Final = StackDefinition(template=NOTHING, values={}, tags={}, capabilities=(), role_arn=None)
UPDATABLE: Final = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_FAILED", "CREATE_FAILED")
CHANGES_IN_A_PAGE: Final = 100


@dataclass(slots=True, kw_only=True)
class ChangeSet:
    """A change set: what an update of a stack, or its creation, would change, once `changes` are computed."""

    name: str
    id: str
    stack: Stack
    kind: Literal["CREATE", "UPDATE"]
    definition: StackDefinition
    description: str
    created: datetime
    on_failure: OnFailure
    status: str = "CREATE_IN_PROGRESS"
    reason: str = ""
    execution: str = "UNAVAILABLE"
    changes: list[dict[str, Any]] = field(default_factory=list)

    @property
    def has_name(self) -> bool:
        """Whether it can be found by name. After a good execution only its ARN finds it, and the name is free again."""
        return self.execution != "EXECUTE_COMPLETE"


class ChangeSets(Stacks):
    """The change sets of all stacks.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-changesets.html
    """

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self.change_sets: list[ChangeSet] = []

    def create_change_set(self, request: Request) -> Answer:
        kind = request.get("ChangeSetType", "UPDATE")
        stack = self._stack_of(request, kind)
        self._refuse_taken(stack, request["ChangeSetName"])
        definition = self.definition_of(request, stack)
        number = self.account.hexadecimal_id("change set", 12)
        change_set = ChangeSet(
            name=request["ChangeSetName"],
            id=self.account.arn("cloudformation", f"changeSet/{request['ChangeSetName']}/{uuid_like(number)}"),
            stack=stack,
            kind=kind,
            definition=definition,
            description=request.get("Description", ""),
            created=self.account.now(),
            on_failure=request.get("OnStackFailure", "ROLLBACK"),
        )
        if stack not in self.stacks:
            self.stacks.append(stack)
            stack.add_event(self.account.now(), "REVIEW_IN_PROGRESS", "User Initiated", request.get("ClientToken"))
        self.change_sets.append(change_set)
        return {"Id": change_set.id, "StackId": stack.id}

    def describe_change_set(self, request: Request) -> Answer:
        one = self._change_set(request)
        describe = None if request.get("IncludePropertyValues", False) else without_values
        definition = one.definition
        return {
            **description_of(one),
            "Parameters": [value.description() for value in definition.values.values()],
            "Tags": [{"Key": key, "Value": value} for key, value in definition.tags.items()],
            "Capabilities": list(definition.capabilities),
            "OnStackFailure": one.on_failure,
            **PAGES.answer("Changes", one.changes, request, CHANGES_IN_A_PAGE, describe),
        }

    def list_change_sets(self, request: Request) -> Answer:
        stack = self._named(request["StackName"])
        return {"Summaries": [description_of(one) for one in self.change_sets if one.stack is stack and one.has_name]}

    def delete_change_set(self, request: Request) -> Answer:
        """Delete a change set. A stack that it would have created stays in review."""
        one = self._change_set(request)
        if one.execution == "EXECUTE_IN_PROGRESS":
            raise self._cannot(one, "deleted")
        self.change_sets.remove(one)
        return {}

    def iam_resources(self, operation: str, request: Request) -> tuple[str, ...]:
        """Return the stack, which is what IAM checks even where a change set is named by its ARN."""
        named = (one.stack.id for one in self.change_sets if one.id == request.get("ChangeSetName"))
        stack = next(named, None)
        return super().iam_resources(operation, request) if stack is None else (stack,)

    @property
    def quiet(self) -> bool:
        return all(one.status != "CREATE_IN_PROGRESS" for one in self.change_sets)

    def step(self) -> None:
        for one in self.change_sets:
            due = one.created + timedelta(seconds=SECONDS)
            if one.status == "CREATE_IN_PROGRESS" and self.account.now() >= due:
                self._compute(one)

    def _compute(self, one: ChangeSet) -> None:
        one.changes = changes(self.account, one.stack, one.definition)
        if one.changes or one.definition.differs_beside_resources(one.stack.definition):
            one.status, one.execution = "CREATE_COMPLETE", "AVAILABLE"
        else:
            one.status, one.reason = "FAILED", NO_CHANGES

    def definition_of(self, request: Request, stack: Stack) -> StackDefinition:
        """Return the definition of the stack that a request asks for.

        Raises:
            Refused: template, parameters or capabilities are wrong.
        """
        kept = request.get("UsePreviousTemplate", False)
        template = stack.definition.template if kept else parse(body_of(request))
        refuse_unsound(template)
        given = request.get("Capabilities", [])
        lacking = [one for one in template.capabilities if one not in given and "CAPABILITY_NAMED_IAM" not in given]
        if lacking:
            raise Refused("InsufficientCapabilitiesException", f"Requires capabilities : [{', '.join(lacking)}]")
        before = stack.definition
        role_arn = request.get("RoleARN", before.role_arn)
        if role_arn is not None and not self.account.service(Iam).lets_in(role_arn, "cloudformation.amazonaws.com"):
            raise Refused("ValidationError", f"Role {role_arn} is invalid or cannot be assumed")
        look_up = self.account.service(Ssm).values_of
        tags = {tag["Key"]: tag["Value"] for tag in request["Tags"]} if "Tags" in request else before.tags
        return StackDefinition(
            template=template,
            values=values_of(template, request.get("Parameters", []), before.values, look_up),
            tags=tags,
            capabilities=tuple(given),
            role_arn=role_arn,
        )

    def new_stack(self, name: str) -> Stack:
        """Return a stack without anything in it, which is not among the account's stacks yet."""
        now = self.account.now()
        number = self.account.hexadecimal_id("stack", 12)
        arn = self.account.arn("cloudformation", f"stack/{name}/{uuid_like(number)}")
        return Stack(name=name, id=arn, created=now, definition=EMPTY)

    def refuse_to_update(self, stack: Stack) -> None:
        """Raise Refused if the stack's status allows no update."""
        if stack.status not in UPDATABLE:
            raise Refused("ValidationError", f"Stack:{stack.id} is in {stack.status} state and can not be updated.")

    def _template_of(self, request: Request) -> Template:
        if "ChangeSetName" in request:
            return self._change_set(request).definition.template
        return super()._template_of(request)

    def _stack_of(self, request: Request, kind: str) -> Stack:
        name = request["StackName"]
        existing = self.existing(name)
        if kind == "UPDATE":
            found = self._named(name) if existing is None else existing
            self.refuse_to_update(found)
            return found
        if existing is not None and existing.status != "REVIEW_IN_PROGRESS":
            message = f"Stack [{name}] already exists and cannot be created again with the changeSet"
            raise Refused("ValidationError", f"{message} [{request['ChangeSetName']}].")
        return existing or self.new_stack(name)

    def _refuse_taken(self, stack: Stack, name: str) -> None:
        if any(one.stack is stack and one.name == name and one.has_name for one in self.change_sets):
            message = f"ChangeSet {name} cannot be created due to a mismatch with existing attribute Template"
            raise Refused("AlreadyExistsException", message)

    def _change_set(self, request: Request) -> ChangeSet:
        name = request["ChangeSetName"]
        for one in self.change_sets:
            named = one.has_name and one.name == name and request.get("StackName") in (one.stack.name, one.stack.id)
            if one.id == name or named:
                return one
        raise Refused("ChangeSetNotFound", f"ChangeSet [{name}] does not exist", status=404)

    def _cannot(self, one: ChangeSet, done: str) -> Refused:
        unavailable = one.execution == "UNAVAILABLE"
        state = f"status of [{one.status}]" if unavailable else f"execution status of [{one.execution}]"
        return Refused("InvalidChangeSetStatus", f"ChangeSet [{one.id}] cannot be {done} in its current {state}")


def description_of(one: ChangeSet) -> dict[str, Any]:
    """Return a change set as ListChangeSets does."""
    shown = {
        "ChangeSetId": one.id,
        "ChangeSetName": one.name,
        "StackId": one.stack.id,
        "StackName": one.stack.name,
        "Description": one.description or None,
        "CreationTime": one.created,
        "Status": one.status,
        "ExecutionStatus": one.execution,
        "StatusReason": one.reason or None,
    }
    return without_none(shown)


def uuid_like(number: str) -> str:
    """Return twelve digits in the form of a UUID, as ARNs of stacks and change sets end."""
    return f"{number[:8]}-{number[8:12]}-4000-8000-{number}"
