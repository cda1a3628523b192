"""The stacks that all services share: their order and their parameters. Nothing here calls AWS.

The templates are in deploy/cloudformation. What differs between environments is in the tables `[stacks.…]` of
deploy/environments/<name>.toml, and becomes parameters here. The stacks find each other, and the stack of a service
finds them, through Systems Manager parameters (`SharedParameter`), so that no stack locks another.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from platform_sdk.contract import READINESS_PATH, dead_letter_queue_name, queue_name
from platform_sdk.deploy.environment import FOLDER, Environment, InvalidEnvironment
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.toml_document import Document, Form, Table, read_document

TEMPLATES: Final = Path("deploy/cloudformation")
AGENT_CONFIGURATION: Final = TEMPLATES / "cloudwatch-agent.json"
SMOKE_TEST: Final = Path("deploy/hooks/smoke_test.py")
TABLE: Final = "stacks"

# CloudFormation's limit for a parameter's value, and Parameter Store's for a standard parameter.
MAX_PARAMETER_BYTES: Final = 4096

CIDR: Final = Form(re.compile(r"10\.\d{1,3}\.0\.0/16"), 'a private /16 network such as "10.20.0.0/16"')
ZONE: Final = Form(re.compile(r"[a-z]{2}(-[a-z]+)+-\d[a-z]"), 'an availability zone such as "us-east-1a"')
PREFIX_LIST: Final = Form(re.compile(r"pl-[0-9a-f]{8,17}"), 'a prefix list such as "pl-3b927c52"')
HOSTED_ZONE: Final = Form(re.compile(r"Z[A-Z0-9]{5,31}"), 'the id of a Route 53 hosted zone, such as "Z0123456789ABC"')
NODE_TYPE: Final = Form(re.compile(r"cache\.[a-z0-9]+\.[a-z0-9]+"), 'a node type such as "cache.t4g.micro"')
UUID: Final = Form(re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "the UUID at the end of its ARN")
REPOSITORY: Final = Form(re.compile(r"[\w.-]+(/[\w.-]+)+"), '"owner/name"')
BRANCH: Final = Form(re.compile(r"[\w./-]+"), "a branch")
RETENTION_DAYS: Final = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922)


class SharedParameter:
    """Names of the Systems Manager parameters below `/platform/<environment>/` that the shared stacks write."""

    VPC_ID: Final = "network/vpc-id"
    DEFAULT_SECURITY_GROUP_ID: Final = "network/default-security-group-id"
    PUBLIC_SUBNET_IDS: Final = "network/public-subnet-ids"
    PRIVATE_SUBNET_IDS: Final = "network/private-subnet-ids"
    DATA_SUBNET_IDS: Final = "network/data-subnet-ids"

    LOAD_BALANCER_SECURITY_GROUP_ID: Final = "security/load-balancer-security-group-id"
    TASK_SECURITY_GROUP_ID: Final = "security/task-security-group-id"
    HOOK_SECURITY_GROUP_ID: Final = "security/hook-security-group-id"
    """Of the function that tests the replacement tasks: it reaches the load balancer's test listener."""
    DATABASE_SECURITY_GROUP_ID: Final = "security/database-security-group-id"
    CACHE_SECURITY_GROUP_ID: Final = "security/cache-security-group-id"

    CLUSTER_NAME: Final = "cluster/name"
    CLUSTER_ARN: Final = "cluster/arn"
    ALARM_TOPIC_ARN: Final = "cluster/alarm-topic-arn"
    CLOUDWATCH_AGENT: Final = "cloudwatch-agent"
    """The configuration of the CloudWatch agent beside every app."""

    DATABASE_HOST: Final = "data/database-host"
    DATABASE_READER_HOST: Final = "data/database-reader-host"
    DATABASE_RESOURCE_ID: Final = "data/database-resource-id"
    """What `rds-db:connect` names."""
    DATABASE_SECRET_ARN: Final = "data/database-secret-arn"  # noqa: S105 - a name
    """Of the master user, managed and rotated by RDS; no service reads it."""
    CACHE_HOST: Final = "data/cache-host"
    CACHE_SECRET_ARN: Final = "data/cache-secret-arn"  # noqa: S105 - a name
    DATA_KEY_ARN: Final = "data/key-arn"

    LOAD_BALANCER_ARN: Final = "edge/load-balancer-arn"
    LOAD_BALANCER_FULL_NAME: Final = "edge/load-balancer-full-name"
    """`app/<name>/<id>`, the value of the metrics' dimension LoadBalancer."""
    PRODUCTION_LISTENER_ARN: Final = "edge/production-listener-arn"
    TEST_LISTENER_ARN: Final = "edge/test-listener-arn"
    DISTRIBUTION_ID: Final = "edge/distribution-id"

    @staticmethod
    def repository_uri(service: str) -> str:
        return f"registry/{service}/repository-uri"


