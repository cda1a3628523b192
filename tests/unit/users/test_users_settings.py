"""The service does not start with keys that cannot sign, and does not show them."""

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from platform_sdk.runtime.process.settings import InvalidSettings, load_settings
from users.settings import UsersSettings, token_signer

VARIABLES = {
    "SERVICE_NAME": "users",
    "SERVICE_PATH": "/users",
    "ENVIRONMENT": "test",
    "AWS_REGION": "us-east-1",
    "TOKEN_ISSUER": "https://issuer.test",
    "TOKEN_AUDIENCE": "platform",
    "JWKS_URL": "http://127.0.0.1:9/jwks",
}


def key() -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return Ed25519PrivateKey.generate().private_bytes(encoding, form, serialization.NoEncryption()).decode()


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)


def test_keys_of_the_environment_sign_and_are_published(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_SIGNING_KEY", key())
    monkeypatch.setenv("TOKEN_PREVIOUS_KEYS", key() + key())
    monkeypatch.setenv("SIGN_UPS_PER_MINUTE", "7")
    settings = load_settings(UsersSettings)
    assert settings.sign_ups_per_minute == 7
    assert len(token_signer(settings).jwks["keys"]) == 3
    assert "PRIVATE KEY" not in repr(settings)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("TOKEN_SIGNING_KEY", ""), ("TOKEN_SIGNING_KEY", "hunter2"), ("TOKEN_PREVIOUS_KEYS", "hunter2")],
)
def test_missing_or_wrong_key_is_named_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv("TOKEN_SIGNING_KEY", key())
    monkeypatch.setenv(variable, value)
    with pytest.raises(InvalidSettings) as refusal:
        load_settings(UsersSettings)
    assert variable in str(refusal.value)
    assert "hunter2" not in str(refusal.value)


def test_access_tokens_do_not_live_longer_than_a_quarter_of_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_SIGNING_KEY", key())
    monkeypatch.setenv("ACCESS_TOKEN_SECONDS", "901")
    with pytest.raises(InvalidSettings, match="ACCESS_TOKEN_SECONDS"):
        load_settings(UsersSettings)
