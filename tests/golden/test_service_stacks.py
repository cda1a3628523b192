"""Every rendered stack, compared with the files that were reviewed; those of the live services are read by linters."""

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from cfnlint.api import lint
from cfnlint.config import ManualArgs

from platform_sdk.deploy.environment import Environment, load_environment
from platform_sdk.deploy.manifest import load_services, load_spec
from platform_sdk.deploy.manifest.reference import reference
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.render.cloudformation import to_yaml
from platform_sdk.deploy.render.service_stack import MAX_BYTES, MAX_RESOURCES, render_service_stack
from tests.support.goldens import agree, differences, masked, no_stale_goldens
from tests.support.repository import FIXTURES, ROOT

ENVIRONMENTS: Final = {name: load_environment(FIXTURES, name) for name in ("production", "staging")}
SPECS: Final = {name: {spec.name: spec for spec in load_services(FIXTURES, name)} for name in ENVIRONMENTS}
WHOLE: Final = "stacks/production/orders.yaml"
DIFFERENCES: Final = "stacks/differences.txt"

LIVE_ENVIRONMENTS: Final = tuple(load_environment(ROOT, name) for name in ENVIRONMENTS)
LIVE: Final = [
    (environment, spec) for environment in LIVE_ENVIRONMENTS for spec in load_services(ROOT, environment.name)
]

# `*` stands for the kind of load balancer, of which the linter wants all that there are.
LISTENER = "arn:aws:elasticloadbalancing:us-east-1:111122223333:listener/*/platform/0123456789abcdef/0123456789abcdef"
RULE = f"{LISTENER.replace(':listener/', ':listener-rule/')}/0123456789abcdef"
NAMED_BY_AWS = {
    "ProductionListenerArn": LISTENER,
    "TestListenerArn": LISTENER,
    "ProductionRule": RULE,
    "TestRule": RULE,
    "ClusterArn": "arn:aws:ecs:us-east-1:111122223333:cluster/platform-production",
}

# Actions for which AWS knows no resource (its service authorization reference).
WITHOUT_RESOURCE = {
    "cloudwatch:PutMetricData",
    "ecr:GetAuthorizationToken",
    "ecs:CreateTaskSet",
    "elasticloadbalancing:DescribeListeners",
    "elasticloadbalancing:DescribeRules",
    "elasticloadbalancing:DescribeTargetGroups",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}


def masked_stack(environment_name: str, service: str) -> Any:
    environment, spec = ENVIRONMENTS[environment_name], SPECS[environment_name][service]
    return masked(render_service_stack(spec, environment), spec, environment)


def sections() -> Iterator[str]:
    """Return the differences of each other service from orders, and of each other environment from production."""
    for environment, specs in SPECS.items():
        for service in specs:
            before = "orders" if environment == "production" else service
            if (environment, service) != ("production", "orders"):
                lines = differences(masked_stack("production", before), masked_stack(environment, service))
                yield f"== {service} in {environment}, from {before} in production\n"
                yield from (f"{line}\n" for line in lines)


def every_key(folder: Path, environment: Environment) -> ServiceSpec:
    """A service that uses every key of platform.toml."""
    file = folder / "platform.toml"
    file.write_text(reference(), encoding="utf-8")
    return load_spec(file, environment.name)


def findings(template: str, environment: Environment) -> list[str]:
    found = lint(template, config=ManualArgs(regions=[environment.region], include_checks=["I"]))
    return [f"{match.rule.id} {match.linenumber}: {match.message}" for match in found]


def literal(value: Any) -> Any:
    match value:
        case {"Ref": name}:
            return NAMED_BY_AWS[name]
        case dict():
            return {key: literal(inner) for key, inner in value.items()}
        case list():
            return [literal(inner) for inner in value]
    return value


def policies(template: dict[str, Any]) -> Iterator[Any]:
    for body in template["Resources"].values():
        if body["Type"] == "AWS::IAM::Policy":
            yield literal(body["Properties"]["PolicyDocument"])


def faults_of(policy: Any) -> list[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it opens its configuration and never closes it
        from parliament import analyze_policy_string
    return [str(finding) for finding in analyze_policy_string(json.dumps(policy)).findings]


def test_stack_of_orders_in_production_is_as_reviewed() -> None:
    agree(WHOLE, to_yaml(render_service_stack(SPECS["production"]["orders"], ENVIRONMENTS["production"])))


def test_stacks_differ_as_reviewed() -> None:
    agree(DIFFERENCES, "".join(sections()))


def test_no_stack_is_stale() -> None:
    no_stale_goldens("stacks", (WHOLE, DIFFERENCES))


@pytest.mark.parametrize("environment", LIVE_ENVIRONMENTS, ids=lambda environment: environment.name)
def test_the_linter_says_nothing_even_for_information(environment: Environment, tmp_path: Path) -> None:
    specs = [spec for of, spec in LIVE if of == environment] + [every_key(tmp_path, environment)]
    found = {spec.name: findings(to_yaml(render_service_stack(spec, environment)), environment) for spec in specs}
    assert found == {spec.name: [] for spec in specs}


@pytest.mark.parametrize("environment", LIVE_ENVIRONMENTS, ids=lambda environment: environment.name)
def test_the_policy_linter_finds_nothing_and_no_resource_is_a_star_where_aws_knows_a_name(
    environment: Environment, tmp_path: Path
) -> None:
    specs = [spec for of, spec in LIVE if of == environment] + [every_key(tmp_path, environment)]
    documents = [policy for spec in specs for policy in policies(render_service_stack(spec, environment))]
    assert [fault for policy in documents for fault in faults_of(policy)] == []
    unnamed = {
        action
        for policy in documents
        for statement in policy["Statement"]
        if "*" in statement["Resource"]
        for action in statement["Action"]
    }
    assert unnamed <= WITHOUT_RESOURCE


@pytest.mark.parametrize(("environment", "spec"), LIVE, ids=lambda value: value.name)
def test_stack_is_within_the_limits_of_cloudformation(environment: Environment, spec: ServiceSpec) -> None:
    template = render_service_stack(spec, environment)
    resources = template["Resources"]
    assert isinstance(resources, dict)
    assert len(resources) <= MAX_RESOURCES // 5
    assert len(to_yaml(template).encode()) <= MAX_BYTES // 10
    # Larger ones can be sent by way of a bucket only.
    assert len(json.dumps(template, separators=(",", ":")).encode()) <= 51_200


@pytest.mark.parametrize(("environment", "spec"), LIVE, ids=lambda value: value.name)
def test_stacks_find_each_other_by_parameters_and_never_lock_each_other(
    environment: Environment, spec: ServiceSpec
) -> None:
    text = to_yaml(render_service_stack(spec, environment))
    assert "ImportValue" not in text
    assert "Export" not in text
    assert "AWS::SSM::Parameter::Value<" in text
