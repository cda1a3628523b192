"""Every document that is written as YAML is read back equal, by PyYAML itself and by our own reader."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from platform_sdk.deploy.environment import load_environment
from platform_sdk.deploy.manifest import load_services, load_spec
from platform_sdk.deploy.manifest.reference import reference
from platform_sdk.deploy.render.cloudformation import from_yaml, to_yaml
from platform_sdk.deploy.render.service_stack import render_service_stack
from platform_sdk.deploy.render.task_definition import render_task_definition
from tests.support.repository import FIXTURES

ENVIRONMENTS = [load_environment(FIXTURES, name) for name in ("local", "staging", "production")]

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
# The characters of texts that YAML could read as something else.
ODD = st.text(alphabet="ynofetrulNOab01:-_#*&!|>'\"%@`{}[],? \n\t.~=<+/$\\", max_size=12)
VALUES = st.recursive(
    SCALARS | ODD,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ODD, inner, max_size=4),
    max_leaves=20,
)


def documents(folder: Path) -> Iterator[object]:
    """The stack and the task definitions of every service in every environment, and of one with every key."""
    (folder / "platform.toml").write_text(reference(), encoding="utf-8")
    for environment in ENVIRONMENTS:
        for spec in [
            *load_services(FIXTURES, environment.name),
            load_spec(folder / "platform.toml", environment.name),
        ]:
            yield render_service_stack(spec, environment)
            yield render_task_definition(spec, environment, image="x:1", role="api")
            if spec.worker is not None:
                yield render_task_definition(spec, environment, image="x:1", role="worker")


def test_every_rendered_document_is_read_back_equal(tmp_path: Path) -> None:
    for document in documents(tmp_path):
        text = to_yaml(document)
        assert from_yaml(text) == document
        assert yaml.safe_load(text) == document


@given(VALUES)
def test_a_value_is_read_back_equal(value: object) -> None:
    text = to_yaml(value)
    assert yaml.safe_load(text) == value
    assert from_yaml(text) == value
    assert type(from_yaml(text)) is type(value)


def test_text_of_several_lines_is_a_block() -> None:
    assert to_yaml({"a": {"b": "import os\n  x = 1\n"}, "c": ["one\ntwo"]}) == (
        "a:\n  b: |\n    import os\n      x = 1\nc:\n- |-\n  one\n  two\n"
    )


@pytest.mark.parametrize(
    "text",
    ["yes", "No", "on", "y", "null", "~", "1.0", "0123", "08", "0o7", "1e3", ".5", "2012-10-17", "", "12:30:45"],
)
def test_words_and_numbers_of_yaml_stay_quoted_text(text: str) -> None:
    written = to_yaml({"key": text})
    assert yaml.safe_load(written) == {"key": text}
    assert written.strip().endswith(("'", '"'))


def test_a_value_used_twice_is_written_twice() -> None:
    shared = {"b": 1}
    assert to_yaml({"a": shared, "c": shared}) == "a:\n  b: 1\nc:\n  b: 1\n"


@pytest.mark.parametrize("text", ["{", "[1, 2", "a: !Ref b\n", "a: b: c"])
def test_text_that_is_not_plain_yaml_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="line"):
        from_yaml(text)
