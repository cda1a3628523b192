"""From a service's routers to its running app: what `build_app` of each service calls.

    def build_app() -> FastAPI:
        return create_app(load_settings(OrdersSettings), title="Orders", routers=[orders.router])

Request to effect: RequestMiddleware ─▶ route ─▶ policy ─▶ use case in a unit of work ─▶ commit ─▶ answer.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

from platform_sdk import contract
from platform_sdk.runtime.cache import Cache
from platform_sdk.runtime.database import Database
from platform_sdk.runtime.health import Health, health_router
from platform_sdk.runtime.middleware import RequestMiddleware
from platform_sdk.runtime.openapi import openapi_document
from platform_sdk.runtime.resources import Read, Resources, ServiceResources, ShuttingDown, Uow
from platform_sdk.runtime.routes import RouteWithoutPolicy, adopt_routes
from platform_sdk.runtime.settings import ServiceSettings
from platform_sdk.runtime.tokens import TokenVerifier
from platform_sdk.runtime.warm_up import warmed_up

__all__ = [
    "Read",
    "Resources",
    "RouteWithoutPolicy",
    "ServiceApp",
    "ServiceResources",
    "ShuttingDown",
    "Uow",
    "create_app",
]

CLOSE_TIMEOUT_SECONDS: Final = 1.0

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
        path = self.settings.service_path
        return RequestMiddleware(
            # FastAPI's routes look for the exit stack that this one makes.
            AsyncExitStackMiddleware(self.router),
            settings=self.settings,
            health=self.resources.health,
            allowed_methods=self.allowed_methods,
            quiet_paths=frozenset(path + suffix for suffix in (contract.LIVENESS_PATH, contract.READINESS_PATH)),
        )

    def allowed_methods(self, scope: Scope) -> frozenset[str]:
        """What `Allow` says about the path of `scope`; empty where there is no route."""
        methods: set[str] = set()
        for route in self.routes:
            if route.matches(scope)[0] is not Match.NONE:
                methods.update(getattr(route, "methods", None) or ())
        if "GET" in methods:
            methods.add("HEAD")
        return frozenset({*methods, "OPTIONS"} if methods else ())

    def openapi(self) -> dict[str, Any]:
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
    """Builds the app: the service's routers, health, OpenAPI and docs under the service's path.

    Args:
        version: of the API, in the OpenAPI document; defaults to the service's version.
        tokens: for the service that signs tokens itself; others verify against `settings.jwks_url`.
        lifespan: what else the service opens and closes with the app.

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
            # Nothing is lost with it, and the others must be closed as well.
            logger.warning("%s did not close", name, exc_info=error, extra={"action": "close_failed"})

    stack.push_async_callback(close_in_time)
