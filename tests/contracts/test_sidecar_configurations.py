"""The configurations of the sidecars follow their schemas and match the task.

The agent and the router themselves do not run here: their images come from a registry alone. What their authors have
written down stands in their place, and docs/howto/sidecars.md says what that leaves open.
"""

import json
import re
from copy import deepcopy
from fnmatch import fnmatch
from typing import Any, Final
from urllib.parse import urlsplit

import jsonschema
import pytest

from platform_sdk.contract import Variable
from platform_sdk.deploy.environment import Environment, load_environment
from platform_sdk.deploy.manifest import load_services
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.render.roles import METRICS_NAMESPACE
from platform_sdk.deploy.render.service_stack import log_groups
from platform_sdk.deploy.render.task_definition import FLUSH_SECONDS, MAX_STOP_TIMEOUT_SECONDS, render_task_definition
from platform_sdk.deploy.shared import AGENT_CONFIGURATION
from tests.support.fluent_bit import GRACE_SECONDS, HTTP_PORT, configuration_file, output_options, tag_pattern
from tests.support.log_drivers import app_of, container_of, firelens_tag
from tests.support.repository import FIXTURES, ROOT

ENVIRONMENTS: Final = ("staging", "production")

Json = dict[str, Any]


def section(properties: Json, **more: Any) -> Json:
    return {"type": "object", "properties": properties, "additionalProperties": False, **more}


def integer(minimum: int, maximum: int = 2**31 - 1) -> Json:
    return {"type": "integer", "minimum": minimum, "maximum": maximum}


def text(minimum: int, maximum: int) -> Json:
    return {"type": "string", "minLength": minimum, "maxLength": maximum}


TWO_DAYS: Final = 172_800
OTLP: Final = section({"grpc_endpoint": text(4, 2048), "http_endpoint": text(4, 2048)})

# The sections that we use, with the agent's own names and limits: github.com/aws/amazon-cloudwatch-agent,
# translator/config/schema.json, and docs.aws.amazon.com/AmazonCloudWatch, "CloudWatch agent configuration file". The
# agent lets unknown names through in some places; here none are.
AGENT_SCHEMA: Final = section(
    {
        "metrics": section(
            {
                "namespace": text(1, 255),
                "force_flush_interval": integer(1, TWO_DAYS),
                "metrics_collected": section(
                    {
                        "otlp": OTLP,
                        "statsd": section(
                            {
                                "service_address": text(1, 255),
                                "metrics_collection_interval": integer(1, TWO_DAYS),
                                "metrics_aggregation_interval": integer(0, TWO_DAYS),
                                "allowed_pending_messages": integer(1),
                            }
                        ),
                    },
                    minProperties=1,
                ),
            },
            required=["metrics_collected"],
        ),
        "traces": section(
            {
                "traces_collected": section({"otlp": OTLP}, minProperties=1),
                "buffer_size_mb": integer(3),
                "concurrency": integer(1),
            },
            required=["traces_collected"],
        ),
        "logs": section({"metrics_collected": section({"emf": section({})})}, required=["metrics_collected"]),
    }
)

EMBEDDED_METRICS_PORT: Final = 25_888

# github.com/fluent/fluent-bit, plugins/out_cloudwatch_logs/cloudwatch_logs.c, and what every output knows:
# docs.fluentbit.io, "Scheduling and retries", "Multithreading".
CLOUDWATCH_LOGS_OPTIONS: Final = frozenset(
    [
        "region",
        "log_group_name",
        "log_stream_name",
        "log_stream_prefix",
        "log_group_template",
        "log_stream_template",
        "log_key",
        "extra_user_agent",
        "log_format",
        "role_arn",
        "auto_create_group",
        "auto_retry_requests",
        "log_retention_days",
        "endpoint",
        "sts_endpoint",
        "external_id",
        "metric_namespace",
        "metric_dimensions",
        "profile",
        "log_group_class",
        "match",
        "retry_limit",
        "workers",
    ]
)


@pytest.fixture(scope="module")
def agent() -> Json:
    document: Json = json.loads((ROOT / AGENT_CONFIGURATION).read_text(encoding="utf-8"))
    return document


def tasks() -> list[tuple[ServiceSpec, Environment]]:
    loaded = [load_environment(FIXTURES, name) for name in ENVIRONMENTS]
    return [(spec, environment) for environment in loaded for spec in load_services(FIXTURES, environment.name)]


TASKS: Final = tasks()
IDS: Final = [f"{environment.name}-{spec.name}" for spec, environment in TASKS]
each_task = pytest.mark.parametrize(("spec", "environment"), TASKS, ids=IDS)


def rendered(spec: ServiceSpec, environment: Environment) -> Json:
    return render_task_definition(spec, environment, image=f"{spec.name}:1")


