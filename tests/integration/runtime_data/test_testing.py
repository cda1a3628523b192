"""The kit with which services test their handlers."""

import pytest

from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.database.unit_of_work import UnitOfWork
from platform_sdk.runtime.messaging.inbox import PermanentFailure
from platform_sdk.runtime.messaging.messages import Event, Message
from platform_sdk.runtime.testing import HandlerHarness


class Asked(Event):
    type = "question.asked"
    text: str


class Answered(Event):
    type = "question.answered"
    text: str


class Unanswerable(Event):
    type = "question.unanswerable"


async def answer(uow: UnitOfWork, event: Asked, message: Message) -> None:
    known = await uow.fetch_value("SELECT answer FROM answers WHERE question = $1", event.text)
    if known is None:
        raise PermanentFailure("nobody knows")
    await uow.execute("UPDATE answers SET asked = asked + 1 WHERE question = $1", event.text)
    uow.publish(Answered(text=known), aggregate_id=message.aggregate_id, aggregate_version=message.aggregate_version)


@pytest.fixture
async def harness(database: Database) -> HandlerHarness:
    harness = HandlerHarness(database, {Asked: answer}, consumer="answers")
    await harness.given("CREATE TABLE answers (question text, answer text, asked integer DEFAULT 0)")
    await harness.given("INSERT INTO answers VALUES ($1, $2)", "why", "because")
    return harness


async def test_a_handler_sees_what_was_given_and_its_events_and_rows_are_seen(harness: HandlerHarness) -> None:
    published = await harness.when(Asked(text="why"), aggregate_id="q", aggregate_version=7)
    assert published.types == ["question.answered"]
    assert published.only(Answered).text == "because"
    assert (published[0].aggregate_id, published[0].aggregate_version) == ("q", 7)
    assert published[0].headers["correlation_id"] == "test"
    assert [row["asked"] for row in await harness.rows("SELECT asked FROM answers")] == [1]


async def test_a_duplicate_publishes_and_changes_nothing(harness: HandlerHarness) -> None:
    await harness.when(Asked(text="why"))
    await harness.when(Asked(text="why"))
    assert (await harness.deliver_again()).types == []
    assert (await harness.deliver_again(back=3)).types == []
    assert [row["asked"] for row in await harness.rows("SELECT asked FROM answers")] == [2]


async def test_what_a_handler_raises_is_raised_and_nothing_has_happened(harness: HandlerHarness) -> None:
    with pytest.raises(PermanentFailure, match="nobody knows"):
        await harness.when(Asked(text="when"))
    with pytest.raises(PermanentFailure, match="no handler"):
        await harness.when(Unanswerable())
    assert await harness.rows("SELECT * FROM inbox") == []


async def test_only_insists_on_one_event(harness: HandlerHarness) -> None:
    published = await harness.when(Asked(text="why"))
    with pytest.raises(AssertionError, match=r"expected one question\.asked"):
        published.only(Asked)
