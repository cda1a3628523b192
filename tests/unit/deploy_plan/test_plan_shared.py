"""Plans of the stacks that all services share."""

from dataclasses import replace
from pathlib import Path

from platform_sdk.deploy.output.plan import as_text
from platform_sdk.deploy.plan import plan_shared
from platform_sdk.deploy.plan.decisions import SharedPlan, SharedStackPlan
from platform_sdk.deploy.shared import SharedStack
from platform_sdk.deploy.state import DeployedStack, Stack

NETWORK = SharedStack(
    name="platform-staging-network", template=Path("network.yaml"), parameters={"Environment": "staging", "Nat": "one"}
)
TEMPLATE = "Resources:\n  Vpc:\n    Type: AWS::EC2::VPC\n"
DEPLOYED = DeployedStack(
    stack=Stack(
        name=NETWORK.name,
        id="1",
        status="CREATE_COMPLETE",
        status_reason="",
        parameters={**NETWORK.parameters, "FlowLogs": "true"},
        outputs={},
        tags={},
        updated_at=None,
    ),
    template=TEMPLATE,
)


def planned(deployed: DeployedStack | None, template: str = TEMPLATE) -> tuple[SharedStackPlan, int]:
    found = {} if deployed is None else {NETWORK.name: deployed}
    plan = plan_shared("staging", [NETWORK], {NETWORK.name: template}, found)
    (only,) = plan.stacks
    return only, plan.exit_code


def test_the_same_text_and_parameters_need_nothing() -> None:
    stack, code = planned(DEPLOYED)
    assert (stack.action, stack.parameters, stack.template, code) == ("unchanged", (), (), 0)


def test_a_stack_that_stopped_halfway_is_repaired() -> None:
    stack, code = planned(replace(DEPLOYED, stack=replace(DEPLOYED.stack, status="UPDATE_ROLLBACK_FAILED")))
    assert (stack.action, code) == ("repair", 2)
    assert (
        "~ platform-staging-network: repair\n"
        "        ! it is UPDATE_ROLLBACK_FAILED: `platform apply` completes its rollback first"
    ) in as_text([], SharedPlan(environment="staging", stacks=(stack,)))


def test_spaces_at_the_ends_of_lines_are_no_change() -> None:
    assert planned(replace(DEPLOYED, template=TEMPLATE.replace("\n", "  \n") + "\n"))[1] == 0


def test_a_missing_stack_is_created_with_its_parameters() -> None:
    stack, code = planned(None)
    assert (stack.action, stack.status, code) == ("create", None, 2)
    assert {change.path: change.after for change in stack.parameters} == dict(NETWORK.parameters)


def test_another_value_of_a_parameter_is_shown_by_name() -> None:
    given = {**DEPLOYED.stack.parameters, "Nat": "per_zone"}
    stack, code = planned(replace(DEPLOYED, stack=replace(DEPLOYED.stack, parameters=given)))
    (change,) = stack.parameters
    assert (change.path, change.before, change.after, code) == ("Nat", "per_zone", "one", 2)


def test_a_new_parameter_is_added() -> None:
    given = {"Environment": "staging"}
    stack, _ = planned(replace(DEPLOYED, stack=replace(DEPLOYED.stack, parameters=given)))
    assert [(change.kind, change.path) for change in stack.parameters] == [("add", "Nat")]


def test_another_template_is_shown_line_by_line() -> None:
    stack, code = planned(DEPLOYED, TEMPLATE.replace("VPC", "Vpc2"))
    assert "-    Type: AWS::EC2::VPC" in stack.template
    assert "+    Type: AWS::EC2::Vpc2" in stack.template
    assert not any(line.startswith(("---", "+++")) for line in stack.template)
    assert code == 2
