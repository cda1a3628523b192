"""The rendered task definition against what ECS accepts on Fargate, and against what we promise of it."""

import json
from dataclasses import replace
from typing import Any

import pytest
from botocore.session import get_session
from botocore.validate import ParamValidator

from platform_sdk.contract import Variable
from platform_sdk.deploy.environment import Environment, load_environment
from platform_sdk.deploy.manifest import load_services
from platform_sdk.deploy.manifest.resources import SecretReference, SecretStore
from platform_sdk.deploy.manifest.tasks import MEMORY_MIB_BY_CPU, Sidecar, Sidecars
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.render.names import Role, family_of
from platform_sdk.deploy.render.task_definition import (
    NoWorker,
    StopTimeoutTooShort,
    TaskDefinitionTooLarge,
    render_task_definition,
)
from platform_sdk.deploy.render.variables import version_of
from tests.support.repository import FIXTURES

SPECS = {spec.name: spec for spec in load_services(FIXTURES)}
ENVIRONMENTS = {name: load_environment(FIXTURES, name) for name in ("local", "production", "staging")}
ALL: list[tuple[str, str, Role]] = [
    (service, environment, role)
    for service, spec in SPECS.items()
    for environment in ENVIRONMENTS
    for role in (("api", "worker") if spec.worker else ("api",))
]

# Of the ECS API reference, "Task definition parameters for Fargate".
REFUSED_BY_FARGATE = {
    "privileged",
    "links",
    "disableNetworking",
    "dnsServers",
    "dnsSearchDomains",
    "dockerSecurityOptions",
    "extraHosts",
    "resourceRequirements",
}


def rendered(service: str, environment: str, role: Role = "api") -> dict[str, Any]:
    return render_task_definition(SPECS[service], ENVIRONMENTS[environment], image="registry/orders:1.4.2", role=role)


def container(document: dict[str, Any], name: str = "app") -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in document["containerDefinitions"] if one["name"] == name)
    return found


def variables(document: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in container(document)["environment"]}


def secrets(document: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["valueFrom"] for one in container(document)["secrets"]}


@pytest.fixture(scope="module")
def input_shape() -> Any:
    return get_session().get_service_model("ecs").operation_model("RegisterTaskDefinition").input_shape


@pytest.mark.parametrize(("service", "environment", "role"), ALL)
def test_ecs_accepts_the_document(input_shape: Any, service: str, environment: str, role: Role) -> None:
    report = ParamValidator().validate(rendered(service, environment, role), input_shape)
    assert not report.has_errors(), report.generate_report()


@pytest.mark.parametrize(("service", "environment", "role"), ALL)
def test_fargate_accepts_the_document(service: str, environment: str, role: Role) -> None:
    document = rendered(service, environment, role)
    cpu, memory_mib = int(document["cpu"]), int(document["memory"])
    containers = document["containerDefinitions"]
    assert memory_mib in MEMORY_MIB_BY_CPU[cpu]
    assert (document["networkMode"], document["requiresCompatibilities"]) == ("awsvpc", ["FARGATE"])
    assert sum(one["cpu"] for one in containers) == cpu
    assert sum(one.get("memory", one["memoryReservation"]) for one in containers) == memory_mib
    assert all(one["memoryReservation"] < one.get("memory", memory_mib + 1) for one in containers)
    assert len(containers) <= 10
    for one in containers:
        assert not REFUSED_BY_FARGATE & set(one)
        assert 2 <= one["stopTimeout"] <= 120
        assert one["logConfiguration"]["logDriver"] in {"awslogs", "awsfirelens"}
        assert all(isinstance(value, str) for value in one["logConfiguration"]["options"].values())
        names = [entry["name"] for entry in [*one.get("environment", []), *one.get("secrets", [])]]
        assert len(names) == len(set(names))
        if check := one.get("healthCheck"):
            assert 5 <= check["interval"] <= 300
            assert 2 <= check["timeout"] <= 60
            assert 1 <= check["retries"] <= 10
            assert 0 <= check["startPeriod"] <= 300


@pytest.mark.parametrize(("service", "environment", "role"), ALL)
def test_every_dependency_can_be_met(service: str, environment: str, role: Role) -> None:
    document = rendered(service, environment, role)
    for dependency in container(document)["dependsOn"]:
        other = container(document, dependency["containerName"])
        assert dependency["condition"] == "START" or "healthCheck" in other


