"""One operation on a stack, from its first event to its last: creation, update or deletion, with its rollback.

Resources are created as soon as their dependencies exist. When one fails, the others are cancelled and the stack is
rolled back: a new stack is deleted, a changed one is written as before, whatever the state of its resources is
(decision 0014). Resources that an update removes are deleted last, when no rollback can follow.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from aws_simulator.account import Account
from aws_simulator.cloudformation.intrinsics import condition, resolve
from aws_simulator.cloudformation.resource_operation import Delete, FaultInjection, Make, Restore, Run, Task
from aws_simulator.cloudformation.stack import Existing, Stack, StackDefinition, StackResource
from aws_simulator.cloudformation.template import needs

OnFailure = Literal["ROLLBACK", "DELETE", "DO_NOTHING"]
Undoes = Literal["nothing", "creation", "everything"]
"""Whether a deletion undoes what the operation has created, and whether templates may keep some of it."""
Phase = Literal["make", "restore", "delete", "clean_up", "finished"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationOptions:
    """Args:
    on_failure: what happens to the stack then.
    keeps_nothing_new: a rollback deletes what the operation created, whatever the template says.
    token: for the events.
    """

    on_failure: OnFailure = "ROLLBACK"
    keeps_nothing_new: bool = False
    token: str | None = None


class Operation:
    """Args:
    verb: CREATE also means that the stack is deleted again when it fails.
    before: the definition to which an update rolls back.
    options: what the caller asked for.
    """

    def __init__(
        self,
        account: Account,
        stack: Stack,
        verb: Literal["CREATE", "UPDATE", "DELETE"],
        *,
        before: StackDefinition,
        options: OperationOptions,
        fault: FaultInjection,
    ) -> None:
        self.stack = stack
        self.verb = verb
        self._run = Run(account=account, stack=stack, token=options.token, fault=fault)
        self._before = before
        self._options = options
        self._tasks: Sequence[Task] = ()
        self._phase: Phase = "finished"
        self._end: str = ""
        self._obsolete: list[StackResource] = []
        self._unrestored: list[Restore] = []

    def start(self) -> None:
        """Begin with everything that waits for nothing."""
        self._add_event(f"{self.verb}_IN_PROGRESS", "User Initiated")
        if self.verb == "DELETE":
            self._delete("delete", self.stack.resources.values(), end="DELETE_COMPLETE")
            return
        definition = self.stack.definition
        scope = definition.scope(self._run.account, self.stack, Existing(self.stack))
        wanted = definition.wanted(scope)
        order = needs(wanted)
        self._phase = "make"
        self._tasks = [Make(self._run, resource, order[name], scope) for name, resource in wanted.items()]
        self._begin_ready()

    @property
    def finished(self) -> bool:
        return self._phase == "finished"

    def step(self) -> None:
        """Advance by a second. After a failure nothing more begins."""
        for task in self._tasks:
            if task.state == "running":
                task.advance()
        if not self._failed():
            self._begin_ready()
        failed = self._failed()
        if failed:
            self._fail(failed)
        elif all(task.state == "done" for task in self._tasks):
            self._go_on()

    def _failed(self) -> list[Task]:
        return [task for task in self._tasks if task.state == "failed"]

    def _begin_ready(self) -> None:
        """Begin what can begin. A task with nothing to do is done at once, and may let others begin."""
        progressed = True
        while progressed:
            progressed = False
            open_ids = {task.logical_id for task in self._tasks if task.state != "done"}
            for task in self._tasks:
                if task.state == "waiting" and not task.after & open_ids:
                    task.begin()
                    progressed = True
            if self._failed():
                return

    def _go_on(self) -> None:
        match self._phase:
            case "make":
                self._made()
            case "restore":
                self._restored()
            case "delete" | "clean_up":
                self._finish(self._end)
            case "finished":
                pass

    def _made(self) -> None:
        self._resolve_outputs()
        if self.verb == "CREATE":
            self._finish("CREATE_COMPLETE")
            return
        makes = [task for task in self._tasks if isinstance(task, Make)]
        replaced = [task.before for task in makes if task.replaces and task.before is not None]
        wanted = {task.logical_id for task in makes}
        removed = [one for name, one in self.stack.resources.items() if name not in wanted]
        self._add_event("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        self._delete("clean_up", [*removed, *replaced], end="UPDATE_COMPLETE", replaced=replaced)

    def _fail(self, failed: Sequence[Task]) -> None:
        match self._phase:
            case "make":
                self._fail_making(failed)
            case "restore":
                self._unrestored = [task for task in self._tasks if isinstance(task, Restore) and task.state != "done"]
                self._finish("UPDATE_ROLLBACK_FAILED", sentence("update", failed))
            case "clean_up":
                self._finish_when_still(self._end, "")
            case "delete":
                end = "ROLLBACK_FAILED" if self.verb == "CREATE" else "DELETE_FAILED"
                self._finish_when_still(end, sentence("delete", failed))
            case "finished":
                pass

    def _finish_when_still(self, end: str, reason: str) -> None:
        """Finish once no task is in progress. A deletion that fails does not stop the others."""
        if not any(task.state == "running" for task in self._tasks):
            self._finish(end, reason)

    def _fail_making(self, failed: Sequence[Task]) -> None:
        verb = "create" if self.verb == "CREATE" else "update"
        for task in self._tasks:
            if task.state == "running":
                task.cancel()
        if self._options.on_failure == "DO_NOTHING":
            self._finish(f"{self.verb}_FAILED", sentence(verb, failed))
        elif self.verb == "UPDATE":
            self._add_event("UPDATE_ROLLBACK_IN_PROGRESS", sentence(verb, failed))
            self._roll_back()
        else:
            reason = sentence(verb, failed) + "Rollback requested by user."
            deleting = self._options.on_failure == "DELETE"
            self._add_event("DELETE_IN_PROGRESS" if deleting else "ROLLBACK_IN_PROGRESS", reason)
            end = "DELETE_COMPLETE" if deleting else "ROLLBACK_COMPLETE"
            self._delete("delete", self.stack.resources.values(), end=end, undoes="creation")

    def _roll_back(self) -> None:
        """Roll back: write only what the update has touched."""
        self.stack.definition = self._before
        touched = [task for task in self._tasks if isinstance(task, Make) and task.touched]
        self._obsolete = [
            replace(task.resource) for task in touched if (task.replaces or task.before is None) and is_made(task)
        ]
        for task in touched:
            if task.before is None:
                del self.stack.resources[task.logical_id]
        restored = [
            Restore(self._run, task.before, task.before.needs, replaced=task.replaces)
            for task in touched
            if task.before is not None
        ]
        self._restore(restored)

    def _restore(self, tasks: Sequence[Restore]) -> None:
        self._phase, self._tasks = "restore", tasks
        self._begin_ready()

    def _restored(self) -> None:
        self._resolve_outputs()
        self._add_event("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
        self._delete("clean_up", self._obsolete, end="UPDATE_ROLLBACK_COMPLETE", undoes="creation")

    def go_on_rolling_back(self, skipped: Iterable[str]) -> None:
        """Continue after UPDATE_ROLLBACK_FAILED. Skipped resources count as written as before."""
        self._add_event("UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated")
        again = [task for task in self._unrestored if task.logical_id not in set(skipped)]
        for task in self._unrestored:
            if task not in again:
                resource = self.stack.resources[task.logical_id]
                resource.given, resource.definition = task.before.given, task.before.definition
                task.add_event("COMPLETE")
        self._restore([Restore(self._run, one.before, one.after, replaced=one.replaced) for one in again])

    def _delete(
        self,
        phase: Literal["delete", "clean_up"],
        resources: Iterable[StackResource],
        *,
        end: str,
        undoes: Undoes = "nothing",
        replaced: Sequence[StackResource] = (),
    ) -> None:
        self._phase, self._end = phase, end
        if undoes == "creation" and self._options.keeps_nothing_new:
            undoes = "everything"
        wanted = list(resources)
        # Each comes after those that need it.
        self._tasks = [
            Delete(
                self._run,
                resource,
                frozenset(other.logical_id for other in wanted if resource.logical_id in other.needs),
                kept=is_kept(resource, undoes=undoes, replaced=any(resource is one for one in replaced)),
            )
            for resource in wanted
        ]
        self._begin_ready()

    def _finish(self, end: str, reason: str = "") -> None:
        self._phase, self._tasks = "finished", ()
        self._add_event(end, reason)
        if end == "DELETE_COMPLETE":
            self.stack.deleted = self._run.account.now()

    def _add_event(self, status: str, reason: str = "") -> None:
        self.stack.add_event(self._run.account.now(), status, reason, self._run.token)

    def _resolve_outputs(self) -> None:
        definition = self.stack.definition
        scope = definition.scope(self._run.account, self.stack, Existing(self.stack))
        self.stack.outputs = {
            name: resolve(body, scope)
            for name, body in definition.template.outputs.items()
            if "Condition" not in body or condition(body["Condition"], scope)
        }


def is_kept(resource: StackResource, *, undoes: Undoes, replaced: bool) -> bool:
    """Return whether the resource stays. RetainExceptOnCreate deletes what the operation itself has created."""
    policy = resource.definition.replace_policy if replaced else resource.definition.deletion_policy
    return (policy == "Retain" and undoes != "everything") or (policy == "RetainExceptOnCreate" and undoes == "nothing")


def is_made(task: Make) -> bool:
    """Return whether it has a physical resource of its own, other than the one before."""
    return bool(task.resource.physical_id) and (
        task.before is None or task.resource.physical_id != task.before.physical_id
    )


def sentence(verb: str, failed: Sequence[Task]) -> str:
    """Return CloudFormation's sentence about the resources that failed."""
    names = ", ".join(task.logical_id for task in failed)
    return f"The following resource(s) failed to {verb}: [{names}]. "
