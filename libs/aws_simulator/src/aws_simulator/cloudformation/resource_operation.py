"""The work on one resource, second by second: create it, restore it, or delete it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from aws_simulator.account import Account
from aws_simulator.cloudformation.intrinsics import Scope, resolve
from aws_simulator.cloudformation.resources import handler_of
from aws_simulator.cloudformation.resources.handler import NAMES, Handler, Made, Wanted, create_only
from aws_simulator.cloudformation.stack import Stack, StackResource
from aws_simulator.cloudformation.template import Json, Resource
from aws_simulator.documented import violations_in_properties
from aws_simulator.service import Refused

State = Literal["waiting", "running", "done", "failed"]
Verb = Literal["CREATE", "UPDATE", "DELETE"]

REPLACING: Final = "Requested update requires the creation of a new physical resource; hence creating one."
CANCELLED: Final[Mapping[Verb, str]] = {
    "CREATE": "Resource creation cancelled",
    "UPDATE": "Resource update cancelled",
    "DELETE": "Resource deletion cancelled",
}

FaultInjection = Callable[[str, str], str | None]
"""Returns why a resource fails if a test injects a failure, from stack and logical id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What the tasks of one operation share; `token` is the caller's, for the events."""

    account: Account
    stack: Stack
    token: str | None
    fault: FaultInjection


class Task(ABC):
    """`after` holds the logical ids of tasks that have to be done before."""

    verb: Verb

    def __init__(self, run: Run, logical_id: str, after: frozenset[str]) -> None:
        self.account = run.account
        self.stack = run.stack
        self.logical_id = logical_id
        self.after = after
        self.state: State = "waiting"
        self._run = run
        self._seconds: float | None = None

    @property
    def resource(self) -> StackResource:
        """The resource that the task works on."""
        return self.stack.resources[self.logical_id]

    @abstractmethod
    def begin(self) -> None:
        """Begin. A task with nothing to do is done at once."""

    @abstractmethod
    def _call(self) -> Handler:
        """Call the service, and return the handler that did."""

    def _start(self, reason: str = "") -> None:
        self.state = "running"
        self.add_event("IN_PROGRESS", reason)

    def advance(self) -> None:
        """Advance by a second: call in the first, complete when the resource is stable."""
        try:
            if self._seconds is None:
                self._seconds = self._call().SECONDS
                return
            self._seconds -= 1
            if self._seconds <= 0 and self._is_stable():
                self._complete()
        except Refused as refused:
            self.fail(self._message_of(refused))

    def _complete(self) -> None:
        reason = self._run.fault(self.stack.name, self.logical_id)
        if reason is not None:
            self.fail(reason)
            return
        self.state = "done"
        self.add_event("COMPLETE")

    def fail(self, reason: str) -> None:
        """End without success."""
        self.state = "failed"
        self.add_event("FAILED", reason)

    def cancel(self) -> None:
        """Fail because another resource has failed."""
        self.fail(CANCELLED[self.verb])

    def add_event(self, state: str, reason: str = "") -> None:
        self.stack.add_resource_event(
            self.resource, self.account.now(), f"{self.verb}_{state}", reason, self._run.token
        )

    def _is_stable(self) -> bool:
        handler = handler_of(self.resource.definition.type)
        return handler.is_stable(self.account, made_of(self.resource))

    def _wanted(self, properties: Json) -> Wanted:
        return Wanted(
            account=self.account,
            stack=self.stack.name,
            logical_id=self.logical_id,
            type=self.resource.definition.type,
            properties=properties,
        )

    def _message_of(self, refused: Refused) -> str:
        """Return a service's message in the words of a resource handler."""
        service = self.resource.definition.type.split("::")[1]
        request = self.account.hexadecimal_id("handler request")
        code = "AlreadyExists" if "Exist" in refused.code and "NotExist" not in refused.code else "InvalidRequest"
        return (
            f'Resource handler returned message: "{refused.message} (Service: {service}, Status Code: '
            f'{refused.status}, Request ID: {request})" (RequestToken: {request}, HandlerErrorCode: {code})'
        )


