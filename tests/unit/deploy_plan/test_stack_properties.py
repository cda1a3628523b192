"""What a change of each property of a stack does to the running version: the table is complete, and the page is it."""

import copy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from platform_sdk.deploy.environment import load_environment
from platform_sdk.deploy.manifest import load_services, load_spec
from platform_sdk.deploy.manifest.reference import reference
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.plan import plan_service
from platform_sdk.deploy.plan.effects import API, EFFECTS, KINDS, SEQUENCED, kind_of
from platform_sdk.deploy.plan.stack import CREATE_ONLY
from platform_sdk.deploy.render.service_stack import render_service_stack
from tests.support.deployed_services import released
from tests.support.goldens import HINT, UPDATING
from tests.support.repository import FIXTURES, ROOT

PAGE = ROOT / "docs" / "stack-properties.md"
BEGIN = "<!-- the table of platform_sdk.deploy.plan.effects -->\n"
WORDS = {"safe": "safe at any time", "version": "moves with the version", "replaces": "replaces or deletes"}
PRODUCTION = load_environment(FIXTURES, "production")
ORDERS = next(spec for spec in load_services(FIXTURES, "production") if spec.name == "orders")


@pytest.fixture
def every_key(tmp_path: Path) -> ServiceSpec:
    (tmp_path / "platform.toml").write_text(reference(), encoding="utf-8")
    return load_spec(tmp_path / "platform.toml", "production")


def rendered(every_key: ServiceSpec) -> Iterator[tuple[str, str]]:
    """Each kind of resource with each of its properties, of every fixture in every environment and of every key."""
    for name in ("staging", "production"):
        environment = load_environment(FIXTURES, name)
        for spec in (*load_services(FIXTURES, name), every_key):
            template: Any = render_service_stack(spec, environment)
            for logical_id, body in template["Resources"].items():
                yield from ((kind_of(logical_id, body["Type"]), name) for name in body["Properties"])


def in_table() -> set[tuple[str, str]]:
    return {(kind, name) for kind, rows in EFFECTS.items() for name in rows}


def test_every_property_that_is_rendered_is_sorted_and_no_other(every_key: ServiceSpec) -> None:
    found = set(rendered(every_key))
    assert sorted(found - in_table()) == [], "sort it in EFFECTS, with what happens when it changes"
    assert sorted(in_table() - found) == [], "nothing renders it any more"


def test_what_cloudformation_replaces_is_sorted_so() -> None:
    types = {KINDS[name]: "AWS::ECS::Service" for name in KINDS}
    replaced = {
        (kind, name) for kind, name in in_table() if name in CREATE_ONLY.get(types.get(kind, kind), frozenset())
    }
    sorted_so = {(kind, name) for kind, name in in_table() if EFFECTS[kind][name][0] == "replaces"}
    assert replaced <= sorted_so
    deleting = {("AWS::Logs::LogGroup", "RetentionInDays"), ("AWS::SQS::Queue", "MessageRetentionPeriod")}
    assert {one for one in sorted_so - replaced if one[0] != API} == deleting


def test_what_moves_with_the_version_is_made_in_steps_or_refused() -> None:
    others = {"HealthCheckPort": "9000", "HealthCheckProtocol": "HTTPS", "Matcher": {"HttpCode": "204"}}
    moving = {(kind, name) for kind, name in in_table() if EFFECTS[kind][name][0] == "version"} - SEQUENCED
    assert {name for _, name in moving} == set(others)
    for name, value in others.items():
        state = released(ORDERS, PRODUCTION)
        template: Any = copy.deepcopy(state.template)
        template["Resources"]["GreenTargetGroup"]["Properties"][name] = value
        plan = plan_service(ORDERS, PRODUCTION, replace(state, template=template))
        assert [move.refused for move in plan.moves] == ["GreenTargetGroup"]


def test_before_the_first_release_nothing_moves_with_a_version() -> None:
    state = replace(released(ORDERS, PRODUCTION), api_revision=None)
    assert plan_service(replace(ORDERS, path="/purchases"), PRODUCTION, state).moves == ()


def table() -> str:
    lines = []
    for kind, rows in EFFECTS.items():
        lines += [f"\n## {kind}\n", "| property | a change | what happens |", "|---|---|---|"]
        lines += [f"| `{name}` | {WORDS[effect]} | {consequence} |" for name, (effect, consequence) in rows.items()]
    return "\n".join(lines) + "\n"


def test_the_page_is_the_table() -> None:
    head, _, found = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    if UPDATING:
        PAGE.write_text(head + BEGIN + table(), encoding="utf-8")
        found = table()
    assert found == table(), HINT
