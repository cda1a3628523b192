"""Text, Markdown and JSON of plans, beyond the golden files."""

import io
import json
from dataclasses import replace
from typing import Any

import pytest

from platform_sdk.cli.plan import wants_colour
from platform_sdk.deploy.environment import load_environment
from platform_sdk.deploy.manifest import load_services
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.output.plan import as_markdown, as_text, coloured
from platform_sdk.deploy.output.plan_words import shown
from platform_sdk.deploy.output.records import as_document
from platform_sdk.deploy.plan import plan_service
from platform_sdk.deploy.plan.decisions import Plan
from platform_sdk.deploy.render.task_definition import render_task_definition
from platform_sdk.deploy.state import ServiceState
from tests.support.deployed_services import NOTHING, image_of, registered, released, running_deployment
from tests.support.repository import FIXTURES

PRODUCTION = load_environment(FIXTURES, "production")
ORDERS = next(spec for spec in load_services(FIXTURES, "production") if spec.name == "orders")


def planned(spec: ServiceSpec = ORDERS, state: ServiceState | None = None, image: str | None = None) -> Plan:
    return plan_service(spec, PRODUCTION, state or released(ORDERS, PRODUCTION), image=image)


def forms(plan: Plan) -> tuple[str, str, Any]:
    return as_text([plan]), as_markdown([plan]), as_document("production", [plan])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("", '""'),
        ("hello", "hello"),
        (None, "null"),
        (0, "0"),
        (True, "true"),
        ([], "none"),
        (["a", "b"], "a, b"),
        ({"a": 1}, '{"a": 1}'),
        ("one\ntwo", "text of 7 characters"),
        ("orders:1@sha256:" + "a" * 64, "orders:1@sha256:" + "a" * 12),
        ("\x1b[2J", "\\x1b[2J"),
        ({"Effect": "Allow", "Action": ["sqs:SendMessage"], "Resource": ["*"]}, "Allow sqs:SendMessage on *"),
    ],
)
def test_values_are_shown_on_one_line(value: object, text: str) -> None:
    assert shown(value) == text


def test_a_long_value_is_cut_to_its_length_and_a_policy_is_not() -> None:
    assert shown("x" * 1000).endswith("(1,000 characters)")
    assert len(shown("x" * 1000)) < 130
    actions = [f"sqs:Action{number}" for number in range(50)]
    assert "sqs:Action49" in shown({"Effect": "Allow", "Action": actions, "Resource": ["*"]})


def test_colour_repeats_the_sign_and_adds_nothing() -> None:
    text = as_text([planned(replace(ORDERS, environment={"GREETING": "hello"}))])
    coloured_text = coloured(text)
    assert "\x1b[32m+ api · app · environment.GREETING  hello\x1b[0m" in coloured_text
    for code in ("\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[35m", "\x1b[0m"):
        coloured_text = coloured_text.replace(code, "")
    assert coloured_text == text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_only_a_terminal_whose_owner_wants_it_gets_colour() -> None:
    assert wants_colour(Terminal(), {})
    assert wants_colour(Terminal(), {"NO_COLOR": ""})
    assert not wants_colour(Terminal(), {"NO_COLOR": "1"})
    assert not wants_colour(io.StringIO(), {})


def test_a_running_deployment_comes_first_with_the_command_that_waits_for_it() -> None:
    plan = planned(state=replace(released(ORDERS, PRODUCTION), running_deployment=running_deployment()))
    text, markdown, document = forms(plan)
    assert "deployment d-ABCDEF123 is in progress" in text
    assert "> [!NOTE]\n> deployment d-ABCDEF123 is in progress" in markdown
    assert document["services"][0]["next"] == ["platform wait d-ABCDEF123 --env production"]


def test_a_grace_period_is_in_every_form() -> None:
    wanted = replace(ORDERS, health_check=replace(ORDERS.health_check, grace_period_seconds=90))
    text, markdown, document = forms(planned(wanted))
    assert "~ health_check.grace_period_seconds  60 → 90" in text
    assert "\n~ health_check.grace_period_seconds  60 → 90\n" in markdown
    assert document["services"][0]["grace_period"]["after"] == 90
    assert "next: platform apply orders --env production" in text


