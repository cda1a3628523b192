"""The shared templates as CloudFormation's own linter sees them, with the parameters of each environment."""

import re
from dataclasses import replace
from typing import Any

import pytest
from cfnlint.api import lint
from cfnlint.config import ManualArgs
from cfnlint.context.parameters import ParameterSet

from platform_sdk.deploy import shared
from platform_sdk.deploy.config_errors import InvalidConfiguration
from platform_sdk.deploy.environment import FOLDER, load_environment
from platform_sdk.deploy.manifest import load_services
from platform_sdk.deploy.shared import SharedParameter, SharedStack, shared_stacks
from platform_sdk.deploy.toml_document import read_document
from tests.support.cloudformation import ENVIRONMENTS, TEMPLATES, Template, resources, stacks, template_of
from tests.support.repository import FIXTURES, ROOT

LOOKED_UP = "AWS::SSM::Parameter::Value<"
TEMPLATE_FILES = shared.TemplateFiles(agent_configuration="{}", smoke_test="")

STORED: dict[str, str | list[str]] = {
    "AWS::EC2::VPC::Id": "vpc-0123456789abcdef0",
    "AWS::EC2::SecurityGroup::Id": "sg-0123456789abcdef0",
    "List<AWS::EC2::Subnet::Id>": [f"subnet-0123456789abcdef{n}" for n in range(3)],
    "String": "arn:aws:sns:us-east-1:111122223333:stored",
}
"""What Parameter Store would hold, by type: the linter looks nothing up."""


def one_of_each_template() -> list[tuple[str, SharedStack]]:
    return [
        (environment, stack)
        for environment in ENVIRONMENTS
        for stack in {stack.template: stack for stack in stacks(environment)}.values()
    ]


def value_of(text: str, kind: str) -> str | list[str]:
    """As the linter wants it: a list as a list, and the stored value of what is looked up."""
    if kind.startswith(LOOKED_UP):
        return STORED[kind.removeprefix(LOOKED_UP)[:-1]]
    if kind == "CommaDelimitedList" or kind.startswith("List<"):
        return text.split(",") if text else []
    return text


@pytest.mark.parametrize(
    ("environment", "stack"), one_of_each_template(), ids=lambda value: value if isinstance(value, str) else value.name
)
def test_the_linter_says_nothing_even_for_information(environment: str, stack: SharedStack) -> None:
    declared = template_of(ROOT / stack.template)["Parameters"]
    values = {name: value_of(value, declared[name]["Type"]) for name, value in stack.parameters.items()}
    found = lint(
        (ROOT / stack.template).read_text(encoding="utf-8"),
        config=ManualArgs(
            regions=[load_environment(ROOT, environment).region],
            parameters=[ParameterSet(source=None, parameters=values)],
            include_checks=["I"],
        ),
    )
    assert [f"{match.rule.id} {match.linenumber}: {match.message}" for match in found] == []


def test_every_template_is_a_stack_of_every_environment() -> None:
    for environment in ENVIRONMENTS:
        assert {ROOT / stack.template for stack in stacks(environment)} == set(TEMPLATES)


def test_stacks_get_exactly_the_parameters_that_their_templates_declare() -> None:
    for environment in ENVIRONMENTS:
        for stack in stacks(environment):
            assert set(stack.parameters) == set(template_of(ROOT / stack.template)["Parameters"]), stack.name


def names_of(table: type) -> set[str]:
    return {value for key, value in vars(table).items() if key.isupper()} | {"registry/${Service}/repository-uri"}


def test_the_names_that_the_sdk_knows_are_those_that_the_templates_write() -> None:
    written = [
        resource.properties["Name"]["Fn::Sub"] for resource in resources() if resource.type == "AWS::SSM::Parameter"
    ]
    assert sorted(written) == sorted(f"/platform/${{Environment}}/{name}" for name in names_of(SharedParameter))