@pytest.mark.parametrize(("service", "environment", "role"), ALL)
def test_nobody_but_the_agent_runs_as_root_or_writes_its_root(service: str, environment: str, role: Role) -> None:
    document = rendered(service, environment, role)
    users = [one["user"] for one in document["containerDefinitions"]]
    assert len(set(users)) == 3
    for one in document["containerDefinitions"]:
        assert one["linuxParameters"]["capabilities"] == {"drop": ["ALL"]}
        if one["name"] != "cloudwatch-agent":
            assert not one["user"].startswith("0")
            assert one["readonlyRootFilesystem"] is True


@pytest.mark.parametrize(("service", "environment", "role"), ALL)
def test_log_router_outlives_the_app(service: str, environment: str, role: Role) -> None:
    document = rendered(service, environment, role)
    assert container(document, "log-router")["stopTimeout"] > container(document)["stopTimeout"]
    essential = {one["name"]: one["essential"] for one in document["containerDefinitions"]}
    assert essential == {"app": True, "cloudwatch-agent": False, "log-router": True}


def test_families_are_named_without_a_version() -> None:
    local = ENVIRONMENTS["local"]
    assert family_of(SPECS["orders"], local) == "local-orders"
    assert family_of(SPECS["orders"], local, "worker") == "local-orders-worker"


def test_the_api_listens_and_has_a_liveness_check() -> None:
    app = container(rendered("orders", "production"))
    assert app["command"] == ["python", "-m", "orders.main"]
    assert app["portMappings"] == [{"containerPort": 3000, "hostPort": 3000, "protocol": "tcp"}]
    assert app["healthCheck"]["command"][:3] == ["CMD", "python", "-c"]
    assert "'/orders/livez'" in app["healthCheck"]["command"][3]


def test_worker_consumes_and_listens_on_nothing() -> None:
    document = rendered("orders", "production", "worker")
    app = container(document)
    assert app["command"] == ["python", "-m", "orders.worker"]
    assert not {"portMappings", "healthCheck"} & set(app)
    assert json.loads(variables(document)["CONSUMED_QUEUES"]) == ["platform-production-orders"]
    assert not {"HOST", "PORT"} & set(variables(document))


def test_health_program_is_python() -> None:
    compile(container(rendered("orders", "local"))["healthCheck"]["command"][3], "<health>", "exec")


def test_events_are_routed_to_physical_queues() -> None:
    routes = json.loads(variables(rendered("orders", "staging"))["EVENT_ROUTES"])
    assert routes["order.placed"] == ["platform-staging-inventory"]
    assert routes["order.confirmed"] == []


def test_laptop_reaches_its_own_servers_and_exports_nothing() -> None:
    given = variables(rendered("users", "local"))
    assert given["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
    assert given["DATABASE_URL"] == "postgresql://users@127.0.0.1:15432/platform?sslmode=disable"
    assert given["REDIS_URL"] == "redis://127.0.0.1:16379/0"
    assert given["JWKS_URL"] == "http://127.0.0.1:8080/users/.well-known/jwks.json"
    assert given["TOKEN_ISSUER"] == "http://127.0.0.1:8080"
    assert given["HOST"] == "127.0.0.1"
    assert Variable.OTLP_ENDPOINT not in given


def test_aws_has_no_endpoint_and_exports_to_the_agent() -> None:
    given = variables(rendered("users", "production"))
    assert "AWS_ENDPOINT_URL" not in given
    assert given[Variable.OTLP_ENDPOINT] == "http://127.0.0.1:4318"
    assert given["HOST"] == "0.0.0.0"
    assert given["JWKS_URL"] == "https://api.example.com/users/.well-known/jwks.json"


def test_secrets_are_references_and_never_values() -> None:
    prefix = "arn:aws:secretsmanager:us-east-1:111122223333:secret:platform/production/users/"
    assert secrets(rendered("users", "production")) == {
        "DATABASE_PASSWORD": f"{prefix}database:password::",
        "DATABASE_USER": f"{prefix}database:username::",
        "REDIS_PASSWORD": f"{prefix}cache:password::",
        "TOKEN_SIGNING_KEY": f"{prefix}token_signing_key",
    }
    assert "REDIS_PASSWORD" not in secrets(rendered("users", "local"))


def test_parameters_are_kept_below_environment_and_service() -> None:
    reference = SecretReference(store=SecretStore.PARAMETER_STORE, name="payment/host")
    spec = replace(SPECS["orders"], secrets={"PAYMENT_HOST": reference})
    document = render_task_definition(spec, ENVIRONMENTS["staging"], image="orders:1")
    assert secrets(document)["PAYMENT_HOST"] == "/platform/staging/orders/payment/host"


def test_a_service_without_needs_gets_no_endpoints() -> None:
    spec = replace(SPECS["users"], database=None, cache=None, secrets={})
    document = render_task_definition(spec, ENVIRONMENTS["production"], image="users:1")
    assert not {"DATABASE_URL", "DATABASE_MAX_CONNECTIONS", "REDIS_URL"} & set(variables(document))
    assert secrets(document) == {}


def test_teams_log_level_goes_before_the_environments() -> None:
    spec = replace(SPECS["users"], environment={"LOG_LEVEL": "warning"})
    assert variables(render_task_definition(spec, ENVIRONMENTS["staging"], image="users:1"))["LOG_LEVEL"] == "warning"
    assert variables(rendered("users", "staging"))["LOG_LEVEL"] == "debug"


def test_arm64_is_named_as_ecs_names_it() -> None:
    spec = replace(SPECS["users"], task=replace(SPECS["users"].task, architecture="arm64"))
    document = render_task_definition(spec, ENVIRONMENTS["staging"], image="users:1")
    assert document["runtimePlatform"] == {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("orders:1.4.2", "1.4.2"),
        ("host:5000/orders", "latest"),
        ("host:5000/orders:7", "7"),
        ("host/orders@sha256:0123456789abcdef", "0123456789ab"),
        ("host/orders:7@sha256:0123456789abcdef", "7"),
    ],
)
def test_version_is_read_from_the_image(image: str, version: str) -> None:
    assert version_of(image) == version


