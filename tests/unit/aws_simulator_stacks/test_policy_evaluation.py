"""The truth table of IAM's evaluation, as far as one identity's policies go, and what it refuses to judge."""

from typing import Any

import pytest

from aws_simulator.cloudformation.template import parse
from aws_simulator.policies import UnknownPolicyElement, is_allowed, listed, operator_of
from tests.support.cloudformation import ENVIRONMENTS, TEMPLATES, service_templates

QUEUE = "arn:aws:sqs:us-east-1:111122223333:orders"
ROLE = "arn:aws:iam::111122223333:role/production-orders-task"


def statement(effect: str = "Allow", **parts: Any) -> dict[str, Any]:
    return {"Effect": effect, **({"Resource": "*"} if "NotResource" not in parts else {}), **parts}


def judged(statements: list[dict[str, Any]], action: str, resource: str = QUEUE, **context: Any) -> str:
    keys = {key.replace("__", ":"): value for key, value in context.items()}
    return is_allowed([{"Version": "2012-10-17", "Statement": statements}], action, resource, keys).decision


def test_nothing_is_allowed_that_nobody_allows() -> None:
    assert is_allowed([], "sqs:SendMessage", QUEUE).decision == "implicitDeny"
    assert is_allowed([], "sqs:SendMessage", QUEUE).statement is None


def test_a_deny_wins_wherever_it_stands() -> None:
    allow, deny = statement(Action="sqs:*"), statement("Deny", Action="sqs:SendMessage")
    for statements in ([allow, deny], [deny, allow]):
        assert judged(statements, "sqs:SendMessage") == "explicitDeny"
        assert judged(statements, "sqs:ReceiveMessage") == "allowed"
    verdict = is_allowed([{"Statement": allow}, {"Statement": deny}], "sqs:SendMessage", QUEUE)
    assert (verdict.allowed, verdict.statement) == (False, deny)


@pytest.mark.parametrize(
    ("parts", "action", "resource", "decision"),
    [
        ({"Action": "sqs:SendMessage"}, "sqs:SendMessage", QUEUE, "allowed"),
        ({"Action": "SQS:sendmessage"}, "sqs:SendMessage", QUEUE, "allowed"),
        ({"Action": "sqs:Send*"}, "sqs:SendMessageBatch", QUEUE, "allowed"),
        ({"Action": "sqs:SendMessag?"}, "sqs:SendMessage", QUEUE, "allowed"),
        ({"Action": "sqs:SendMessage"}, "sqs:SendMessageBatch", QUEUE, "implicitDeny"),
        ({"Action": ["sqs:A", "sqs:B"]}, "sqs:B", QUEUE, "allowed"),
        ({"Action": "*"}, "anything:AtAll", "*", "allowed"),
        ({"NotAction": "sqs:Delete*"}, "sqs:SendMessage", QUEUE, "allowed"),
        ({"NotAction": "sqs:Delete*"}, "sqs:DeleteQueue", QUEUE, "implicitDeny"),
        ({"Action": "sqs:*", "Resource": QUEUE}, "sqs:SendMessage", QUEUE + "2", "implicitDeny"),
        ({"Action": "sqs:*", "Resource": QUEUE + "*"}, "sqs:SendMessage", QUEUE + "2", "allowed"),
        ({"Action": "sqs:*", "Resource": QUEUE.upper()}, "sqs:SendMessage", QUEUE, "implicitDeny"),
        ({"Action": "sqs:*", "Resource": QUEUE}, "sqs:ListQueues", "*", "implicitDeny"),
        ({"Action": "sqs:*", "NotResource": QUEUE}, "sqs:SendMessage", QUEUE, "implicitDeny"),
        ({"Action": "sqs:*", "NotResource": QUEUE}, "sqs:SendMessage", QUEUE + "2", "allowed"),
    ],
)
def test_actions_and_resources(parts: dict[str, Any], action: str, resource: str, decision: str) -> None:
    assert judged([statement(**parts)], action, resource) == decision


