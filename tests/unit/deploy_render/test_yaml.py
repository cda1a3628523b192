"""What is written as YAML is read back as it was by another implementation."""

import yaml  # type: ignore[import-untyped] # no types are installed for it
from hypothesis import given
from hypothesis import strategies as st

from platform_sdk.deploy.render.yaml import to_yaml

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
# What a text that looks like something else to YAML is made of.
ODD = st.text(alphabet="ynofetrulNOab01:-_#*&!|>'\"%@`{}[],? \n\t.~=<+/$\\", max_size=12)
VALUES = st.recursive(
    SCALARS | ODD,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ODD.filter(bool), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_a_value_is_read_back_as_it_was(value: object) -> None:
    read = yaml.safe_load(to_yaml(value))
    assert read == value
    assert type(read) is type(value)


def test_text_of_several_lines_is_a_block() -> None:
    assert to_yaml({"a": {"b": "import os\n  x = 1\n"}, "c": ["one\ntwo"]}) == (
        "a:\n  b: |\n    import os\n      x = 1\nc:\n  - |-\n    one\n    two\n"
    )


def test_words_and_numbers_of_yaml_stay_text() -> None:
    for text in ("yes", "No", "on", "null", "~", "1.0", "0o7", "1e3", "2012-10-17", "", "12:30:45", "a: b", "- a"):
        assert yaml.safe_load(to_yaml({"key": text})) == {"key": text}
