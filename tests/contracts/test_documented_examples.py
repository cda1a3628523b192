"""Check that examples in the documentation work: platform.toml excerpts load, Python examples run."""

import re
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter

from platform_sdk.deploy.manifest import load_spec
from platform_sdk.runtime.http.app import create_app
from tests.support.repository import FIXTURES, ROOT
from tests.unit.runtime_edge.edge_settings import settings

PAGE = ROOT / "docs" / "howto" / "shape-a-service.md"
SDK_PAGE = ROOT / "libs" / "platform_sdk" / "README.md"
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.partition("\n")[0])
@pytest.mark.parametrize("environment", ["local", "production", "staging"])
def test_the_example_can_be_used(tmp_path: Path, example: str, environment: str) -> None:
    text = (FIXTURES / "services/inventory/platform.toml").read_text(encoding="utf-8")
    file = tmp_path / "platform.toml"
    file.write_text(text + example, encoding="utf-8")
    assert load_spec(file, environment).name == "inventory"


def test_the_service_in_the_readme_of_the_sdk_starts() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", SDK_PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(example, str(SDK_PAGE), "exec"), names)
    router: APIRouter = names["router"]
    app = create_app(settings(service_path="/notes"), title="Notes", routers=[router])
    assert "/notes" in app.openapi()["paths"]
