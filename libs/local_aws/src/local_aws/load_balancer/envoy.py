"""Envoy's documents, rendered from targets and listener rules. Pure; the load balancer writes them into files.

They make Envoy behave like an Application Load Balancer: rules by path, health checks on the readiness path, an idle
timeout of 60 s, no limit on the time of a whole response, no retries, 502 for a target that fails, 503 without targets,
and requests to all targets when none is healthy.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platform_sdk.contract import READINESS_PATH

Document = dict[str, Any]

_TYPES = "type.googleapis.com/envoy"
_PROTOCOL_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_IDLE_TIMEOUT = "60s"
_ACCESS_LOG = (
    "%START_TIME% %REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %RESPONSE_CODE% %DURATION%ms"
    " target=%UPSTREAM_HOST% flags=%RESPONSE_FLAGS% bytes=%BYTES_SENT% agent=%REQ(USER-AGENT)%\n"
)

_LIMITS = ("max_connections", "max_pending_requests", "max_requests")

# Envoy's flags for its own answers, as an ALB would number and a client should read them.
_OWN_ANSWERS: tuple[tuple[tuple[str, ...], int, str], ...] = (
    (("UF", "UC", "UR", "UPE"), 502, "The service did not answer"),
    (("UH", "NC", "UO"), 503, "No task of this service is available"),
    (("UT",), 504, "The service did not answer in time"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A listener rule: `path` and everything below it go to the target group."""

    path: str
    target_group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetGroup:
    """The tasks of one service and one colour; `path` is the service's, below which its health path lies."""

    name: str
    path: str


def endpoints_file(directory: Path, target_group: str) -> Path:
    """Return the file of a target group's endpoints, which Envoy watches (EDS)."""
    return directory / f"endpoints-{target_group}.json"


def routes_file(directory: Path) -> Path:
    """Return the file of all listener rules, which Envoy watches (RDS)."""
    return directory / "routes.json"


def bootstrap_document(*, port: int, directory: Path, target_groups: Iterable[TargetGroup]) -> Document:
    """Return the static part: one listener, one cluster for each target group; routes and endpoints come from
    `directory`.
    """
    return {
        "node": {"id": "load-balancer", "cluster": "local"},
        "static_resources": {
            "listeners": [_listener(port, directory)],
            "clusters": [_cluster(group, directory) for group in target_groups],
        },
    }


def routes_document(rules: Sequence[Rule]) -> Document:
    """Return all rules of the listener, and the fixed answer for whatever matches none."""
    routes: list[Document] = [
        {"match": {"path_separated_prefix": rule.path}, "route": {"cluster": rule.target_group, "timeout": "0s"}}
        for rule in rules
    ]
    not_found = {"status": 404, "body": {"inline_string": "No service at this path"}}
    routes.append({"match": {"prefix": "/"}, "direct_response": not_found})
    # Envoy would replace a loopback address by the machine's own.
    forwarded_for = {"key": "X-Forwarded-For", "value": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%"}
    configuration = {
        "@type": f"{_TYPES}.config.route.v3.RouteConfiguration",
        "name": "rules",
        "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}],
        "request_headers_to_add": [{"header": forwarded_for, "append_action": "APPEND_IF_EXISTS_OR_ADD"}],
        "request_headers_to_remove": ["x-envoy-external-address", "x-envoy-internal"],
    }
    return {"version_info": "1", "resources": [configuration]}


def endpoints_document(target_group: str, ports: Iterable[int]) -> Document:
    """Return the registered targets; which of them get requests, the health checks decide."""
    endpoints = [{"endpoint": {"address": _address(port)}} for port in sorted(ports)]
    assignment = {
        "@type": f"{_TYPES}.config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": target_group,
        "endpoints": [{"lb_endpoints": endpoints}],
    }
    return {"version_info": "1", "resources": [assignment]}


def _address(port: int) -> Document:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _watched(path: Path) -> Document:
    return {
        "resource_api_version": "V3",
        "path_config_source": {"path": str(path), "watched_directory": {"path": str(path.parent)}},
    }


def _listener(port: int, directory: Path) -> Document:
    router = {"@type": f"{_TYPES}.extensions.filters.http.router.v3.Router", "suppress_envoy_headers": True}
    access_log = {
        "@type": f"{_TYPES}.extensions.access_loggers.stream.v3.StdoutAccessLog",
        "log_format": {"text_format_source": {"inline_string": _ACCESS_LOG}},
    }
    manager = {
        "@type": f"{_TYPES}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "listener",
        "rds": {"route_config_name": "rules", "config_source": _watched(routes_file(directory))},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
        "access_log": [{"name": "envoy.access_loggers.stdout", "typed_config": access_log}],
        "local_reply_config": _own_answers(),
        "use_remote_address": True,
        "skip_xff_append": True,
        "generate_request_id": False,
        "preserve_external_request_id": True,
        "server_header_transformation": "PASS_THROUGH",
        "common_http_protocol_options": {"idle_timeout": _IDLE_TIMEOUT},
        "stream_idle_timeout": _IDLE_TIMEOUT,
    }
    return {
        "name": "production",
        "address": _address(port),
        # Otherwise a second load balancer could share the port unnoticed.
        "enable_reuse_port": False,
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }


def _own_answers() -> Document:
    """Return Envoy's own answers (never a service's) as RFC 9457 problem documents."""
    mappers: list[Document] = [
        {
            "filter": {"response_flag_filter": {"flags": list(flags)}},
            "status_code": status,
            "body_format_override": _problem(status, title),
        }
        for flags, status, title in _OWN_ANSWERS
    ]
    return {"mappers": mappers, "body_format": _problem("%RESPONSE_CODE%", "%LOCAL_REPLY_BODY%")}


def _problem(status: int | str, title: str) -> Document:
    return {
        "json_format": {"type": "about:blank", "title": title, "status": status},
        "content_type": "application/problem+json",
    }


def _cluster(group: TargetGroup, directory: Path) -> Document:
    protocol = {
        "@type": f"type.googleapis.com/{_PROTOCOL_OPTIONS}",
        "common_http_protocol_options": {"idle_timeout": _IDLE_TIMEOUT},
        "explicit_http_config": {"http_protocol_options": {}},
    }
    return {
        "name": group.name,
        "type": "EDS",
        "connect_timeout": "2s",
        "lb_policy": "ROUND_ROBIN",
        "eds_cluster_config": {"eds_config": _watched(endpoints_file(directory, group.name))},
        "health_checks": [_health_check(group)],
        # A target that is taken out gets no new request, whatever its health.
        "ignore_health_on_host_removal": True,
        # As an ALB: when no target is healthy, all of them are tried.
        "common_lb_config": {
            "healthy_panic_threshold": {"value": 1},
            # A change of health counts at once; Envoy would otherwise gather changes for a second.
            "update_merge_window": "0s",
        },
        "circuit_breakers": {"thresholds": [dict.fromkeys(_LIMITS, 100_000)]},
        "typed_extension_protocol_options": {_PROTOCOL_OPTIONS: protocol},
    }


def _health_check(group: TargetGroup) -> Document:
    return {
        "timeout": "2s",
        "interval": "2s",
        "no_traffic_interval": "2s",
        "unhealthy_interval": "0.25s",
        "healthy_threshold": 1,
        "unhealthy_threshold": 2,
        "http_health_check": {"path": f"{group.path}{READINESS_PATH}"},
    }