LOOKED_UP: Final[Mapping[str, Mapping[str, str]]] = {
    "security": {
        "VpcId": SharedParameter.VPC_ID,
        "DefaultSecurityGroupId": SharedParameter.DEFAULT_SECURITY_GROUP_ID,
        "PrivateSubnetIds": SharedParameter.PRIVATE_SUBNET_IDS,
    },
    "data": {
        "DataSubnetIds": SharedParameter.DATA_SUBNET_IDS,
        "DatabaseSecurityGroupId": SharedParameter.DATABASE_SECURITY_GROUP_ID,
        "CacheSecurityGroupId": SharedParameter.CACHE_SECURITY_GROUP_ID,
        "AlarmTopicArn": SharedParameter.ALARM_TOPIC_ARN,
    },
    "edge": {
        "VpcId": SharedParameter.VPC_ID,
        "PrivateSubnetIds": SharedParameter.PRIVATE_SUBNET_IDS,
        "LoadBalancerSecurityGroupId": SharedParameter.LOAD_BALANCER_SECURITY_GROUP_ID,
        "AlarmTopicArn": SharedParameter.ALARM_TOPIC_ARN,
    },
    "hooks": {
        "PrivateSubnetIds": SharedParameter.PRIVATE_SUBNET_IDS,
        "HookSecurityGroupId": SharedParameter.HOOK_SECURITY_GROUP_ID,
    },
    "secrets": {"CacheSecretArn": SharedParameter.CACHE_SECRET_ARN},
}
"""By template: its parameters that CloudFormation looks up by a name of `SharedParameter`."""


def shared_parameter(environment: Environment, name: str) -> str:
    """Return the full name of a parameter of `SharedParameter`, for example `/platform/staging/network/vpc-id`."""
    return f"/platform/{environment.name}/{name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedStack:
    """One stack to create or update; `template` is relative to the repository's root."""

    name: str
    template: Path
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateFiles:
    """Files whose whole text is a parameter of a template: for the CloudWatch agent, and for the hook function."""

    agent_configuration: str
    smoke_test: str


def load_shared_stacks(
    root: Path, environment: Environment, services: Sequence[ServiceSpec]
) -> tuple[SharedStack, ...]:
    """Read `[stacks]` of deploy/environments/<name>.toml. Return the stacks in the order in which to create them.

    Raises:
        InvalidEnvironment: with every error of the tables.
    """
    file = FOLDER / f"{environment.name}.toml"
    agent = json.loads((root / AGENT_CONFIGURATION).read_text(encoding="utf-8"))
    files = TemplateFiles(
        agent_configuration=json.dumps(agent, separators=(",", ":")),
        smoke_test=(root / SMOKE_TEST).read_text(encoding="utf-8"),
    )
    return shared_stacks(read_document(root / file, str(file)), environment, services, files)


def shared_stacks(
    document: Document, environment: Environment, services: Sequence[ServiceSpec], files: TemplateFiles
) -> tuple[SharedStack, ...]:
    """Return the stacks as `load_shared_stacks` does, from values.

    Raises:
        InvalidEnvironment: with every error of the tables.
    """
    root = document.root()
    settings = root.table(TABLE)
    stacks = tuple(_stacks_in_order(settings, environment, services, files))
    document.tables.remove(root)  # the other tables are the environment's own
    document.reject_unknown_keys()
    document.raise_errors(InvalidEnvironment)
    return stacks


