"""Prints the Envoy configuration of compose.yaml's load balancer, while its image is built.

The configuration is that of the local stack, with two differences: it listens on every address of its container, and it
finds tasks by DNS instead of files with ports, so `docker compose up --scale orders=3` works.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from local_aws.load_balancer.envoy import Rule, TargetGroup, bootstrap_document, routes_document
from platform_sdk.deploy.environment import find_root
from platform_sdk.deploy.manifest import load_services
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.errors import ended_by_errors

PORT: Final = 8080
DNS_REFRESH: Final = "1s"

Document = dict[str, Any]


def envoy_document(specs: Iterable[ServiceSpec]) -> Document:
    """Return Envoy's configuration: a rule and a cluster for each service, under the service's name."""
    specs = list(specs)
    groups = [TargetGroup(name=spec.name, path=spec.path) for spec in specs]
    document = bootstrap_document(port=PORT, directory=Path("/"), target_groups=groups)
    resources = document["static_resources"]
    listen_everywhere(resources["listeners"][0], [Rule(path=group.path, target_group=group.name) for group in groups])
    for cluster, spec in zip(resources["clusters"], specs, strict=True):
        find_by_name(cluster, spec)
    return document


def listen_everywhere(listener: Document, rules: list[Rule]) -> None:
    listener["address"]["socket_address"]["address"] = "0.0.0.0"
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    del manager["rds"]
    [routes] = routes_document(rules)["resources"]
    manager["route_config"] = {key: value for key, value in routes.items() if key != "@type"}


def find_by_name(cluster: Document, spec: ServiceSpec) -> None:
    del cluster["eds_cluster_config"]
    address = {"socket_address": {"address": spec.name, "port_value": spec.port}}
    del cluster["type"]
    cluster |= {
        "cluster_type": {
            "name": "envoy.cluster.dns",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.clusters.dns.v3.DnsCluster",
                "dns_refresh_rate": DNS_REFRESH,
            },
        },
        "load_assignment": {
            "cluster_name": spec.name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }


if __name__ == "__main__":
    with ended_by_errors():
        sys.stdout.write(json.dumps(envoy_document(load_services(find_root(Path.cwd()), "local")), indent=2) + "\n")
