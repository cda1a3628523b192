"""One stack through its change set, whatever state it is found in."""

import json
from dataclasses import replace
from typing import Any

import pytest

from platform_sdk.deploy.apply.events import (
    ApplyEvent,
    Changing,
    Declined,
    Question,
    ResourceMoved,
    StackFailed,
    TemplateTooLarge,
    ToChange,
    ToDelete,
    Warned,
    WouldBeLost,
)
from platform_sdk.deploy.apply.stack import DesiredStack, apply_stack
from platform_sdk.deploy.release.context import Interrupted, Interrupts
from platform_sdk.deploy.state import Json
from tests.support.applying import Applying, empty_account

NAME = "platform-staging-things"


def resource(type: str, policy: str = "Delete", **properties: Any) -> dict[str, Any]:
    return {"Type": type, "DeletionPolicy": policy, "UpdateReplacePolicy": policy, "Properties": properties}


QUEUE = resource("AWS::SQS::Queue", QueueName="staging-things")
TOPIC = resource("AWS::SNS::Topic", TopicName="things")
LOGS = resource("AWS::Logs::LogGroup", policy="Retain", LogGroupName="/things", RetentionInDays=7)


def things(*, parameters: tuple[Json, ...] = (), **resources: dict[str, Any]) -> DesiredStack:
    return DesiredStack(
        name=NAME,
        environment="staging",
        template=json.dumps({"Resources": resources}),
        parameters=parameters,
        tags={"platform:environment": "staging"},
        protect=True,
    )


FIRST = things(Queue=QUEUE, Topic=TOPIC)
SECOND = things(Queue=QUEUE, Topic=TOPIC, Logs=LOGS)


def resources(account: Applying) -> set[str]:
    found = account.aws().stacks.resources(NAME)
    return {each.logical_id for each in found if not each.status.startswith("DELETE")}


def test_a_stack_is_created_protected_and_reported_by_resource() -> None:
    account = empty_account()

    outcome = apply_stack(FIRST, account.context())

    assert outcome.action == "created"
    assert {(each.action, each.logical_id) for each in outcome.changes} == {("Add", "Queue"), ("Add", "Topic")}
    assert account.status(NAME) == "CREATE_COMPLETE"
    stack = account.aws().stacks.stack(NAME)
    assert stack is not None
    assert stack.is_protected
    assert stack.tags == {"platform:environment": "staging"}
    assert ("Queue", "CREATE_IN_PROGRESS") in account.moved()
    assert account.moved()[-1] == (NAME, "CREATE_COMPLETE")
    assert [type(question) for question in account.questions] == [ToChange]


def test_an_up_to_date_stack_is_left_unchanged() -> None:
    account = empty_account()
    apply_stack(FIRST, account.context())
    account.simulator.calls.clear()
    account.questions.clear()

    outcome = apply_stack(FIRST, account.context())

    assert (outcome.action, outcome.changes, account.questions) == ("unchanged", (), [])
    assert account.written() == ["CreateChangeSet", "DeleteChangeSet"]
    assert all(each.changes for each in account.cloudformation.change_sets)


def test_an_update_changes_what_differs_and_keeps_the_tags() -> None:
    account = empty_account()
    apply_stack(FIRST, account.context())

    outcome = apply_stack(replace(SECOND, tags={"other": "tag"}), account.context())

    assert outcome.action == "updated"
    assert [(each.action, each.logical_id) for each in outcome.changes] == [("Add", "Logs")]
    stack = account.aws().stacks.stack(NAME)
    assert stack is not None
    assert stack.tags == {"platform:environment": "staging"}


def test_without_consent_the_stack_is_unchanged() -> None:
    account = empty_account()
    apply_stack(FIRST, account.context())

    with pytest.raises(Declined, match="is unchanged"):
        apply_stack(SECOND, account.context(agree=lambda _question: False))

    assert resources(account) == {"Queue", "Topic"}
    assert all(each.execution != "AVAILABLE" for each in account.cloudformation.change_sets)
    assert apply_stack(SECOND, account.context()).action == "updated"


def test_a_creation_that_was_declined_may_be_made_later() -> None:
    account = empty_account()
    with pytest.raises(Declined):
        apply_stack(FIRST, account.context(agree=lambda _question: False))
    assert account.status(NAME) == "REVIEW_IN_PROGRESS"

    assert apply_stack(FIRST, account.context()).action == "created"


