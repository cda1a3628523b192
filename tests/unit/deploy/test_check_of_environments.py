"""`platform check` reads all of an environment's file, also the tables that only some commands need."""

import shutil
from pathlib import Path

import pytest

from platform_sdk.deploy.check import check
from platform_sdk.deploy.config_errors import InvalidConfiguration
from tests.support.repository import FIXTURES


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What check reads of this repository."""
    for file in [*FIXTURES.glob("services/*/platform.toml"), *FIXTURES.glob("deploy/environments/*.toml")]:
        target = tmp_path / file.relative_to(FIXTURES)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    for folder in ("deploy/cloudformation", "deploy/hooks", "deploy/prices"):
        shutil.copytree(FIXTURES / folder, tmp_path / folder)
    return tmp_path


def edit(root: Path, file: str, before: str, after: str) -> None:
    text = (root / file).read_text(encoding="utf-8")
    assert before in text
    (root / file).write_text(text.replace(before, after), encoding="utf-8")


def errors(root: Path) -> list[str]:
    with pytest.raises(InvalidConfiguration) as caught:
        check(root)
    return [f"{error.file}: {error.key}" for error in caught.value.errors]


def test_a_copy_is_sound(copy: Path) -> None:
    assert check(copy)[0] == ["inventory", "orders", "users"]


def test_a_mistake_in_what_services_share_or_cost_is_found(copy: Path) -> None:
    edit(copy, "deploy/environments/production.toml", 'nat = "per_zone"', 'nat = "every_zone"')
    edit(copy, "deploy/environments/staging.toml", "build_minutes = 8", "build_minute = 8")
    assert errors(copy) == [
        "deploy/environments/production.toml: stacks.network.nat",
        "deploy/environments/staging.toml: cost.build_minutes",
        "deploy/environments/staging.toml: cost.build_minute",
    ]


def test_an_environment_on_aws_needs_both_tables_and_the_laptop_neither(copy: Path) -> None:
    file = copy / "deploy/environments/staging.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text[: text.index("# What all services share")], encoding="utf-8")
    assert errors(copy) == ["deploy/environments/staging.toml: cost", "deploy/environments/staging.toml: stacks"]


def test_an_edit_of_scaling_alone_is_never_a_mistake_in_the_environment(copy: Path) -> None:
    edit(copy, "services/orders/platform.toml", "min_tasks = 2\nmax_tasks = 6", "min_tasks = 10\nmax_tasks = 50")
    assert check(copy, ["orders"])[0] == ["orders"]


def renamed(root: Path, name: str) -> None:
    """Users, under another name."""
    (root / "services" / "users").rename(root / "services" / name)
    edit(root, f"services/{name}/platform.toml", 'name = "users"', f'name = "{name}"')


@pytest.mark.parametrize("name", [path.stem for path in sorted((FIXTURES / "deploy/cloudformation").glob("*.yaml"))])
def test_no_service_is_named_like_a_stack_that_services_share(copy: Path, name: str) -> None:
    renamed(copy, name)
    assert f"services/{name}/platform.toml: service.name" in errors(copy)


def test_nor_like_one_of_another_service(copy: Path) -> None:
    renamed(copy, "registry-orders")
    assert "services/registry-orders/platform.toml: service.name" in errors(copy)


def test_a_name_that_only_begins_like_such_a_stack_is_free(copy: Path) -> None:
    renamed(copy, "data-exports")
    assert not any(error.endswith(": service.name") for error in soundness(copy))


def soundness(root: Path) -> list[str]:
    try:
        check(root)
    except InvalidConfiguration as caught:
        return [f"{error.file}: {error.key}" for error in caught.errors]
    return []
