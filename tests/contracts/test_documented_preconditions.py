"""Routes that honour If-Match say so in the OpenAPI document, and those that say so can answer 412."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import APIRouter

from inventory import api as inventory_api
from orders import api as orders_api
from platform_sdk.runtime.http.app import create_app
from tests.unit.runtime_edge.edge_settings import settings
from users import api, api_addresses, api_administration, api_sessions

ROUTERS: dict[str, list[APIRouter]] = {
    "orders": [orders_api.router],
    "inventory": [inventory_api.router],
    "users": [api.router, api_sessions.router, api_addresses.router, api_administration.router],
}


def operations(service: str) -> Iterator[tuple[str, dict[str, Any]]]:
    app = create_app(settings(service_name=service), title=service, routers=ROUTERS[service])
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


@pytest.mark.parametrize("service", ROUTERS)
def test_if_match_is_documented_where_412_is(service: str) -> None:
    answering = {name for name, operation in operations(service) if "412" in operation["responses"]}
    taking = {
        name
        for name, operation in operations(service)
        if any(parameter["name"] == "If-Match" for parameter in operation.get("parameters", ()))
    }
    assert taking
    assert taking == answering