@pytest.mark.parametrize("allowed", [False, True])
@pytest.mark.parametrize(
    ("desired", "expected"),
    [
        (things(Topic=TOPIC), "would be deleted"),
        (
            things(Queue=resource("AWS::SQS::Queue", QueueName="another"), Topic=TOPIC),
            "would be replaced by an empty one because of QueueName",
        ),
    ],
)
def test_a_queue_is_replaced_only_if_it_is_named(allowed: bool, desired: DesiredStack, expected: str) -> None:
    account = empty_account()
    apply_stack(FIRST, account.context())
    account.questions.clear()
    if allowed:
        assert apply_stack(desired, account.context(replaceable=frozenset({"Queue"}))).action == "updated"
        return

    with pytest.raises(WouldBeLost) as raised:
        apply_stack(desired, account.context(replaceable=frozenset({"Topic"})))

    assert expected in (raised.value.because or "")
    assert raised.value.hint == "if you mean it, add --allow-replace Queue"
    assert [each.logical_id for each in raised.value.losses] == ["Queue"]
    assert account.questions == []
    assert "ExecuteChangeSet" not in account.written()[-2:]
    assert resources(account) == {"Queue", "Topic"}


def test_what_leaves_the_stack_and_is_kept_is_not_lost() -> None:
    account = empty_account()
    apply_stack(SECOND, account.context())

    assert apply_stack(FIRST, account.context()).action == "updated"


def test_a_failure_names_the_first_resource_the_reason_and_the_remedy() -> None:
    account = empty_account()
    account.cloudformation.fail_resource(NAME, "Queue", "Resource of type 'AWS::SQS::Queue' already exists.")

    with pytest.raises(StackFailed) as raised:
        apply_stack(FIRST, account.context())

    error = raised.value
    assert error.what == f"{NAME} is ROLLBACK_COMPLETE: Queue (AWS::SQS::Queue) failed first"
    assert error.because == "Resource of type 'AWS::SQS::Queue' already exists."
    assert "created outside this stack" in (error.hint or "")
    assert error.resource is not None
    assert error.resource.logical_id == "Queue"


def test_a_creation_that_failed_is_deleted_after_a_question_and_made_anew() -> None:
    account = empty_account()
    account.cloudformation.fail_resource(NAME, "Queue", "Access denied")
    with pytest.raises(StackFailed, match="ROLLBACK_COMPLETE"):
        apply_stack(FIRST, account.context())
    account.questions.clear()

    with pytest.raises(Declined, match="must be deleted"):
        apply_stack(FIRST, account.context(agree=lambda question: not isinstance(question, ToDelete)))
    assert account.status(NAME) == "ROLLBACK_COMPLETE"
    assert apply_stack(FIRST, account.context()).action == "created"

    assert account.status(NAME) == "CREATE_COMPLETE"
    assert [type(question) for question in account.questions] == [ToDelete, ToDelete, ToChange]


def test_an_update_that_failed_is_rolled_back_and_may_be_tried_again() -> None:
    account = empty_account()
    apply_stack(FIRST, account.context())
    account.cloudformation.fail_resource(NAME, "Logs", "Rate exceeded")

    with pytest.raises(StackFailed) as raised:
        apply_stack(SECOND, account.context())

    assert raised.value.status == "UPDATE_ROLLBACK_COMPLETE"
    assert raised.value.hint == "too many requests at once: run the same command again"
    assert resources(account) == {"Queue", "Topic"}
    assert apply_stack(SECOND, account.context()).action == "updated"


def stuck_in_rollback(account: Applying) -> None:
    """An update that failed, and whose rollback failed as well."""
    apply_stack(FIRST, account.context())
    renamed = things(Queue=QUEUE, Topic=resource("AWS::SNS::Topic", TopicName="things", DisplayName="x"), Logs=LOGS)
    account.cloudformation.fail_resource(NAME, "Logs", "no")
    changed = {"n": 0}

    def fail_the_way_back(event: ApplyEvent) -> None:
        if isinstance(event, ResourceMoved) and event.event.status == "UPDATE_ROLLBACK_IN_PROGRESS":
            changed["n"] += 1
            account.cloudformation.fail_resource(NAME, "Topic", "still no")

    with pytest.raises(StackFailed):
        apply_stack(renamed, account.context(on_event=fail_the_way_back))
    assert changed["n"]


def test_a_rollback_that_stopped_halfway_continues_after_a_question() -> None:
    account = empty_account()
    stuck_in_rollback(account)
    assert account.status(NAME) == "UPDATE_ROLLBACK_FAILED"

    with pytest.raises(Declined, match="its rollback must continue"):
        apply_stack(SECOND, account.context(agree=lambda _question: False))
    assert apply_stack(SECOND, account.context()).action == "updated"


