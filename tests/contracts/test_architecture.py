"""Compare docs/architecture.md with the files that it names: each property must have the value of its row."""

import json
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.support.cloudformation import template_of
from tests.support.repository import ROOT

PAGE = ROOT / "docs" / "architecture.md"
ROW = re.compile(r"^\| (?P<line>[^|]+) \| (?P<file>[^|]+) \| `(?P<property>[^`]+)` \| `(?P<value>[^`]+)` \|$", re.M)
STEP = re.compile(r"(?P<key>[^.\[\]]+)|\[(?:(?P<index>\d+)|(?P<name>[^=\]]+)=(?P<wanted>[^\]]+))\]")

LINES = (
    "Fargate platform 1.4 or later",
    "scan on push",
    "immutable tags",
    "lifecycle",
    "ALB over HTTPS",
    "path-based routing",
    "Serverless v2",
    "Multi-AZ",
    "to zero",
    "cluster mode disabled",
    "one replica",
    "SQS standard queues",
    "target tracking on CPU",
    "target tracking on memory",
    "target tracking on request count",
    "CodePipeline",
    "CodeBuild: build, test, push, deploy",
    "blue/green",
    "Container Insights",
    "log aggregation",
    "service metrics",
    "one task definition",
    "Route 53",
    "CloudFront",
    "WAF in front",
)
"""The lines of the architecture."""


def rows() -> list[dict[str, str]]:
    return [match.groupdict() for match in ROW.finditer(PAGE.read_text(encoding="utf-8"))]


@cache
def content(file: str) -> Any:
    path = ROOT / file
    if path.suffix == ".toml":
        return tomllib.loads(path.read_text(encoding="utf-8"))
    if path.suffix == ".json":
        return json.loads(path.read_text(encoding="utf-8"))
    return {name: body.get("Properties", {}) for name, body in template_of(path)["Resources"].items()}


def found(value: Any, path: str) -> Any:
    """Follow a path such as `WebAcl.Rules[Name=rate].Priority`."""
    for step in STEP.finditer(path):
        if step["key"]:
            value = value[step["key"]]
        elif step["index"]:
            value = value[int(step["index"])]
        else:
            (value,) = [one for one in value if str(one[step["name"]]) == step["wanted"]]
    return value


def written(value: Any) -> str:
    """Return a value as the page writes it: `!Ref` and similar functions become the name in them."""
    match value:
        case bool():
            return str(value).lower()
        case {"Ref": str(name)} | {"Fn::Sub": str(name)}:
            return name
        case {"Fn::GetAtt": [*names]}:
            return ".".join(names)
        case {"Fn::Select": [index, choice]}:
            return f"{index}, {written(choice)}"
        case _:
            return str(value)


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{Path(row['file']).name}:{row['property']}")
def test_the_property_of_a_row_is_there_with_its_value(row: dict[str, str]) -> None:
    text = written(found(content(row["file"]), row["property"]))
    # A JSON document inside a property, such as a policy, holds the value; everything else is it.
    assert row["value"] in text if text.startswith("{") else row["value"] == text


def test_every_row_of_the_page_is_read() -> None:
    text = PAGE.read_text(encoding="utf-8")
    written_rows = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| line ")]
    assert len(written_rows) == len(rows())


@pytest.mark.parametrize("line", LINES)
def test_every_line_of_the_architecture_has_a_row(line: str) -> None:
    assert any(line in row["line"] for row in rows())
