"""What FireLens writes for Fluent Bit, compared with the file that was reviewed."""

from platform_sdk.deploy.environment import load_environment
from platform_sdk.deploy.manifest import load_services
from platform_sdk.deploy.render.task_definition import render_task_definition
from tests.support.fluent_bit import configuration_file
from tests.support.goldens import agree, no_stale_goldens
from tests.support.repository import FIXTURES

GOLDEN = "fluent_bit/production-orders.conf"


def test_what_firelens_writes_is_as_reviewed() -> None:
    """The golden is a file that Fluent Bit reads: `fluent-bit --dry-run --config FILE`."""
    [orders] = [spec for spec in load_services(FIXTURES, "production") if spec.name == "orders"]
    document = render_task_definition(orders, load_environment(FIXTURES, "production"), image="orders:1")
    agree(GOLDEN, configuration_file(document))


def test_no_configuration_is_stale() -> None:
    no_stale_goldens("fluent_bit", [GOLDEN])
