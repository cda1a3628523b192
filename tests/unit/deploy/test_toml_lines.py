"""The line of every key, whatever way TOML allows it to be written."""

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from platform_sdk.deploy.config_errors import TomlPath, line_index


def lines_of(text: str) -> dict[TomlPath, int]:
    tomllib.loads(text)
    return dict(line_index(text))


def test_tables_and_keys_have_their_lines() -> None:
    assert lines_of("# comment\n[task]\ncpu = 1\n\nmemory_mib = 2 # two\n") == {
        ("task",): 2,
        ("task", "cpu"): 3,
        ("task", "memory_mib"): 5,
    }


def test_dotted_keys_and_headers_name_every_step() -> None:
    lines = lines_of("task.cpu = 1\n[queues . orders]\nconsumes.x = 1\n")
    assert lines == {
        ("task",): 1,
        ("task", "cpu"): 1,
        ("queues",): 2,
        ("queues", "orders"): 2,
        ("queues", "orders", "consumes"): 3,
        ("queues", "orders", "consumes", "x"): 3,
    }


def test_quoted_keys_are_decoded() -> None:
    lines = lines_of('[publishes]\n"order.placed" = []\n\'a\\b\' = 1\n"tab\\tkey" = 2\n"" = 3\n')
    assert lines == {
        ("publishes",): 1,
        ("publishes", "order.placed"): 2,
        ("publishes", "a\\b"): 3,
        ("publishes", "tab\tkey"): 4,
        ("publishes", ""): 5,
    }


def test_elements_of_lists_have_lines_of_their_own() -> None:
    lines = lines_of('a = [ # first\n  "x", # ]\n  [1,\n   2],\n]\nb = 1\n')
    assert lines[("a", 0)] == 2
    assert lines[("a", 1)] == 3
    assert lines[("a", 1, 0)] == 3
    assert lines[("a", 1, 1)] == 4
    assert lines[("b",)] == 6


def test_inline_tables_are_walked() -> None:
    lines = lines_of("a = { b = 1, c.d = [\n 1,\n {e = 2}] }\nf = {}\n")
    assert lines[("a", "b")] == 1
    assert lines[("a", "c", "d", 0)] == 2
    assert lines[("a", "c", "d", 1, "e")] == 3
    assert lines[("f",)] == 4


def test_lists_of_tables_are_numbered() -> None:
    lines = lines_of("[[a]]\nx = 1\n[[a]]\nx = 2\n[a.b]\ny = 3\n[[a.c]]\nz = 4\n")
    assert lines[("a", 0, "x")] == 2
    assert lines[("a", 1, "x")] == 4
    assert lines[("a", 1, "b", "y")] == 6
    assert lines[("a", 1, "c", 0, "z")] == 8


def test_texts_that_look_like_toml_are_skipped() -> None:
    text = 'a = """\n[b]\nc = "1" # \\""" """\nd = \'\'\'\n[e]\'\'\'\'\nf = "[g] # \\" ="\nh = \'#\'\ni = 1\n'
    assert lines_of(text) == {("a",): 1, ("d",): 4, ("f",): 6, ("h",): 7, ("i",): 8}


def test_a_table_that_is_announced_after_its_part_has_the_line_of_its_header() -> None:
    assert lines_of("[a.b]\nx = 1\n[a]\ny = 2\n")[("a",)] == 3


def test_dates_numbers_and_windows_line_ends_are_no_obstacle() -> None:
    assert lines_of("a = 1979-05-27 07:32:00Z\r\nb = -0.1e+2\r\nc = true\r\n") == {("a",): 1, ("b",): 2, ("c",): 3}


KEYS = st.text("ab.\"'\\ #]=\n\té", max_size=4)
VALUES: Any = st.recursive(
    st.integers(-9, 9) | st.booleans() | st.text("ab\"'\\#[]{}=,\n", max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def written(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case str():
            return '"' + "".join(f"\\u{ord(letter):04x}" if letter in '"\\\n\t' else letter for letter in value) + '"'
        case list():
            return "[" + ",\n".join(map(written, value)) + "]"
        case _:
            return "{" + ", ".join(f"{written(key)} = {written(inner)}" for key, inner in value.items()) + "}"


def paths_of(value: Any, path: TomlPath = ()) -> set[TomlPath]:
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {path} | {deeper for step, inner in steps for deeper in paths_of(inner, (*path, step))}


@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_every_path_of_any_document_has_a_line(values: dict[str, Any]) -> None:
    text = "".join(f"{written(key)} = {written(value)}\n" for key, value in values.items())
    assert tomllib.loads(text) == values
    index = line_index(text)
    assert set(index) == paths_of(values) - {()}
    assert all(1 <= line <= text.count("\n") for line in index.values())
