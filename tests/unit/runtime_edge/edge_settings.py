"""Settings as a task gets them, for tests."""

from typing import Any

from platform_sdk.runtime.process.settings import ServiceSettings

ENVIRONMENT = {
    "SERVICE_NAME": "shop",
    "SERVICE_PATH": "/shop",
    "ENVIRONMENT": "test",
    "AWS_REGION": "us-east-1",
    "TOKEN_ISSUER": "https://users.test",
    "TOKEN_AUDIENCE": "platform",
    "JWKS_URL": "http://127.0.0.1:9/users/.well-known/jwks.json",
}


def settings(**overrides: Any) -> ServiceSettings:
    return ServiceSettings(**{**{name.lower(): value for name, value in ENVIRONMENT.items()}, **overrides})
