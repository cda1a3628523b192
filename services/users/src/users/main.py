"""The API process: settings, tools, routes. `python -m users.main`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from platform_sdk.runtime.http.app import create_app
from platform_sdk.runtime.http.auth import TokenVerifier, public_keys_of
from platform_sdk.runtime.http.resources import ServiceResources
from platform_sdk.runtime.lifecycle import serve_api
from platform_sdk.runtime.process.settings import load_settings
from users import api, api_addresses, api_administration, api_sessions
from users.dependencies import Tools
from users.settings import UsersSettings, password_pool, token_signer

ROUTERS = (api.router, api_sessions.router, api_addresses.router, api_administration.router)


def build_app(settings: UsersSettings | None = None) -> FastAPI:
    """Return the service as an ASGI application.

    Args:
        settings: those of the environment, unless given.
    """
    settings = settings or load_settings(UsersSettings)
    tools = Tools(settings=settings, signer=token_signer(settings), passwords=password_pool(settings))

    @asynccontextmanager
    async def lifespan(_: ServiceResources) -> AsyncIterator[None]:
        yield
        tools.passwords.close()

    # This service has the keys itself: it must not request them from itself over HTTP, especially at start.
    tokens = TokenVerifier.from_public_keys(
        public_keys_of(tools.signer.jwks), issuer=settings.token_issuer, audience=settings.token_audience
    )
    app = create_app(settings, title="Users", routers=ROUTERS, tokens=tokens, lifespan=lifespan)
    app.state.tools = tools
    return app


if __name__ == "__main__":
    serve_api(build_app)
