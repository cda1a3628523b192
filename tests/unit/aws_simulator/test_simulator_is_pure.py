"""The simulated account has no time but its clock's: every run of a test is the same."""

import ast
from pathlib import Path

import aws_simulator

ROOT = Path(aws_simulator.__file__).parent


def asked_for_the_time(tree: ast.AST) -> list[str]:
    """`datetime.now()` and its kin, whatever the class is called that they are asked of."""
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    named = [call for call in calls if isinstance(call, ast.Attribute) and call.attr in ("now", "utcnow", "today")]
    return [ast.unparse(call) for call in named if ast.unparse(call).startswith(("datetime", "date.", "time"))]


def test_no_file_of_the_simulator_reads_the_system_clock() -> None:
    found = {path.name: asked_for_the_time(ast.parse(path.read_text(encoding="utf-8"))) for path in ROOT.rglob("*.py")}
    assert len(found) > 20
    assert {name: calls for name, calls in found.items() if calls} == {}


def test_the_search_finds_what_it_looks_for() -> None:
    assert asked_for_the_time(ast.parse("from datetime import datetime\nx = datetime.now()")) == ["datetime.now"]