class Make(Task):
    """Create a resource, or update it unless its text is that of the last update."""

    def __init__(self, run: Run, definition: Resource, after: frozenset[str], scope: Scope) -> None:
        super().__init__(run, definition.logical_id, after)
        self.before: StackResource | None = None
        """What it was, if it is changed; None where it is new or stays as it is."""
        self.replaces = False
        existing = run.stack.resources.get(definition.logical_id)
        self.verb = "UPDATE" if existing is not None and existing.physical_id else "CREATE"
        self._definition = definition
        self._scope = scope

    @property
    def touched(self) -> bool:
        return self.state != "waiting" and (self.verb == "CREATE" or self.before is not None)

    def begin(self) -> None:
        given = resolve(dict(self._definition.properties), self._scope)
        if self.verb == "CREATE":
            self._begin_new(given)
        elif self.resource.given == given and not self.resource.failed:
            self.resource.definition, self.resource.needs = self._definition, self.after
            self.state = "done"
        else:
            self._begin_change(given)

    def _begin_new(self, given: dict[str, Any]) -> None:
        self.stack.resources[self.logical_id] = StackResource(
            definition=self._definition, given=given, changed=self.account.now(), needs=self.after
        )
        self._start()

    def _begin_change(self, given: dict[str, Any]) -> None:
        resource, kind = self.resource, self._definition.type
        self.before = replace(resource)
        changed = changed_names(resource.given, given)
        self.replaces = bool(changed & create_only(kind)) or resource.definition.type != kind
        name = NAMES.get(kind)
        resource.definition, resource.given, resource.needs = self._definition, given, self.after
        self._start(REPLACING if self.replaces else "")
        if self.replaces and name is not None and name not in changed and name in given:
            self.replaces = False
            self.fail(
                "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename "
                f"{given[name]} and update the stack again."
            )

    def _call(self) -> Handler:
        resource, handler = self.resource, handler_of(self._definition.type)
        wanted = self._wanted(resource.given)
        for violation in violations_in_properties(self._definition.type, resource.given):
            raise Refused("InvalidParameterValue", violation)
        if self.before is None or self.replaces:
            made = handler.create(wanted)
            resource.physical_id, resource.attributes = made.physical_id, made.attributes
            self.add_event("IN_PROGRESS", "Resource creation Initiated")
        else:
            made = handler.update(wanted, made_of(resource), self.before.given)
            resource.physical_id, resource.attributes = made.physical_id, made.attributes
        return handler


class Restore(Task):
    """Write a resource as it was before an update that has failed."""

    verb = "UPDATE"

    def __init__(self, run: Run, before: StackResource, after: frozenset[str], *, replaced: bool) -> None:
        super().__init__(run, before.logical_id, after)
        self.before = before
        self.replaced = replaced

    def begin(self) -> None:
        self._start()

    def _call(self) -> Handler:
        """Restore it. A resource that was replaced still exists as it was."""
        resource, handler = self.resource, handler_of(self.before.definition.type)
        failed, resource.definition = resource.given, self.before.definition
        resource.given, resource.needs = self.before.given, self.before.needs
        resource.physical_id, resource.attributes = self.before.physical_id, self.before.attributes
        if not self.replaced:
            handler.update(self._wanted(resource.given), made_of(resource), failed)
        return handler


class Delete(Task):
    """Delete the physical resource, or keep it where the template says so."""

    verb = "DELETE"

    def __init__(self, run: Run, resource: StackResource, after: frozenset[str], *, kept: bool) -> None:
        super().__init__(run, resource.logical_id, after)
        self._resource = resource
        self._kept = kept or not resource.physical_id

    @property
    def resource(self) -> StackResource:
        return self._resource

    def begin(self) -> None:
        if self._kept:
            self.state = "done"
            self.add_event("SKIPPED" if self._resource.physical_id else "COMPLETE")
            self._forget()
        else:
            self._start()

    def _call(self) -> Handler:
        resource, handler = self._resource, handler_of(self._resource.definition.type)
        handler.delete(self.account, made_of(resource), resource.given)
        return handler

    def _is_stable(self) -> bool:
        return True

    def _complete(self) -> None:
        super()._complete()
        if self.state == "done":
            self._forget()

    def _forget(self) -> None:
        if self.stack.resources.get(self.logical_id) is self._resource:
            del self.stack.resources[self.logical_id]


def made_of(resource: StackResource) -> Made:
    """Return a resource as its handler knows it."""
    return Made(physical_id=resource.physical_id, attributes=resource.attributes)


def changed_names(before: Json, after: Json) -> frozenset[str]:
    """Return the top-level properties whose texts differ."""
    return frozenset(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
