import pytest

from platform_sdk.runtime.database.unit_of_work import DatabaseUnavailable
from platform_sdk.runtime.http import health as health_module
from platform_sdk.runtime.http.health import Health


class Switch:
    """A database that can be turned off."""

    def __init__(self, *, is_on: bool) -> None:
        self.is_on = is_on
        self.pings = 0

    async def ping(self) -> None:
        self.pings += 1
        if not self.is_on:
            raise DatabaseUnavailable("off")


@pytest.fixture(autouse=True)
def _every_question_is_a_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_module, "PROBE_INTERVAL_SECONDS", 0)


def started(database: Switch | None) -> Health:
    health = Health(database)
    health.has_started = True
    return health


async def test_a_task_is_not_ready_before_it_has_started() -> None:
    status, body = await Health(None).readiness()
    assert (status, body["status"]) == (503, "fail")


async def test_a_task_is_not_ready_before_its_database_was_reached_once() -> None:
    database = Switch(is_on=False)
    health = started(database)
    assert (await health.readiness())[0] == 503
    database.is_on = True
    status, body = await health.readiness()
    assert (status, body["status"]) == (200, "pass")
    assert body["checks"]["postgres:responseTime"][0]["observedUnit"] == "ms"


async def test_an_outage_of_the_shared_database_takes_no_task_out() -> None:
    database = Switch(is_on=True)
    health = started(database)
    await health.readiness()
    database.is_on = False
    assert (await health.readiness())[1]["status"] == "pass"
    status, body = await health.readiness()
    assert (status, body["status"], body["output"]) == (200, "warn", "the database is away")
    database.is_on = True
    assert (await health.readiness())[1]["status"] == "pass"


async def test_a_stopping_task_is_not_ready() -> None:
    health = started(None)
    assert (await health.readiness())[0] == 200
    health.is_draining = True
    assert (await health.readiness()) == (503, {"status": "fail", "output": "the task is stopping"})


async def test_many_questions_are_one_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_module, "PROBE_INTERVAL_SECONDS", 3600)
    database = Switch(is_on=True)
    health = started(database)
    for _ in range(5):
        await health.readiness()
    assert database.pings == 1
