"""What the developer's shell decides, and how it gets into the local environment."""

from pathlib import Path

import pytest

from local_aws.settings import InvalidVariable, load_local_settings, local_environment, outside_cache_password


def test_usual_ports_and_folder(repository: Path) -> None:
    settings = load_local_settings({})
    environment = local_environment(settings)
    assert settings.state == repository / ".platform"
    assert environment.load_balancer_url == "http://127.0.0.1:8080"
    assert environment.aws_endpoint_url == "http://127.0.0.1:4566"
    assert (environment.database.host, environment.database.port) == ("127.0.0.1", 15432)
    assert environment.cache.url == "redis://127.0.0.1:16379/0"


def test_ports_of_the_shell_reach_every_url() -> None:
    variables = {
        "PLATFORM_PORT": "1",
        "PLATFORM_AWS_PORT": "2",
        "PLATFORM_DATABASE_PORT": "3",
        "PLATFORM_REDIS_PORT": "4",
    }
    environment = local_environment(load_local_settings(variables))
    assert environment.load_balancer_url == "http://127.0.0.1:1"
    assert environment.aws_endpoint_url == "http://127.0.0.1:2"
    assert environment.database.port == 3
    assert environment.cache.url == "redis://127.0.0.1:4/0"


def test_outside_servers_take_the_place_of_embedded_ones() -> None:
    settings = load_local_settings(
        {
            "DATABASE_URL": "postgresql://owner:secret@db.example:6432/shop?sslmode=require",
            "REDIS_URL": "rediss://:pass%20word@cache.example:6380/1",
            "AWS_ENDPOINT_URL": "http://aws.example:4566",
        }
    )
    environment = local_environment(settings)
    database = environment.database
    assert (database.host, database.port, database.name, database.sslmode) == ("db.example", 6432, "shop", "require")
    assert (environment.cache.url, environment.cache.authenticated) == ("rediss://cache.example:6380/1", True)
    assert outside_cache_password(settings) == "pass word"
    assert environment.aws_endpoint_url == "http://aws.example:4566"


@pytest.mark.parametrize(
    ("name", "value"),
    [("PLATFORM_PORT", "http"), ("PLATFORM_PORT", "70000"), ("DATABASE_URL", "mysql://x"), ("REDIS_URL", "redis:")],
)
def test_unusable_variable_is_named(name: str, value: str) -> None:
    with pytest.raises(InvalidVariable, match=name):
        load_local_settings({name: value})
