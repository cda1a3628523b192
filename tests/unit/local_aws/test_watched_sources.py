"""Which services a changed file concerns."""

from pathlib import Path

import pytest

from local_aws.watch import affected_services

SDK = Path("/repository/libs/platform_sdk/src/platform_sdk")
DIRECTORIES = {name: Path(f"/repository/services/{name}") for name in ("orders", "users")}


@pytest.mark.parametrize(
    ("path", "services"),
    [
        ("services/orders/src/orders/api.py", ["orders"]),
        ("services/orders/platform.toml", ["orders"]),
        ("services/users/migrations/versions/0002_email.py", ["users"]),
        ("services/orders/pyproject.toml", []),
        ("libs/platform_sdk/src/platform_sdk/runtime/http/app.py", ["orders", "users"]),
        ("libs/platform_sdk/src/platform_sdk/contract.py", ["orders", "users"]),
        ("libs/platform_sdk/src/platform_sdk/deploy/plan.py", []),
        ("libs/platform_sdk/src/platform_sdk/cli.py", []),
    ],
)
def test_change_concerns_the_services_that_run_the_file(path: str, services: list[str]) -> None:
    assert affected_services([Path("/repository") / path], DIRECTORIES, SDK) == services
