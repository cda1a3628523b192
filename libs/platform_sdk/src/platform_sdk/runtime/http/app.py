"""The app of a service: `create_app` builds it from the service's settings and routers.

    def build_app() -> FastAPI:
        return create_app(load_settings(OrdersSettings), title="Orders", routers=[orders.router])

request ─▶ RequestMiddleware ─▶ policy ─▶ route ─▶ use case in a unit of work ─▶ commit ─▶ answer
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from platform_sdk import contract
from platform_sdk.runtime.cache import Cache
from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.http.auth import TokenVerifier
from platform_sdk.runtime.http.health import Health, health_router
from platform_sdk.runtime.http.idempotency import KEY_PATTERN, required_idempotency_key
from platform_sdk.runtime.http.middleware import RequestMiddleware
from platform_sdk.runtime.http.problems import PROBLEM_MEDIA_TYPE, PROBLEM_SCHEMA, problem_responses
from platform_sdk.runtime.http.resources import ServiceResources, warmed_up
from platform_sdk.runtime.http.routes import adopt_routes, dependencies_of, is_public
from platform_sdk.runtime.process.settings import ServiceSettings

CLOSE_TIMEOUT_SECONDS: Final = 1.0
SECURITY_SCHEME: Final = "accessToken"
_ALWAYS: Final = (400, 404, 405, 422, 429, 500, 503, 504)
_WITH_POLICY: Final = (401, 403)
_WITH_BODY: Final = (408, 413, 415)

logger = logging.getLogger(__name__)

Lifespan = Callable[[ServiceResources], AbstractAsyncContextManager[None]]


class ServiceApp(FastAPI):
    """FastAPI with one middleware instead of its five, and our OpenAPI document; made by `create_app`."""

    def __init__(self, settings: ServiceSettings, resources: ServiceResources, **options: Any) -> None:
        self.settings = settings
        self.resources = resources
        super().__init__(**options)
        self.state.resources = resources
        self.asgi = self.build_middleware_stack()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self
        await self.asgi(scope, receive, send)

    def build_middleware_stack(self) -> ASGIApp:
        """Return FastAPI's app with one middleware of ours instead of Starlette's own."""
        path = self.settings.service_path
        return RequestMiddleware(
            # FastAPI's routes need the exit stack that this one creates.
            AsyncExitStackMiddleware(self.router),
            settings=self.settings,
            health=self.resources.health,
            allowed_methods=self.allowed_methods,
            quiet_paths=frozenset(path + suffix for suffix in (contract.LIVENESS_PATH, contract.READINESS_PATH)),
        )

    def allowed_methods(self, scope: Scope) -> frozenset[str]:
        """Return what `Allow` says about the path of `scope`; empty where there is no route."""
        methods: set[str] = set()
        for route in self.routes:
            if route.matches(scope)[0] is not Match.NONE:
                methods.update(getattr(route, "methods", None) or ())
        if "GET" in methods:
            methods.add("HEAD")
        return frozenset({*methods, "OPTIONS"} if methods else ())

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, built once. FastAPI serves it and its docs page."""
        if self.openapi_schema is None:
            self.openapi_schema = openapi_document(
                self.routes, title=self.title, version=self.version, description=self.description
            )
        return self.openapi_schema


def create_app(
    settings: ServiceSettings,
    *,
    title: str,
    routers: Sequence[APIRouter],
    version: str | None = None,
    description: str = "",
    tokens: TokenVerifier | None = None,
    lifespan: Lifespan | None = None,
) -> ServiceApp:
    """Build the app: the service's routers, health, OpenAPI and docs under the service's path.

    Args:
        version: of the API, in the OpenAPI document; defaults to the service's version.
        tokens: for the service that signs tokens itself; the others verify against `settings.jwks_url`.
        lifespan: further resources that the service opens and closes with the app.

    Raises:
        RouteWithoutPolicy: a route does not say who may call it.
    """
    path = settings.service_path
    resources = _build_resources(settings, tokens)
    app = ServiceApp(
        settings,
        resources,
        title=title,
        version=version or settings.service_version,
        description=description,
        openapi_url=f"{path}/openapi.json",
        docs_url=f"{path}/docs",
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        redirect_slashes=False,
        lifespan=lambda app: _run_resources(app.state.resources, lifespan),
    )
    app.router.routes.extend(adopt_routes([health_router(settings, resources.health), *routers]))
    return app


