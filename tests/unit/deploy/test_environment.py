"""deploy/environments/<name>.toml, read with every error at once, and moved to the ports of this machine."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from platform_sdk.deploy.environment import (
    Environment,
    InvalidEnvironment,
    InvalidPort,
    UnknownEnvironment,
    load_environment,
    with_ports_of,
)

VALID = """\
name = "qa"
[aws]
account_id = "111122223333"
region = "eu-central-1"
[load_balancer]
url = "https://qa.example.com"
[database]
host = "database.example.com"
port = 5432
name = "platform"
sslmode = "verify-full"
[cache]
url = "rediss://cache.example.com:6379/0"
[tokens]
audience = "platform"
"""


def load(root: Path, text: str | bytes = VALID, name: str = "qa") -> Environment:
    path = root / "deploy" / "environments" / f"{name}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_environment(root, name)


def test_the_smallest_file_gets_every_default(tmp_path: Path) -> None:
    environment = load(tmp_path)
    assert (environment.log_level, environment.aws_endpoint_url, environment.otlp_endpoint) == ("info", None, None)
    assert (environment.tasks.host, environment.tasks.drain_delay_seconds) == ("0.0.0.0", 5)
    assert environment.tokens.jwks_path == "/users/.well-known/jwks.json"
    assert environment.cache.authenticated is False
    assert environment.domain == "qa.example.com"


@pytest.mark.parametrize(
    ("region", "partition"), [("us-east-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_partition_follows_from_the_region(tmp_path: Path, region: str, partition: str) -> None:
    assert load(tmp_path, VALID.replace("eu-central-1", region)).partition == partition


def test_unknown_name_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    load(tmp_path)
    load(tmp_path, VALID.replace('"qa"', '"production"'), name="production")
    with pytest.raises(UnknownEnvironment) as caught:
        load_environment(tmp_path, "prodction")
    assert caught.value.what == "there is no environment `prodction`"
    assert caught.value.because == "deploy/environments holds production and qa"
    assert caught.value.hint == "did you mean production?"


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "qa.toml", "\x00"])
def test_a_name_is_never_a_path(tmp_path: Path, name: str) -> None:
    load(tmp_path)
    with pytest.raises(UnknownEnvironment):
        load_environment(tmp_path, name)


@pytest.mark.parametrize(
    ("was", "becomes", "error"),
    [
        ('name = "qa"', 'name = "qb"', "qa.toml:1: name: is not the name of its file, which is qa.toml"),
        ('name = "qa"', 'name = "q-a"', "qa.toml:1: name: must be 2 to 12 lower-case letters and digits"),
        (
            '"111122223333"',
            "111122223333",
            "qa.toml:3: aws.account_id: must be a text in quotes, not a whole number; put it in quotes",
        ),
        ('"111122223333"', '"1111"', "qa.toml:3: aws.account_id: must be the 12 digits of an AWS account"),
        ('"eu-central-1"', '"europe"', 'qa.toml:4: aws.region: must be an AWS region such as "us-east-1"'),
        ("[aws]", "[asw]", "qa.toml:2: asw: unknown table; did you mean aws?"),
        ("[aws]", "[asw]", "qa.toml:1: aws: the table [aws] is missing"),
        (
            '"https://qa.example.com"',
            '"https://qa.example.com/"',
            'qa.toml:6: load_balancer.url: must be an origin such as "https://api.example.com", without a path',
        ),
        ("port = 5432", "port = 0", "qa.toml:9: database.port: 0 is outside 1 to 65535; did you mean 1?"),
        (
            '"verify-full"',
            '"verify_full"',
            'qa.toml:11: database.sslmode: must be one of "disable", "require", "verify-ca" and "verify-full"; '
            "did you mean verify-full?",
        ),
        (
            "rediss://cache",
            "rediss://user:secret@cache",
            'qa.toml:13: cache.url: must be a URL such as "rediss://host:6379/0", without a password',
        ),
        (
            "[tokens]",
            '[generated_secrets]\n"users/key" = "rsa"\n[tokens]',
            'qa.toml:15: generated_secrets."users/key": must be one of "ed25519_private_key" and "password"; '
            'for example "users/key" = "ed25519_private_key"',
        ),
    ],
)
def test_errors_have_line_and_suggestion(tmp_path: Path, was: str, becomes: str, error: str) -> None:
    with pytest.raises(InvalidEnvironment) as caught:
        load(tmp_path, VALID.replace(was, becomes))
    assert f"deploy/environments/{error}" in str(caught.value).splitlines()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=100))
def test_no_bytes_give_a_traceback(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InvalidEnvironment):
        load(tmp_path, content)


LOCAL = (
    VALID.replace("https://qa.example.com", "http://127.0.0.1:8080")
    .replace("rediss://cache.example.com:6379/0", "redis://127.0.0.1:16379/0")
    .replace("[aws]", '[aws]\nendpoint_url = "http://127.0.0.1:4566"')
)


def test_ports_of_this_machine_move_the_laptops_environment(tmp_path: Path) -> None:
    ports = {"PORT": "1", "AWS_PORT": "2", "DATABASE_PORT": "3", "REDIS_PORT": "4"}
    variables = {f"PLATFORM_{name}": port for name, port in ports.items()}
    moved = with_ports_of(variables, load(tmp_path, LOCAL))
    assert moved.load_balancer_url == "http://127.0.0.1:1"
    assert moved.aws_endpoint_url == "http://127.0.0.1:2"
    assert moved.database.port == 3
    assert moved.cache.url == "redis://127.0.0.1:4/0"


def test_without_variables_nothing_moves(tmp_path: Path) -> None:
    environment = load(tmp_path, LOCAL)
    assert with_ports_of({}, environment) == environment


def test_an_aws_endpoint_elsewhere_takes_the_place_of_the_laptops(tmp_path: Path) -> None:
    moved = with_ports_of({"AWS_ENDPOINT_URL": "http://localhost:9"}, load(tmp_path, LOCAL))
    assert moved.aws_endpoint_url == "http://localhost:9"


def test_an_environment_on_aws_stays_where_it_is(tmp_path: Path) -> None:
    environment = load(tmp_path)
    variables = {"PLATFORM_PORT": "1", "PLATFORM_DATABASE_PORT": "2", "AWS_ENDPOINT_URL": "http://localhost:9"}
    assert with_ports_of(variables, environment) == environment


@pytest.mark.parametrize("port", ["x", "0", "65536", "-1", "٣"])
def test_a_port_that_cannot_be_is_refused(tmp_path: Path, port: str) -> None:
    environment = load(tmp_path, LOCAL)
    with pytest.raises(InvalidPort, match="PLATFORM_PORT is"):
        with_ports_of({"PLATFORM_PORT": port}, environment)
