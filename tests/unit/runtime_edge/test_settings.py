import pytest
from pydantic import SecretStr

from platform_sdk.runtime.process.settings import InvalidSettings, ServiceSettings, load_settings
from tests.unit.runtime_edge.edge_settings import ENVIRONMENT, settings


class UsersSettings(ServiceSettings):
    signing_key: SecretStr
    lockout_seconds: int = 60


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)


def test_settings_come_from_the_environment_with_their_types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENT_ROUTES", '{"order.placed": ["platform-test-inventory"], "order.paid": []}')
    monkeypatch.setenv("CONSUMED_QUEUES", '["platform-test-orders"]')
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    loaded = load_settings(ServiceSettings)
    assert loaded.event_routes == {"order.placed": ("platform-test-inventory",), "order.paid": ()}
    assert loaded.consumed_queues == ("platform-test-orders",)
    assert loaded.otlp_endpoint == "http://127.0.0.1:4318"
    assert loaded.port == 3000


def test_every_fault_is_reported_at_once_by_variable_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOKEN_AUDIENCE")
    monkeypatch.setenv("PORT", "high")
    monkeypatch.setenv("EVENT_ROUTES", "{")
    monkeypatch.setenv("SERVICE_PATH", "shop/")
    monkeypatch.setenv("LOG_LEVEL", "loud")
    with pytest.raises(InvalidSettings) as caught:
        load_settings(UsersSettings)
    variables = {line.split(":")[0] for line in caught.value.errors}
    assert variables == {"TOKEN_AUDIENCE", "PORT", "EVENT_ROUTES", "SERVICE_PATH", "LOG_LEVEL", "SIGNING_KEY"}
    assert "hint:" in str(caught.value)


def test_a_misspelt_variable_is_pointed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOKEN_AUDIENCE")
    monkeypatch.setenv("TOKEN_AUDIENC", "platform")
    with pytest.raises(InvalidSettings, match="did you mean TOKEN_AUDIENC"):
        load_settings(ServiceSettings)


def test_an_empty_variable_counts_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_ISSUER", "")
    with pytest.raises(InvalidSettings, match="TOKEN_ISSUER: missing"):
        load_settings(ServiceSettings)


def test_secrets_are_shown_neither_by_repr_nor_by_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "hunter2")
    monkeypatch.setenv("SIGNING_KEY", "-----BEGIN hunter2")
    assert "hunter2" not in repr(load_settings(UsersSettings))
    monkeypatch.setenv("DATABASE_URL", "postgresql://shop:hunter2@127.0.0.1/platform")
    monkeypatch.setenv("LOCKOUT_SECONDS", "hunter2")
    with pytest.raises(InvalidSettings) as caught:
        load_settings(UsersSettings)
    assert "DATABASE_URL: holds a password; give it in DATABASE_PASSWORD" in caught.value.errors
    assert "hunter2" not in str(caught.value)


def test_a_stop_that_does_not_fit_its_timeout_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOP_TIMEOUT_SECONDS", "10")
    monkeypatch.setenv("DRAIN_DELAY_SECONDS", "8")
    with pytest.raises(InvalidSettings, match="DRAIN_DELAY_SECONDS"):
        load_settings(ServiceSettings)


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        settings().port = 1