PASSED_TO = "iam:PassedToService"
CONDITIONS = [
    ("StringEquals", ["ecs-tasks.amazonaws.com"], "ecs-tasks.amazonaws.com", True),
    ("StringEquals", ["a", "ecs-tasks.amazonaws.com"], "ecs-tasks.amazonaws.com", True),
    ("StringEquals", ["ecs-tasks.amazonaws.com"], "ec2.amazonaws.com", False),
    ("StringEquals", ["ecs-*"], "ecs-tasks.amazonaws.com", False),
    ("StringEquals", ["ecs-tasks.amazonaws.com"], None, False),
    ("StringEqualsIfExists", ["ecs-tasks.amazonaws.com"], None, True),
    ("StringNotEquals", ["ec2.amazonaws.com"], "ecs-tasks.amazonaws.com", True),
    ("StringNotEquals", ["a", "ecs-tasks.amazonaws.com"], "ecs-tasks.amazonaws.com", False),
    ("StringNotEquals", ["ec2.amazonaws.com"], None, True),
    ("StringEqualsIgnoreCase", ["ECS"], "ecs", True),
    ("StringLike", ["ecs-*"], "ecs-tasks.amazonaws.com", True),
    ("StringNotLike", ["ecs-*"], "ecs-tasks.amazonaws.com", False),
    ("Bool", ["true"], "true", True),
    ("Bool", [True], "true", True),
    ("Bool", ["false"], "true", False),
    ("Null", ["true"], None, True),
    ("Null", ["true"], "anything", False),
    ("Null", ["false"], "anything", True),
    ("ArnEquals", ["arn:aws:ecs:*:111122223333:cluster/*"], "arn:aws:ecs:us-east-1:111122223333:cluster/a", True),
    ("ArnLike", ["arn:aws:ecs:*:cluster/a"], "arn:aws:ecs:us-east-1:111122223333:cluster/a", False),
    ("ArnNotEquals", ["arn:aws:ecs:*:*:cluster/a"], "arn:aws:ecs:us-east-1:111122223333:cluster/a", False),
    ("ForAllValues:StringEquals", ["a", "b"], ["a", "b"], True),
    ("ForAllValues:StringEquals", ["a", "b"], ["a", "c"], False),
    ("ForAllValues:StringEquals", ["a", "b"], None, True),
    ("ForAnyValue:StringEquals", ["a", "b"], ["a", "c"], True),
    ("ForAnyValue:StringEquals", ["a", "b"], ["c"], False),
    ("ForAnyValue:StringEquals", ["a", "b"], None, False),
]


@pytest.mark.parametrize(("operator", "expected", "value", "is_met"), CONDITIONS)
def test_conditions(operator: str, expected: list[Any], value: Any, is_met: bool) -> None:
    allow = statement(Action="iam:PassRole", Condition={operator: {PASSED_TO: expected}})
    context = {} if value is None else {PASSED_TO.lower(): value}
    verdict = is_allowed([{"Statement": [allow]}], "iam:PassRole", ROLE, context)
    assert verdict.allowed is is_met


def test_every_line_of_a_condition_has_to_hold() -> None:
    condition = {"StringEquals": {"a:one": "1", "a:two": "2"}, "Bool": {"a:three": "true"}}
    allow = statement(Action="iam:PassRole", Condition=condition)
    assert judged([allow], "iam:PassRole", a__one="1", a__two="2", a__three="true") == "allowed"
    assert judged([allow], "iam:PassRole", a__one="1", a__two="2", a__three="false") == "implicitDeny"
    assert judged([allow], "iam:PassRole", a__one="1", a__three="true") == "implicitDeny"


def test_a_deny_with_a_condition_that_does_not_hold_denies_nothing() -> None:
    deny = statement("Deny", Action="*", Condition={"Bool": {"aws:SecureTransport": "false"}})
    assert judged([statement(Action="s3:*"), deny], "s3:GetObject", aws__SecureTransport="true") == "allowed"
    assert judged([statement(Action="s3:*"), deny], "s3:GetObject", aws__SecureTransport="false") == "explicitDeny"


@pytest.mark.parametrize("operator", ["IpAddress", "NumericLessThan", "DateGreaterThan", "StringAlmostEquals"])
def test_an_operator_that_is_not_known_is_not_judged(operator: str) -> None:
    allow = statement(Action="iam:PassRole", Condition={operator: {PASSED_TO: "1"}})
    with pytest.raises(UnknownPolicyElement, match=operator):
        judged([allow], "iam:PassRole", iam__PassedToService="1")


def test_a_policy_variable_is_not_judged() -> None:
    with pytest.raises(UnknownPolicyElement, match="aws:username"):
        judged([statement(Action="s3:*", Resource="arn:aws:s3:::home/${aws:username}/*")], "s3:GetObject")


def test_every_operator_of_the_templates_is_known() -> None:
    texts = [path.read_text(encoding="utf-8") for path in TEMPLATES]
    texts += [text for environment in ENVIRONMENTS for text in service_templates(environment).values()]
    operators = {
        operator.rpartition(":")[2].removesuffix("IfExists")
        for text in texts
        for found in conditions_in({name: one.properties for name, one in parse(text).resources.items()})
        for operator in found
    }
    assert {"StringEquals", "Bool"} <= operators
    assert [operator for operator in operators if operator != "Null" and not operator_of(operator)] == []


def conditions_in(value: Any) -> list[dict[str, Any]]:
    """Of the statements of policies, at any depth."""
    if isinstance(value, dict):
        own = [value["Condition"]] if "Effect" in value and "Condition" in value else []
        return own + [one for inner in value.values() for one in conditions_in(inner)]
    return [one for inner in value for one in conditions_in(inner)] if isinstance(value, list) else []


def test_one_thing_stands_for_a_list_of_one() -> None:
    assert (listed("a"), listed(["a"]), listed({"a": 1}), listed(True)) == (["a"], ["a"], [{"a": 1}], [True])
