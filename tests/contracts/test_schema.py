"""The JSON Schema says what the reader says: what can be used passes, what is unknown or of a wrong type does not."""

import json
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from platform_sdk.deploy.config_errors import InvalidManifest
from platform_sdk.deploy.manifest import load_spec
from platform_sdk.deploy.manifest.keys import Key
from platform_sdk.deploy.manifest.reference import BY_PATH, FILE, reference, schema, schema_text

ROOT_FOLDER = Path(__file__).resolve().parents[2]
SERVICES = sorted(ROOT_FOLDER.glob("services/*/platform.toml"))
VALIDATOR = jsonschema.Draft7Validator(schema())

SMALLEST = """\
[service]
name = "orders"
path = "/orders"
[task]
cpu = 512
memory_mib = 1024
[scaling]
min_tasks = 2
max_tasks = 6
[commands]
api = ["python", "-m", "orders.main"]
"""


def mistakes(text: str) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(tomllib.loads(text))]


def test_the_repositorys_copy_is_current() -> None:
    copy = (ROOT_FOLDER / FILE).read_text(encoding="utf-8")
    assert copy == schema_text(), f"`platform schema > {FILE}` writes it anew"


def test_it_is_a_schema_of_draft_7() -> None:
    jsonschema.Draft7Validator.check_schema(schema())


@pytest.mark.parametrize("file", SERVICES, ids=lambda file: file.parent.name)
def test_every_service_names_the_schema_and_passes_it(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    directive, _, place = text.splitlines()[0].partition(" ")
    assert directive == "#:schema"
    assert (file.parent / place).resolve() == ROOT_FOLDER / FILE
    assert mistakes(text) == []


def test_the_smallest_file_and_the_reference_pass() -> None:
    assert mistakes(SMALLEST) == []
    assert mistakes(reference()) == []


@pytest.mark.parametrize(
    "added",
    [
        "[tasks]\n",
        "[scalling]\n",
        "[environment]\nPAGE_SIZE = 10\n",
        '[environment]\npage = "1"\n',
        '[traffic_shift]\ntype = "blue"\n',
        "[traffic_shift]\npercent = 0\n",
        "[traffic_shift]\npercent = [10, 50]\n",
        "[queues.orders]\n",
        "[queues.Orders]\nconsumes = ['stock.low']\n",
        "[queues.orders]\nconsumes = ['stock.low', 'stock.low']\n",
        "[logs]\nretention_days = 31\n",
        "[alarms.error_rate]\nthreshold_percent = 101\n",
        "[environments.production.scaling]\nmax_task = 50\n",
        "[environments.production.environments.staging]\n",
        "[environments.Production]\n",
    ],
)
def test_what_the_reader_refuses_the_schema_refuses(tmp_path: Path, added: str) -> None:
    assert mistakes(SMALLEST + added)


@pytest.mark.parametrize("path", [path for path, key in BY_PATH.items() if isinstance(key, Key)])
def test_a_value_of_a_wrong_type_fails_in_every_table(path: str) -> None:
    document: dict[str, Any] = tomllib.loads(reference())
    place: Any = document
    steps = path.split(".")
    for step in steps[:-1]:
        place = place[step] if step != "*" else next(iter(place.values()))
        place = place[0] if isinstance(place, list) else place
    last = steps[-1] if steps[-1] != "*" else next(iter(place))
    place[last] = {"not": "this"}
    assert list(VALIDATOR.iter_errors(document))


def test_every_key_explains_itself_in_the_editor() -> None:
    text = json.dumps(schema(), ensure_ascii=False)
    for path, key in BY_PATH.items():
        assert json.dumps(key.meaning, ensure_ascii=False).strip('"') in text, path
    properties = schema()["properties"]
    assert isinstance(properties, dict)
    assert len(properties) == 20


def test_an_example_is_a_legal_value(tmp_path: Path) -> None:
    file = tmp_path / "platform.toml"
    file.write_text(reference(), encoding="utf-8")
    assert load_spec(file).tasks[0].name == "close-the-books"


VALUES = ["0", "1", "60", "1.5", "true", '""', '"orders"', '"/orders"', '["orders"]', "[]", '"rate(1 day)"']


@pytest.mark.parametrize("value", VALUES)
def test_what_the_reader_accepts_the_schema_accepts(tmp_path: Path, value: str) -> None:
    """Every line of the reference in turn, with another value."""
    file = tmp_path / "platform.toml"
    lines = reference().partition("# [environments]")[0].splitlines()
    for place, line in enumerate(lines):
        key, is_key, _ = line.partition(" = ")
        if not is_key or line.startswith("#"):
            continue
        text = "\n".join([*lines[:place], f"{key} = {value}", *lines[place + 1 :]])
        file.write_text(text, encoding="utf-8")
        with suppress(InvalidManifest):
            load_spec(file)
            assert mistakes(text) == [], line