def test_a_service_without_worker_has_no_workers_document() -> None:
    with pytest.raises(NoWorker, match="users has no worker"):
        rendered("users", "local", "worker")


def with_stop_timeout(spec: ServiceSpec, seconds: int) -> ServiceSpec:
    return replace(spec, task=replace(spec.task, stop_timeout_seconds=seconds))


def with_drain_delay(environment: Environment, seconds: int) -> Environment:
    return replace(environment, tasks=replace(environment.tasks, drain_delay_seconds=seconds))


def test_a_stop_timeout_leaves_time_to_close() -> None:
    environment = with_drain_delay(ENVIRONMENTS["production"], 10)
    assert render_task_definition(with_stop_timeout(SPECS["orders"], 15), environment, image="orders:1")
    with pytest.raises(StopTimeoutTooShort, match="is 14, below 15"):
        render_task_definition(with_stop_timeout(SPECS["orders"], 14), environment, image="orders:1")


def test_log_router_never_gets_more_than_fargate_allows() -> None:
    document = render_task_definition(
        with_stop_timeout(SPECS["orders"], 120), ENVIRONMENTS["production"], image="orders:1"
    )
    assert container(document, "log-router")["stopTimeout"] == 120


def test_a_document_above_the_limit_names_the_largest_variables() -> None:
    spec = replace(SPECS["orders"], environment={"SMALL": "x", "LARGE": "x" * 40_000, "LARGER": "x" * 50_000})
    with pytest.raises(TaskDefinitionTooLarge) as caught:
        render_task_definition(spec, ENVIRONMENTS["local"], image="orders:1")
    assert "ECS registers at most 65536" in caught.value.what
    assert caught.value.because is not None
    assert "LARGER (50000 bytes), LARGE (40000 bytes)" in caught.value.because


def test_sidecars_can_be_switched_off() -> None:
    off = Sidecar(enabled=False, cpu=None, memory_mib=None)
    spec = replace(SPECS["orders"], sidecars=Sidecars(cloudwatch_agent=off, log_router=off))
    document: Any = render_task_definition(spec, ENVIRONMENTS["production"], image="orders:1")
    [app] = document["containerDefinitions"]
    assert (app["cpu"], app["memoryReservation"], app["dependsOn"]) == (512, 1024, [])
    assert app["logConfiguration"]["options"]["awslogs-group"] == "/platform/production/orders"
    assert Variable.OTLP_ENDPOINT not in variables(document)


def test_sidecars_have_the_size_that_a_team_gives_them() -> None:
    large = Sidecar(enabled=True, cpu=128, memory_mib=512)
    spec = replace(SPECS["orders"], sidecars=replace(SPECS["orders"].sidecars, log_router=large))
    document = render_task_definition(spec, ENVIRONMENTS["production"], image="orders:1")
    assert (container(document, "log-router")["cpu"], container(document, "log-router")["memory"]) == (128, 512)
    assert (container(document)["cpu"], container(document)["memoryReservation"]) == (512 - 64 - 128, 1024 - 256 - 512)
