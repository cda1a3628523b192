"""What docs/howto shows of platform.toml can be written into the one of a service."""

import re
from pathlib import Path

import pytest

from platform_sdk.deploy.manifest import load_spec

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "howto" / "shape-a-service.md"
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.partition("\n")[0])
@pytest.mark.parametrize("environment", ["local", "production", "staging"])
def test_the_example_can_be_used(tmp_path: Path, example: str, environment: str) -> None:
    text = (ROOT / "services/inventory/platform.toml").read_text(encoding="utf-8")
    file = tmp_path / "platform.toml"
    file.write_text(text + example, encoding="utf-8")
    assert load_spec(file, environment).name == "inventory"
