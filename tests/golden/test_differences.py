"""No change of a document is lost in its differences, or the goldens that hold differences would miss it."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from platform_sdk.deploy.environment import load_environment
from platform_sdk.deploy.manifest import load_services
from tests.support.goldens import differences, masked
from tests.support.repository import FIXTURES

SCALARS = st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["a", "b", '{"a": 1}', '{"a":1}', "[1]", ""])
KEYS = st.sampled_from(["name", "Name", "Id", "value", "a"])
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=12
)


def canonical(document: Any) -> str:
    return json.dumps(document, sort_keys=True)


@given(DOCUMENTS, DOCUMENTS)
def test_documents_that_differ_have_differences_and_equal_ones_have_none(before: Any, after: Any) -> None:
    assert bool(list(differences(before, after))) == (canonical(before) != canonical(after))


def test_items_with_names_are_compared_by_name() -> None:
    before = [{"name": "A", "value": 1}, {"name": "B", "value": 2}]
    after = [{"name": "New", "value": [3]}, {"name": "A", "value": 1}, {"name": "B", "value": 5}]
    assert list(differences(before, after, "env")) == [
        "~ env[B].value: 2 -> 5",
        '+ env[New].name: "New"',
        "+ env[New].value: [3]",
    ]
    assert list(differences(before, before[::-1], "env")) == ["~ env: in the order [B], [A]"]


def test_what_is_removed_as_a_whole_is_one_line_and_json_in_a_text_is_compared_as_json() -> None:
    assert list(differences({"a": {"b": 1}, "c": '{"x": 1}'}, {"c": '{"x": 2}'})) == ["- a", "~ c|json.x: 1 -> 2"]


def test_the_name_of_another_service_is_never_masked() -> None:
    environment = load_environment(FIXTURES, "staging")
    inventory, orders, _ = load_services(FIXTURES, "staging")
    document = {"OrdersQueue": f"staging-orders of {environment.account_id}"}
    assert masked(document, orders, environment) == {"{Service}Queue": "{environment}-{service} of {account}"}
    assert masked(document, inventory, environment) == {"OrdersQueue": "{environment}-orders of {account}"}