def _stacks_in_order(
    settings: Table, environment: Environment, services: Sequence[ServiceSpec], files: TemplateFiles
) -> Iterator[SharedStack]:
    logs = {"LogRetentionDays": _log_retention(settings)}
    _refuse_large_files(settings, files)
    where = settings.table("network")
    zones = {"Zones": ",".join(zones_of(where, environment))}
    yield shared_stack("network", environment, _network_parameters(where) | zones | logs)
    yield shared_stack(
        "security", environment, _security_parameters(where, environment) | port_parameters(services) | logs
    )
    cluster = {"CloudWatchAgentConfiguration": files.agent_configuration}
    yield shared_stack("cluster", environment, _cluster_parameters(settings.table("cluster")) | cluster | logs)
    yield shared_stack("data", environment, _data_parameters(settings.table("data"), environment) | zones | logs)
    yield shared_stack("edge", environment, _edge_parameters(settings.table("edge"), environment) | logs)
    yield shared_stack("hooks", environment, hook_parameters(environment, services, files) | logs)
    yield shared_stack("access", environment, {})
    every_pipeline = _pipeline_parameters(settings.table("pipeline"), environment)
    for spec in services:
        yield from stacks_of(spec, environment, every_pipeline | logs)


def stacks_of(spec: ServiceSpec, environment: Environment, every_pipeline: Mapping[str, str]) -> Iterator[SharedStack]:
    """Yield one stack for each template of which every service has its own, so that a new service changes no other."""
    yield shared_stack("registry", environment, {}, spec)
    if spec.database is not None or spec.cache is not None:
        yield shared_stack("secrets", environment, {}, spec)
    yield shared_stack("apply", environment, {"QueueArns": _queue_arns(spec, environment)}, spec)
    yield shared_stack("release", environment, {}, spec)
    yield shared_stack("pipeline", environment, {**every_pipeline, "Architecture": spec.task.architecture}, spec)


def _queue_arns(spec: ServiceSpec, environment: Environment) -> str:
    where = f"arn:{environment.partition}:sqs:{environment.region}:{environment.account_id}"
    named = (queue_name, dead_letter_queue_name)
    return ",".join(f"{where}:{name(environment.name, queue.name)}" for queue in spec.queues for name in named)


def shared_stack(
    template: str, environment: Environment, parameters: Mapping[str, str], spec: ServiceSpec | None = None
) -> SharedStack:
    """Return `platform-<environment>-<template>`, with the service's name if every service has its own stack."""
    name = f"platform-{environment.name}-{template}"
    found = {name: shared_parameter(environment, place) for name, place in LOOKED_UP.get(template, {}).items()}
    return SharedStack(
        name=name if spec is None else f"{name}-{spec.name}",
        template=TEMPLATES / f"{template}.yaml",
        parameters={
            "Environment": environment.name,
            **({} if spec is None else {"Service": spec.name}),
            **parameters,
            **found,
        },
    )


def _log_retention(settings: Table) -> str:
    days = settings.integer("log_retention_days")
    if settings.are_sound("log_retention_days") and days not in RETENTION_DAYS:
        settings.error("log_retention_days", f"{days} is not a retention that CloudWatch Logs has")
    return str(days)


def _refuse_large_files(settings: Table, files: TemplateFiles) -> None:
    for file, text in ((AGENT_CONFIGURATION, files.agent_configuration), (SMOKE_TEST, files.smoke_test)):
        size = len(text.encode())
        if size > MAX_PARAMETER_BYTES:
            settings.error((), f"{file} takes {size} bytes, and a parameter at most {MAX_PARAMETER_BYTES}")


def _network_parameters(table: Table) -> dict[str, str]:
    return {"Cidr": table.text("cidr", CIDR), "Nat": table.choice("nat", ("none", "one", "per_zone"))}