def _build_resources(settings: ServiceSettings, tokens: TokenVerifier | None) -> ServiceResources:
    cache = Cache.from_settings(settings)
    database = Database.from_settings(settings) if settings.database_url else None
    return ServiceResources(
        settings=settings,
        cache=cache,
        tokens=tokens or TokenVerifier.from_settings(settings, cache),
        health=Health(database),
        optional_database=database,
    )


@asynccontextmanager
async def _run_resources(resources: ServiceResources, service: Lifespan | None) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        _close_at_the_end(stack, "cache", resources.cache.close)
        _close_at_the_end(stack, "tokens", resources.tokens.close)
        if resources.optional_database is not None:
            await resources.optional_database.open()
            _close_at_the_end(stack, "database", resources.optional_database.close)
        if service is not None:
            await stack.enter_async_context(service(resources))
        await stack.enter_async_context(warmed_up(resources))
        resources.health.has_started = True
        yield
        resources.stopping.set()


def _close_at_the_end(stack: AsyncExitStack, name: str, close: Callable[[], Awaitable[None]]) -> None:
    async def close_in_time() -> None:
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_SECONDS):
                await close()
        except Exception as error:
            # Nothing is lost, and the others must still be closed.
            logger.warning("%s did not close", name, exc_info=error, extra={"action": "close_failed"})

    stack.push_async_callback(close_in_time)


# The OpenAPI document: FastAPI's, with every status that the middleware can answer, as problem+json.


def openapi_document(routes: Sequence[BaseRoute], *, title: str, version: str, description: str) -> dict[str, Any]:
    """Build the document of all routes that are in the schema."""
    document = get_openapi(title=title, version=version, description=description, routes=routes)
    for route, operation in _operations(routes, document):
        _document_problems(route, operation)
        _document_required_key(route, operation)
        if not is_public(route):
            operation["security"] = [{SECURITY_SCHEME: []}]
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    # FastAPI's own error body, which no route answers.
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    schemas["Problem"] = PROBLEM_SCHEMA
    components["securitySchemes"] = {SECURITY_SCHEME: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    return document


def _operations(routes: Sequence[BaseRoute], document: dict[str, Any]) -> Iterator[tuple[APIRoute, dict[str, Any]]]:
    for route in routes:
        if isinstance(route, APIRoute) and route.include_in_schema:
            for method in route.methods or ():
                yield route, document["paths"][route.path_format][method.lower()]


def _document_required_key(route: APIRoute, operation: dict[str, Any]) -> None:
    """Document the key as required. For FastAPI it is optional, so that its absence is a 400 of ours, not a 422."""
    if required_idempotency_key in dependencies_of(route):
        for parameter in operation["parameters"]:
            if parameter["name"] == "Idempotency-Key":
                parameter["required"] = True
                parameter["schema"] = {"type": "string", "pattern": KEY_PATTERN}


def _document_problems(route: APIRoute, operation: dict[str, Any]) -> None:
    statuses = [*_ALWAYS, *(() if is_public(route) else _WITH_POLICY), *(_WITH_BODY if route.body_field else ())]
    responses = operation["responses"]
    for status, response in problem_responses(*statuses).items():
        declared = responses.get(str(status))
        is_fastapis_own = declared is not None and "HTTPValidationError" in str(declared.get("content"))
        if declared is None or is_fastapis_own:
            responses[str(status)] = response
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    responses.setdefault("default", {"description": "Any other problem", "content": {PROBLEM_MEDIA_TYPE: problem}})
