"""What the users service reads from its environment, beyond the settings of every service. First in the flow.

Variables are the fields' names in capitals, for example `TOKEN_SIGNING_KEY` or `SIGN_UPS_PER_MINUTE`.
"""

from typing import Annotated

from pydantic import Field, SecretStr, field_validator

from platform_sdk.runtime.process.settings import ServiceSettings
from users.passwords import Passwords
from users.tokens import TokenSigner, load_private_key, load_public_keys


class UsersSettings(ServiceSettings):
    """Settings of the users service."""

    token_signing_key: SecretStr
    """Ed25519 private key in PEM (PKCS #8)."""
    token_previous_keys: SecretStr | None = None
    """Keys that signed until lately, in PEM, one after the other; public or private."""
    access_token_seconds: Annotated[int, Field(ge=1, le=900)] = 900
    session_days: Annotated[int, Field(ge=1, le=365)] = 30
    """How long one log-in lasts, however often its refresh token is rotated."""

    sign_ups_per_minute: Annotated[int, Field(ge=1)] = 300
    """Per client address, as are the next two; an office or a test suite behind one address shares them."""
    log_ins_per_minute: Annotated[int, Field(ge=1)] = 600
    refreshes_per_minute: Annotated[int, Field(ge=1)] = 1200

    free_log_in_failures: Annotated[int, Field(ge=1)] = 10
    """Failures in a row after which an account is locked for a second, then two, four … up to the longest lock."""
    longest_lock_seconds: Annotated[int, Field(ge=1)] = 900

    password_threads: Annotated[int, Field(ge=1, le=16)] = 2
    password_queue_limit: Annotated[int, Field(ge=0)] = 64
    """Hashes that may wait for a thread; at about 32 ms each, 64 are a second's wait on two CPUs."""

    addresses_per_user: Annotated[int, Field(ge=1)] = 20

    @field_validator("token_signing_key")
    @classmethod
    def _is_a_private_key(cls, value: SecretStr) -> SecretStr:
        load_private_key(value.get_secret_value())
        return value

    @field_validator("token_previous_keys")
    @classmethod
    def _are_keys(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            load_public_keys(value.get_secret_value())
        return value


def token_signer(settings: UsersSettings) -> TokenSigner:
    """Return the signer with the keys of the environment."""
    previous = settings.token_previous_keys
    return TokenSigner(
        load_private_key(settings.token_signing_key.get_secret_value()),
        load_public_keys(previous.get_secret_value()) if previous else (),
        issuer=settings.token_issuer,
        audience=settings.token_audience,
        lifetime_seconds=settings.access_token_seconds,
    )


def password_pool(settings: UsersSettings) -> Passwords:
    """Return the pool that hashes passwords, as large as the environment says."""
    return Passwords(threads=settings.password_threads, queue_limit=settings.password_queue_limit)
