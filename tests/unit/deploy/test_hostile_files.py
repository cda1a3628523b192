"""Whatever a platform.toml holds, `platform check` ends with success or with errors that can be read."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from platform_sdk.cli import platform
from platform_sdk.deploy.check import check
from platform_sdk.deploy.config_errors import InvalidConfiguration
from platform_sdk.deploy.manifest import load_spec
from platform_sdk.deploy.manifest.keys import Group
from platform_sdk.deploy.manifest.reference import BY_PATH, reference
from tests.support.repository import FIXTURES

REFERENCE = [line for line in reference().splitlines() if line and not line.startswith("#")]

PATHS = [path.replace("*", "orders") for path in BY_PATH]
TABLES = [path.replace("*", "orders") for path, key in BY_PATH.items() if isinstance(key, Group)]
VALUES = [
    *("0", "-1", "1", "1.0", "inf", "nan", "-0.0", "1e400", "true", "0x" + "f" * 5000, "9223372036854775808"),
    *(
        '""',
        '"\\u0000"',
        '"\\u001b[2J"',
        '"\\U0001F600"',
        '"\\u202E"',
        '"{"',
        '"{0.__class__}"',
        '"%s"',
        '"*"',
        '"arn:"',
    ),
    *('"cron(* * * * ? *)"', '"cron(?)"', '"cron(1/0 * ? * ² *)"', '"rate(1 day)"', '"at(0000-00-00T00:00:00)"'),
    *(
        "[]",
        "[[]]",
        "[{}]",
        '["a", 1]',
        '["*", "{", "arn:aws:s3:::*"]',
        "{}",
        "{a = {b = []}}",
        "1979-05-27",
        "07:32:00",
    ),
    *(
        "'''\n'''",
        '"' + "a" * 70_000 + '"',
        '"../../etc"',
        '"Etc/../UTC"',
        '"orders"',
        "[1, 2.0, 1979-05-27T07:32:00Z]",
    ),
]
NAMES = st.sampled_from(['""', '"a b"', "__class__", '"\\u0000"', '"\\u001b[2J"', "*", '"*"', "A" * 300, '"é"', "1"])
PREFIXES = st.sampled_from(["", "environments.production.", "environments.local.", "environments.", "queues.orders."])

assignments = st.builds("{}{} = {}".format, PREFIXES, st.sampled_from(PATHS) | NAMES, st.sampled_from(VALUES))
headers = st.builds("{}{}{}{}".format, st.just("["), PREFIXES, st.sampled_from(TABLES) | NAMES, st.just("]"))
lists = st.builds("[[{}{}]]".format, PREFIXES, st.sampled_from(TABLES))
changes = st.lists(
    st.tuples(st.integers(0, len(REFERENCE)), st.integers(0, 3), assignments | headers | lists | st.text(max_size=20)),
    min_size=1,
    max_size=6,
)


def changed(edits: list[tuple[int, int, str]]) -> str:
    """The reference with lines put in, each in place of so many others."""
    lines = list(REFERENCE)
    for place, gone, line in edits:
        lines[place : place + gone] = [line]
    return "\n".join(lines)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("repository")
    for file in FIXTURES.glob("deploy/environments/*.toml"):
        copy = root / file.relative_to(FIXTURES)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
    for name in ("orders", "inventory"):
        (root / "services" / name).mkdir(parents=True)
    source = FIXTURES / "services/inventory/platform.toml"
    (root / "services/inventory/platform.toml").write_bytes(source.read_bytes())
    before = Path.cwd()
    os.chdir(root)
    yield root
    os.chdir(before)


def ends_well(root: Path, content: bytes) -> None:
    (root / "services/orders/platform.toml").write_bytes(content)
    try:
        check(root)
    except InvalidConfiguration as caught:
        for error in caught.errors:
            assert error.reason
            assert str(error).isprintable()


few = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=50)


@few
@given(changes.map(changed))
def test_no_change_of_a_file_gives_a_traceback(repository: Path, text: str) -> None:
    ends_well(repository, text.encode("utf-8", "surrogatepass"))


@few
@given(st.binary(max_size=300))
def test_no_bytes_give_a_traceback(repository: Path, content: bytes) -> None:
    ends_well(repository, content)


@settings(few, max_examples=20)
@given(changes.map(changed))
def test_the_command_line_prints_errors_and_nothing_else(repository: Path, text: str) -> None:
    (repository / "services/orders/platform.toml").write_bytes(text.encode("utf-8", "surrogatepass"))
    result = CliRunner().invoke(platform, ["check"])
    assert result.exit_code in (0, 1)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    if result.exit_code:
        assert "\nerror: " in f"\n{result.stderr}"


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value[:20].encode("unicode_escape").decode())
def test_no_value_of_any_key_gives_a_traceback(tmp_path: Path, value: str) -> None:
    file = tmp_path / "platform.toml"
    for path in PATHS:
        file.write_text(f"{path} = {value}\n", encoding="utf-8")
        with pytest.raises(InvalidConfiguration):
            load_spec(file, "production")