def test_a_revision_of_an_earlier_release_is_named() -> None:
    image = image_of(ORDERS, PRODUCTION, "1.5.0")
    failed = registered(render_task_definition(ORDERS, PRODUCTION, image=image), PRODUCTION, 8, "1.5.0")
    state = replace(released(ORDERS, PRODUCTION), newer_revisions={"api": failed})
    text, _, document = forms(planned(state=state, image=image))
    assert "production-orders:8 replaces production-orders:7, registered by an earlier release" in text
    (api, _worker) = document["services"][0]["revisions"]
    assert (api["target"], api["after"]) == ("existing", failed.arn)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("UPDATE_ROLLBACK_FAILED", "completes its rollback first"),
        ("UPDATE_FAILED", "resumes the update where it failed"),
        ("IMPORT_ROLLBACK_FAILED", "CloudFormation cannot update it"),
        ("ROLLBACK_FAILED", "deletes what remains of it and creates it again"),
        ("UPDATE_IN_PROGRESS", "nothing else can be applied until it ends"),
        ("ROLLBACK_COMPLETE", "deletes what remains of it and creates it again"),
    ],
)
def test_a_stack_that_cannot_be_updated_is_reported(status: str, words: str) -> None:
    state = released(ORDERS, PRODUCTION)
    assert state.stack is not None
    stuck = replace(state, stack=replace(state.stack, status=status))
    text, markdown, document = forms(planned(state=stuck))
    assert f"! stack platform-production-orders is {status}: " in text
    assert words in text
    assert words in markdown
    assert document["services"][0]["stack"]["status"] == status


@pytest.mark.parametrize("status", ["UPDATE_ROLLBACK_FAILED", "UPDATE_FAILED"])
def test_a_stack_that_stopped_halfway_is_repaired_although_its_template_is_right(status: str) -> None:
    state = released(ORDERS, PRODUCTION)
    assert state.stack is not None
    plan = planned(state=replace(state, stack=replace(state.stack, status=status)))
    text, _, document = forms(plan)
    assert "a stack to repair" in text
    assert "~ stack platform-production-orders: up to date, but its last update stopped halfway" in text
    assert "next: platform apply orders --env production" in text
    assert (document["exit_code"], document["services"][0]["stack"]["action"]) == (2, "repair")


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS"])
def test_a_stack_that_can_be_updated_is_not_reported(status: str) -> None:
    state = released(ORDERS, PRODUCTION)
    assert state.stack is not None
    text, _, _ = forms(planned(state=replace(state, stack=replace(state.stack, status=status))))
    assert status not in text


def test_the_loss_of_data_is_reported_loudly() -> None:
    state = released(ORDERS, PRODUCTION)
    template: Any = state.template
    template["Resources"]["OrdersQueue"]["Properties"]["QueueName"] = "platform-production-other"
    text, markdown, document = forms(planned(state=state))
    assert "REPLACED, as QueueName cannot be changed" in text
    assert "> [!CAUTION]\n> - `OrdersQueue`: REPLACED" in markdown
    (queue,) = document["services"][0]["stack"]["resources"]
    assert (queue["action"], queue["is_stateful"], queue["create_only"]) == ("replace", True, ["QueueName"])


def test_several_services_are_counted_at_the_end() -> None:
    text = as_text([planned(), planned(state=NOTHING)])
    assert text.endswith("2 services: 1 with something to do, 1 up to date\n")


def test_the_document_ends_as_the_command_does_and_is_json() -> None:
    document = as_document("production", [planned(), planned(state=NOTHING)])
    assert (document["exit_code"], document["format_version"]) == (2, 1)
    assert as_document("production", [planned()])["exit_code"] == 0
    assert json.loads(json.dumps(document)) == document


def test_markdown_survives_fences_and_tags_in_values() -> None:
    markdown = as_markdown([planned(replace(ORDERS, environment={"PATTERN": "``` a|b`c</details>"}))])
    lines = markdown.splitlines()
    # A fence ends only on a line of its own: the block is opened and closed once, before and after the value.
    opened, closed = lines.index("```diff"), lines.index("```")
    rows = [number for number, line in enumerate(lines) if "PATTERN" in line]
    assert opened < min(rows) <= max(rows) < closed
    assert all("``` a|b`c</details>" in lines[row] for row in rows)


def test_markdown_moves_signs_to_where_github_colours_them() -> None:
    markdown = as_markdown([planned(replace(ORDERS, environment={"GREETING": "hello"}))])
    assert "\n+     api · app · environment.GREETING  hello\n" in markdown
