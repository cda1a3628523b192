"""The API process: settings, tools, routes. `python -m users.main`."""

from fastapi import FastAPI

from platform_sdk.runtime.app import create_app
from platform_sdk.runtime.lifecycle import serve_api
from platform_sdk.runtime.settings import load_settings
from platform_sdk.runtime.tokens import TokenVerifier, public_keys_of
from users import api, api_addresses, api_administration, api_sessions
from users.dependencies import Tools
from users.settings import UsersSettings, password_pool, token_signer

# Fixed paths such as /users/me stand before /users/{user_id}.
ROUTERS = (api.router, api_sessions.router, api_addresses.router, api_administration.router)


def build_app(settings: UsersSettings | None = None) -> FastAPI:
    """The service as an ASGI application.

    Args:
        settings: those of the environment, unless given.
    """
    settings = settings or load_settings(UsersSettings)
    signer = token_signer(settings)
    # This service holds the keys itself: it must not have to ask itself over HTTP, least of all to start.
    tokens = TokenVerifier.from_public_keys(
        public_keys_of(signer.jwks), issuer=settings.token_issuer, audience=settings.token_audience
    )
    app = create_app(settings, title="Users", routers=ROUTERS, tokens=tokens)
    app.state.tools = Tools(settings=settings, signer=signer, passwords=password_pool(settings))
    return app


if __name__ == "__main__":
    serve_api(build_app)