def test_the_agents_configuration_is_in_its_own_words(agent: Json) -> None:
    jsonschema.validate(agent, AGENT_SCHEMA)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("traces", "buffer_size_mb"), 2),
        (("traces", "trace_collected"), {}),
        (("metrics", "force_flush_interval"), "60"),
        (("metrics", "metrics_collected", "otlp", "http_endpoint"), ""),
        (("metrics", "metrics_collected", "statsd", "service_adress"), ":8125"),
        (("logs", "metrics_collected"), None),
    ],
)
def test_a_slip_in_the_agents_configuration_is_found(agent: Json, path: tuple[str, ...], value: object) -> None:
    broken = deepcopy(agent)
    inner = broken
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, AGENT_SCHEMA)


def test_metrics_and_traces_arrive_at_one_receiver(agent: Json) -> None:
    """The agent starts one for both if, and only if, their addresses are the same text."""
    assert agent["metrics"]["metrics_collected"]["otlp"] == agent["traces"]["traces_collected"]["otlp"]


@each_task
def test_the_app_sends_its_telemetry_where_the_agent_listens(
    spec: ServiceSpec, environment: Environment, agent: Json
) -> None:
    variables = {pair["name"]: pair["value"] for pair in app_of(rendered(spec, environment))["environment"]}
    listening = agent["traces"]["traces_collected"]["otlp"]["http_endpoint"]
    assert variables[Variable.OTLP_ENDPOINT] == f"http://{listening}"


def test_the_agent_writes_to_the_namespace_that_the_tasks_role_allows(agent: Json) -> None:
    assert agent["metrics"]["namespace"] == METRICS_NAMESPACE


@each_task
def test_no_two_containers_of_a_task_listen_on_one_port(
    spec: ServiceSpec, environment: Environment, agent: Json
) -> None:
    """They share one network."""
    document = rendered(spec, environment)
    agents = [*agent["traces"]["traces_collected"]["otlp"].values()]
    agents.append(agent["metrics"]["metrics_collected"]["statsd"]["service_address"])
    assert {urlsplit(f"//{address}").hostname for address in agents} == {"127.0.0.1"}
    ports = [int(urlsplit(f"//{address}").port or 0) for address in agents]
    ports += [EMBEDDED_METRICS_PORT, spec.port, HTTP_PORT]
    ports += [int(port) for port in re.findall(r"^    Port (\d+)$", configuration_file(document), re.MULTILINE)]
    assert len(set(ports)) == len(ports) == 8


@each_task
def test_the_app_uses_options_that_the_cloudwatch_plugin_knows(spec: ServiceSpec, environment: Environment) -> None:
    options = output_options(app_of(rendered(spec, environment)))
    assert options.pop("Name") == "cloudwatch_logs"
    assert set(options) <= CLOUDWATCH_LOGS_OPTIONS
    assert {"region", "log_group_name"} <= set(options)
    assert len({"log_stream_name", "log_stream_prefix"} & set(options)) == 1
    assert options["auto_create_group"] in {"true", "false", "on", "off"}
    assert options["region"] == environment.region


@each_task
def test_the_apps_lines_go_to_a_group_of_its_stack_under_the_member_that_the_driver_fills(
    spec: ServiceSpec, environment: Environment
) -> None:
    options = output_options(app_of(rendered(spec, environment)))
    app_logs: Json = log_groups(spec, environment)["AppLogs"]
    assert options["log_group_name"] == app_logs["Properties"]["LogGroupName"]
    # test_log_path.py sees this member arrive.
    assert options["log_key"] == "log"


@each_task
def test_the_output_of_the_app_matches_the_tag_of_its_lines(spec: ServiceSpec, environment: Environment) -> None:
    name = app_of(rendered(spec, environment))["name"]
    assert fnmatch(firelens_tag(name, "0123456789abcdef"), tag_pattern(name))


@each_task
def test_the_routers_health_is_asked_for_where_its_included_file_listens(
    spec: ServiceSpec, environment: Environment
) -> None:
    [_, command] = container_of(rendered(spec, environment), "log-router")["healthCheck"]["command"]
    assert f"http://127.0.0.1:{HTTP_PORT}/api/v1/uptime" in command


@each_task
def test_the_router_outlives_the_app_by_the_time_that_it_takes_to_flush(
    spec: ServiceSpec, environment: Environment
) -> None:
    document = rendered(spec, environment)
    router = container_of(document, "log-router")["stopTimeout"]
    assert GRACE_SECONDS == FLUSH_SECONDS
    assert router == min(app_of(document)["stopTimeout"] + GRACE_SECONDS, MAX_STOP_TIMEOUT_SECONDS)