def _security_parameters(table: Table, environment: Environment) -> dict[str, str]:
    return {
        "Cidr": table.text("cidr", CIDR),
        "DatabasePort": str(environment.database.port),
        "InterfaceEndpoints": parameter_of(table.boolean("interface_endpoints", default=False)),
        "CloudFrontPrefixList": table.text("cloudfront_prefix_list", PREFIX_LIST),
    }


def zones_of(table: Table, environment: Environment) -> tuple[str, ...]:
    """Return zones from the file, not from AWS: CloudFormation replaces a subnet when its zone changes."""
    zones = table.texts("zones", ZONE)
    if table.are_sound("zones") and (len(set(zones)) != 3 or len(zones) != 3):
        table.error("zones", "must name three different zones")
    for index, zone in enumerate(zones):
        if not zone.startswith(environment.region):
            table.error(("zones", index), f"is not in {environment.region}")
    return zones


def port_parameters(services: Sequence[ServiceSpec]) -> dict[str, str]:
    """Return the range of ports on which the load balancer reaches tasks."""
    used = [spec.port for spec in services]
    return {"FirstTaskPort": str(min(used)), "LastTaskPort": str(max(used))}


def _cluster_parameters(table: Table) -> dict[str, str]:
    return {
        "ContainerInsights": table.choice("container_insights", ("enhanced", "enabled", "disabled")),
        "AlarmEmail": table.text("alarm_email", default=""),
    }


def _data_parameters(table: Table, environment: Environment) -> dict[str, str]:
    smallest = table.integer("min_capacity_acu", legal=range(0, 257))
    largest = table.integer("max_capacity_acu", legal=range(1, 257))
    if table.are_sound("min_capacity_acu", "max_capacity_acu") and smallest > largest:
        table.error("min_capacity_acu", f"{smallest} is above max_capacity_acu, which is {largest}")
    pause = table.integer("auto_pause_seconds", legal=range(300, 86401), default=300)
    return {
        "DatabaseName": environment.database.name,
        "DatabasePort": str(environment.database.port),
        "MinCapacityAcu": str(smallest),
        "MaxCapacityAcu": str(largest),
        "AutoPauseSeconds": str(pause),
        "DatabaseInstances": str(table.integer("database_instances", legal=range(1, 3))),
        "BackupRetentionDays": str(table.integer("backup_retention_days", legal=range(1, 36))),
        "CacheNodeType": table.text("cache_node_type", NODE_TYPE),
    }


def _edge_parameters(table: Table, environment: Environment) -> dict[str, str]:
    if environment.region != "us-east-1":
        # Certificate and web ACL of a distribution exist in us-east-1 only, and one stack is in one region.
        table.error((), f"the edge of {environment.region} needs a stack of its own in us-east-1")
    return {
        "Domain": environment.domain,
        "HostedZoneId": table.text("hosted_zone_id", HOSTED_ZONE),
        "RequestsPerAddress": str(table.integer("requests_per_address", legal=range(10, 2_000_000_001))),
        "PriceClass": table.choice("price_class", ("PriceClass_100", "PriceClass_200", "PriceClass_All")),
    }


def hook_parameters(environment: Environment, services: Sequence[ServiceSpec], files: TemplateFiles) -> dict[str, str]:
    """Return the parameters of the hook stack. The smoke test derives names from those of CodeDeploy applications."""
    paths = {f"{environment.name}-{spec.name}": f"{spec.path}{READINESS_PATH}" for spec in services}
    return {
        "Domain": environment.domain,
        "SmokeTestCode": files.smoke_test,
        "ReadinessPaths": json.dumps(paths, sort_keys=True),
    }


def _pipeline_parameters(table: Table, environment: Environment) -> dict[str, str]:
    connection = table.text("connection_id", UUID)
    return {
        "ConnectionArn": f"arn:{environment.partition}:codeconnections:{environment.region}:{environment.account_id}"
        f":connection/{connection}",
        "Repository": table.text("repository", REPOSITORY),
        "Branch": table.text("branch", BRANCH),
        "Approval": parameter_of(table.boolean("approval", default=True)),
    }


def parameter_of(value: bool) -> str:
    """Return the value as CloudFormation's parameters write it."""
    return str(value).lower()
