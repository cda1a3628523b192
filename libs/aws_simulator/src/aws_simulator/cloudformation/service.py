"""CloudFormation's operations that change stacks."""

import json
from collections.abc import Iterable
from typing import Any, Final, Literal

from aws_simulator.account import Account
from aws_simulator.cloudformation.change_sets import EMPTY, ChangeSets
from aws_simulator.cloudformation.differences import changes
from aws_simulator.cloudformation.operation import OnFailure, Operation, OperationOptions
from aws_simulator.cloudformation.stack import Stack, StackDefinition
from aws_simulator.policies import is_allowed
from aws_simulator.service import Answer, Refused, Request

NO_UPDATES: Final = "No updates are to be performed."


class CloudFormation(ChangeSets):
    """CloudFormation. A test may let a resource fail with `fail_resource`."""

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self._failing: dict[tuple[str, str], list[str]] = {}

    def fail_resource(self, stack: str, logical_id: str, reason: str, *, times: int = 1) -> None:
        """Let the resource fail with this reason when it would next complete."""
        self._failing.setdefault((stack, logical_id), []).extend([reason] * times)

    @property
    def quiet(self) -> bool:
        return super().quiet and all(operation.finished for operation in self._operations.values())

    def step(self) -> None:
        super().step()
        for operation in list(self._operations.values()):
            if not operation.finished:
                operation.step()
                if operation.finished:
                    self._note_end(operation)

    def execute_change_set(self, request: Request) -> Answer:
        one = self._change_set(request)
        if one.execution != "AVAILABLE":
            raise self._cannot(one, "executed")
        self._refuse_by_policy(one.stack, one.changes)
        one.execution = "EXECUTE_IN_PROGRESS"
        one.stack.change_set_id = one.id
        # Of the stack's other change sets, only those that were executed themselves stay.
        self.change_sets = [
            other
            for other in self.change_sets
            if other.stack is not one.stack or other is one or other.execution.startswith("EXECUTE")
        ]
        self._begin(one.stack, one.kind, one.definition, options_of(request, one.on_failure))
        return {}

    def create_stack(self, request: Request) -> Answer:
        if self.existing(request["StackName"]) is not None:
            raise Refused("AlreadyExistsException", f"Stack [{request['StackName']}] already exists")
        stack = self.new_stack(request["StackName"])
        stack.protected = request.get("EnableTerminationProtection", False)
        definition = self.definition_of(request, stack)
        self.stacks.append(stack)
        self._begin(stack, "CREATE", definition, options_of(request, request.get("OnFailure", "ROLLBACK")))
        return {"StackId": stack.id}

    def update_stack(self, request: Request) -> Answer:
        stack = self._named(request["StackName"])
        self.refuse_to_update(stack)
        definition = self.definition_of(request, stack)
        found = changes(self.account, stack, definition)
        if not found and not definition.differs_beside_resources(stack.definition):
            raise Refused("ValidationError", NO_UPDATES)
        self._refuse_by_policy(stack, found)
        self._begin(stack, "UPDATE", definition, options_of(request, "ROLLBACK"))
        return {"StackId": stack.id}

    def delete_stack(self, request: Request) -> Answer:
        """Delete a stack. A missing stack counts as deleted."""
        stack = self.existing(request["StackName"])
        if stack is None or stack.status == "DELETE_IN_PROGRESS":
            return {}
        if stack.protected:
            message = f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
            raise Refused("ValidationError", message)
        if stack.busy:
            raise Refused("ValidationError", f"Stack:{stack.id} is in {stack.status} state and can not be deleted.")
        self._begin(stack, "DELETE", stack.definition, options_of(request, "ROLLBACK"))
        return {}

    def continue_update_rollback(self, request: Request) -> Answer:
        stack = self._named(request["StackName"])
        if stack.status != "UPDATE_ROLLBACK_FAILED":
            message = f"Stack:{stack.id} is in {stack.status} state and can not continue to roll back its update."
            raise Refused("ValidationError", message)
        self._operations[stack.id].go_on_rolling_back(request.get("ResourcesToSkip", []))
        return {}

    def _begin(
        self,
        stack: Stack,
        verb: Literal["CREATE", "UPDATE", "DELETE"],
        definition: StackDefinition,
        options: OperationOptions,
    ) -> None:
        before = EMPTY if verb == "CREATE" else stack.definition
        operation = Operation(self.account, stack, verb, before=before, options=options, fault=self._fault)
        stack.definition = definition
        if verb == "UPDATE":
            stack.updated = self.account.now()
        self._operations[stack.id] = operation
        operation.start()

    def _fault(self, stack: str, logical_id: str) -> str | None:
        reasons = self._failing.get((stack, logical_id))
        return reasons.pop(0) if reasons else None

    def _note_end(self, operation: Operation) -> None:
        for one in self.change_sets:
            if one.stack is operation.stack and one.execution == "EXECUTE_IN_PROGRESS":
                succeeded = one.stack.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
                one.execution = "EXECUTE_COMPLETE" if succeeded else "EXECUTE_FAILED"

    def _refuse_by_policy(self, stack: Stack, found: Iterable[dict[str, Any]]) -> None:
        """Refuse changes that the stack policy forbids. A policy protects every resource that it does not name."""
        if stack.policy is None:
            return
        document = json.loads(stack.policy)
        for change in (one["ResourceChange"] for one in found):
            action = update_action(change)
            resource = f"LogicalResourceId/{change['LogicalResourceId']}"
            context = {"ResourceType": change["ResourceType"]}
            if action is not None and not is_allowed([document], action, resource, context).allowed:
                message = f"Action denied by stack policy: [{action}] is not allowed for resource [{resource}]"
                raise Refused("ValidationError", message)


def options_of(request: Request, on_failure: OnFailure) -> OperationOptions:
    """Return the options in a request; DisableRollback comes before `on_failure`."""
    return OperationOptions(
        on_failure="DO_NOTHING" if request.get("DisableRollback", False) else on_failure,
        keeps_nothing_new=request.get("RetainExceptOnCreate", False),
        token=request.get("ClientRequestToken"),
    )


def update_action(change: dict[str, Any]) -> str | None:
    """Return the action that a stack policy allows or denies for a change.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/protect-stack-resources.html
    """
    match change["Action"], change.get("Replacement"):
        case "Modify", "True":
            return "Update:Replace"
        case "Modify", _:
            return "Update:Modify"
        case "Remove", _:
            return "Update:Delete"
        case _:
            return None