def test_a_rollback_that_stops_again_says_what_to_leave_out() -> None:
    account = empty_account()
    stuck_in_rollback(account)
    account.cloudformation.fail_resource(NAME, "Topic", "still no")

    with pytest.raises(StackFailed, match="stopped again") as raised:
        apply_stack(SECOND, account.context())

    assert (raised.value.hint or "").endswith("skip that resource: --skip Topic")


def test_a_resource_is_skipped_by_its_name_with_a_warning() -> None:
    account = empty_account()
    stuck_in_rollback(account)
    account.cloudformation.fail_resource(NAME, "Topic", "still no", times=9)

    outcome = apply_stack(FIRST, account.context(skippable=frozenset({"Topic", "Queue"})))

    assert (outcome.action, account.status(NAME)) == ("repaired", "UPDATE_ROLLBACK_COMPLETE")
    (call,) = [call for call in account.simulator.calls if call.operation == "ContinueUpdateRollback"]
    assert call.parameters["ResourcesToSkip"] == ["Topic"]
    expected = [each.what for each in account.emitted if isinstance(each, Warned)]
    assert expected == ["Topic was not rolled back: CloudFormation assumes that it was, so restore it manually"]


def test_a_stack_in_the_state_of_a_failed_update_continues_from_there() -> None:
    account = empty_account()
    apply_stack(FIRST, account.context())
    account.cloudformation.fail_resource(NAME, "Logs", "Rate exceeded")
    with pytest.raises(StackFailed, match="is UPDATE_FAILED: Logs"):
        apply_stack(replace(SECOND, rolls_back=False), account.context())
    assert account.status(NAME) == "UPDATE_FAILED"

    assert apply_stack(SECOND, account.context()).action == "updated"
    assert account.status(NAME) == "UPDATE_COMPLETE"


def test_what_somebody_else_has_begun_is_followed_to_its_end_first() -> None:
    account = empty_account()
    client = account.simulator.client("cloudformation")
    client.create_stack(StackName=NAME, TemplateBody=FIRST.template)
    assert account.status(NAME) == "CREATE_IN_PROGRESS"

    assert apply_stack(SECOND, account.context()).action == "updated"

    assert account.moved().index((NAME, "CREATE_COMPLETE")) < account.moved().index((NAME, "UPDATE_IN_PROGRESS"))


def test_a_failed_update_of_somebody_else_is_a_warning() -> None:
    account = empty_account()
    apply_stack(FIRST, account.context())
    more = things(Queue=QUEUE, Topic=TOPIC, More=resource("AWS::SQS::Queue", QueueName="more"))
    account.cloudformation.fail_resource(NAME, "More", "no")
    account.simulator.client("cloudformation").update_stack(StackName=NAME, TemplateBody=more.template)

    assert apply_stack(more, account.context()).action == "updated"

    assert [each.what for each in account.emitted if isinstance(each, Warned)] == ["More failed: no"]


def test_a_template_that_cloudformation_refuses_is_an_error_with_a_remedy() -> None:
    account = empty_account()
    lost = {"Vpc": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/platform/staging/network/vpc-id"}}
    needs = replace(FIRST, template=json.dumps({"Parameters": lost, "Resources": {"Topic": TOPIC}}))

    with pytest.raises(StackFailed, match="refuses the change") as raised:
        apply_stack(needs, account.context())

    assert "`platform apply --shared --env staging`" in (raised.value.hint or "")


def test_a_template_above_the_limit_is_refused_before_any_call() -> None:
    account = empty_account()

    with pytest.raises(TemplateTooLarge, match="51200"):
        apply_stack(replace(FIRST, template=" " * 51_201), account.context())

    assert account.simulator.calls == []


def test_an_interruption_leaves_the_update_to_aws_and_the_next_run_follows_it() -> None:
    account = empty_account()
    interrupts = Interrupts()

    def interrupt(event: ApplyEvent) -> None:
        if isinstance(event, ResourceMoved) and event.event.status == "CREATE_IN_PROGRESS":
            interrupts.signal_number = 2

    with pytest.raises(Interrupted):
        apply_stack(FIRST, account.context(on_event=interrupt, interrupts=interrupts))
    assert account.status(NAME) == "CREATE_IN_PROGRESS"

    assert apply_stack(FIRST, account.context()).action == "unchanged"
    assert account.status(NAME) == "CREATE_COMPLETE"


def test_changes_are_shown_before_the_question() -> None:
    account = empty_account()

    def agree(_question: Question) -> bool:
        assert isinstance(account.emitted[-1], Changing)
        return True

    apply_stack(FIRST, account.context(agree=agree))
