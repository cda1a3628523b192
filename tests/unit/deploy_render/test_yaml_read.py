"""What was written is read again, and nothing else is."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_sdk.deploy.environment import load_environment
from platform_sdk.deploy.manifest import load_services, load_spec
from platform_sdk.deploy.manifest.reference import reference
from platform_sdk.deploy.render.service_stack import render_service_stack
from platform_sdk.deploy.render.yaml import to_yaml
from platform_sdk.deploy.render.yaml_read import ForeignYaml, from_yaml

ROOT = Path(__file__).resolve().parents[3]
PRODUCTION = load_environment(ROOT, "production")

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)


@given(VALUES)
def test_everything_that_is_written_is_read_again(value: object) -> None:
    assert from_yaml(to_yaml(value)) == value


@pytest.mark.parametrize("spec", load_services(ROOT, "production"), ids=lambda spec: spec.name)
def test_stacks_are_read_again(spec: object) -> None:
    template = render_service_stack(spec, PRODUCTION)  # type: ignore[arg-type]
    assert from_yaml(to_yaml(template)) == template


def test_a_stack_of_every_key_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "platform.toml").write_text(reference(), encoding="utf-8")
    template = render_service_stack(load_spec(tmp_path / "platform.toml", "production"), PRODUCTION)
    assert from_yaml(to_yaml(template)) == template


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a: 1",
        "# comment\na: 1\n",
        "---\na: 1\n",
        "a: !Ref b\n",
        "a:   1\n",
        "a: 'b'\n",
        "a: {b: 1}\n",
        "a:\n- 1\n",
        "a:\n    b: 1\n",
        "a: 1\na: 2\n",
        "a: yes\n",
        "a:\n",
        "  a: 1\n",
        "{",
        "[1, 2",
    ],
)
def test_other_yaml_is_refused(text: str) -> None:
    with pytest.raises(ForeignYaml):
        from_yaml(text)