def test_a_stack_finds_only_what_a_stack_before_it_has_written() -> None:
    for environment in ENVIRONMENTS:
        written: set[str] = set()
        for stack in stacks(environment):
            sought = {value for value in stack.parameters.values() if value.startswith("/platform/")}
            assert sought <= written, stack.name
            written |= {
                resource.properties["Name"]["Fn::Sub"].replace("${Environment}", environment)
                for resource in resources()
                if resource.type == "AWS::SSM::Parameter" and resource.template == stack.template.name
            }


def test_no_template_uses_what_locks_stacks_together_or_what_cloudformation_cannot_read() -> None:
    for path in TEMPLATES:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"Fn::ImportValue|!ImportValue|^Outputs:|^Transform:|^Hooks:", text, re.M), path.name
        assert not re.search(r"(: |- )[&*][a-z]", text), f"{path.name}: CloudFormation reads no YAML aliases"


@pytest.mark.parametrize("name", ["agent_configuration", "smoke_test"])
def test_a_text_that_no_parameter_holds_is_refused(name: str) -> None:
    document = read_document(FIXTURES / FOLDER / "staging.toml", "staging.toml")
    large = replace(TEMPLATE_FILES, **{name: " " * 4097})
    with pytest.raises(InvalidConfiguration, match="takes 4097 bytes, and a parameter at most 4096"):
        shared_stacks(document, load_environment(FIXTURES, "staging"), load_services(FIXTURES), large)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('nat = "one"', 'nat = "two"', 'stacks.network.nat: must be one of "none", "one" and "per_zone"'),
        ('"us-east-1c"', '"us-east-1b"', "stacks.network.zones: must name three different zones"),
        ('"us-east-1c"', '"eu-west-1c"', "stacks.network.zones[2]: is not in us-east-1"),
        ('"10.30.0.0/16"', '"10.30.0.0/24"', "stacks.network.cidr: must be a private /16 network"),
        ("max_capacity_acu = 4", "max_capacity_acu = 400", "stacks.data.max_capacity_acu: 400 is outside 1 to 256"),
        ("min_capacity_acu = 0", "min_capacity_acu = 8", "stacks.data.min_capacity_acu: 8 is above max_capacity_acu"),
        ("log_retention_days = 30", "log_retention_days = 31", "31 is not a retention that CloudWatch Logs has"),
        ("database_instances", "database_instance", "stacks.data.database_instance: unknown key"),
        ("[stacks.edge]", "[stacks.edges]", "the table [stacks.edge] is missing"),
    ],
)
def test_a_mistake_in_the_environments_file_is_a_fault_with_its_line(
    tmp_path_factory: pytest.TempPathFactory, old: str, new: str, said: str
) -> None:
    text = (FIXTURES / FOLDER / "staging.toml").read_text(encoding="utf-8")
    assert old in text
    file = tmp_path_factory.mktemp("faults") / "staging.toml"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InvalidConfiguration) as raised:
        shared_stacks(
            read_document(file, "staging.toml"),
            load_environment(FIXTURES, "staging"),
            load_services(FIXTURES),
            TEMPLATE_FILES,
        )
    assert said in str(raised.value)
    assert re.search(r"^staging\.toml:\d+: ", str(raised.value), re.M)


def test_an_edge_outside_of_us_east_1_is_refused() -> None:
    elsewhere = replace(load_environment(FIXTURES, "staging"), region="eu-west-1")
    document = read_document(FIXTURES / FOLDER / "staging.toml", "staging.toml")
    with pytest.raises(InvalidConfiguration, match="needs a stack of its own in us-east-1"):
        shared_stacks(document, elsewhere, load_services(FIXTURES), TEMPLATE_FILES)


def test_every_suppressed_finding_says_why() -> None:
    def skips(body: Template) -> list[dict[str, Any]]:
        return list(body.get("Metadata", {}).get("checkov", {}).get("skip", []))

    silent = [
        f"{resource}: {skip}"
        for resource in resources()
        for skip in skips(resource.body)
        if len(skip.get("comment", "")) < 20
    ]
    assert silent == []
