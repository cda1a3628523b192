"""The load balancer's documents: what an Application Load Balancer would do, in Envoy's words."""

from pathlib import Path
from typing import Any

from local_aws.load_balancer.envoy import (
    Rule,
    TargetGroup,
    bootstrap_document,
    endpoints_document,
    endpoints_file,
    routes_document,
    routes_file,
)

FOLDER = Path("/state/load-balancer")
ORDERS = TargetGroup(name="orders-blue", path="/orders")


def bootstrap() -> Any:
    return bootstrap_document(port=8080, directory=FOLDER, target_groups=[ORDERS])["static_resources"]


def test_rule_sends_its_path_and_all_below_it_to_the_target_group() -> None:
    routes = routes_document([Rule(path="/orders", target_group="orders-blue")])["resources"][0]
    first = routes["virtual_hosts"][0]["routes"][0]
    assert first["match"] == {"path_separated_prefix": "/orders"}
    assert first["route"] == {"cluster": "orders-blue", "timeout": "0s"}


def test_last_route_answers_404_to_everything_else() -> None:
    routes = routes_document([])["resources"][0]["virtual_hosts"][0]["routes"]
    assert [(route["match"], route["direct_response"]["status"]) for route in routes] == [({"prefix": "/"}, 404)]


def test_listener_is_on_loopback_only_and_shares_its_port_with_nobody() -> None:
    (listener,) = bootstrap()["listeners"]
    assert listener["address"] == {"socket_address": {"address": "127.0.0.1", "port_value": 8080}}
    assert listener["enable_reuse_port"] is False


def test_target_group_is_checked_on_the_readiness_path_of_its_service() -> None:
    (cluster,) = bootstrap()["clusters"]
    assert cluster["name"] == "orders-blue"
    assert cluster["health_checks"][0]["http_health_check"] == {"path": "/orders/readyz"}


def test_nothing_is_retried() -> None:
    assert "retry" not in str(bootstrap()) + str(routes_document([Rule(path="/orders", target_group="orders-blue")]))


def test_targets_are_written_in_the_order_of_their_ports() -> None:
    (resource,) = endpoints_document("orders-blue", {3002, 3001})["resources"]
    ports = [e["endpoint"]["address"]["socket_address"]["port_value"] for e in resource["endpoints"][0]["lb_endpoints"]]
    assert (resource["cluster_name"], ports) == ("orders-blue", [3001, 3002])


def test_envoy_watches_the_files_that_are_written() -> None:
    text = str(bootstrap())
    assert str(routes_file(FOLDER)) in text
    assert str(endpoints_file(FOLDER, "orders-blue")) in text
