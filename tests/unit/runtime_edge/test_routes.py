from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Query

from platform_sdk.errors import PlatformError
from platform_sdk.runtime.http.app import ServiceApp, create_app
from platform_sdk.runtime.http.auth import Administrator, CurrentUser, Public
from platform_sdk.runtime.http.inputs import RequestModel
from platform_sdk.runtime.http.routes import RouteWithoutPolicy
from tests.unit.runtime_edge.edge_settings import settings


class Body(RequestModel):
    name: str


def app_of(*routers: APIRouter) -> ServiceApp:
    return create_app(settings(), title="Shop", routers=routers)


def test_a_route_without_a_policy_does_not_start_and_is_named() -> None:
    router = APIRouter(prefix="/shop")

    @router.delete("/orders/{order_id}")
    async def delete_order(order_id: str) -> None:
        """Whose order?"""

    with pytest.raises(RouteWithoutPolicy, match=r"DELETE /shop/orders/\{order_id\}") as caught:
        app_of(router)
    assert caught.value.hint is not None
    assert "CurrentUser" in caught.value.hint


def test_a_policy_of_the_whole_router_counts() -> None:
    router = APIRouter(prefix="/shop", dependencies=[Administrator])

    @router.get("/accounts")
    async def get_accounts() -> None:
        return None

    app_of(router)


def test_a_router_inside_a_router_is_refused_rather_than_left_unguarded() -> None:
    outer, inner = APIRouter(prefix="/shop"), APIRouter()
    outer.include_router(inner)
    with pytest.raises(PlatformError, match="cannot guard"):
        app_of(outer)


@pytest.fixture
def document() -> dict[str, Any]:
    router = APIRouter(prefix="/shop")

    @router.post("/items")
    async def post_item(body: Body, user: CurrentUser) -> None:
        return None

    @router.get("/items", dependencies=[Public])
    async def get_items(limit: Annotated[int, Query(ge=1)] = 1) -> None:
        return None

    return app_of(router).openapi()


def test_every_status_of_the_edge_is_documented_as_problem_json(document: dict[str, Any]) -> None:
    operation = document["paths"]["/shop/items"]["post"]
    always = {"400", "401", "403", "404", "405", "408", "413", "415", "422", "429", "500", "503", "504", "default"}
    assert always <= operation["responses"].keys()
    for status in always:
        schema = operation["responses"][status]["content"]["application/problem+json"]["schema"]
        assert schema == {"$ref": "#/components/schemas/Problem"}
    assert "HTTPValidationError" not in str(document)


def test_the_document_says_which_routes_need_a_token(document: dict[str, Any]) -> None:
    operations = document["paths"]["/shop/items"]
    assert operations["post"]["security"] == [{"accessToken": []}]
    assert "security" not in operations["get"]
    assert "401" not in operations["get"]["responses"]
    assert document["components"]["securitySchemes"]["accessToken"]["scheme"] == "bearer"


def test_health_routes_stay_out_of_the_document(document: dict[str, Any]) -> None:
    assert set(document["paths"]) == {"/shop/items"}
