"""A worker task for the tests of its life: `python -m tests.integration.runtime_edge.edge_worker_task`."""

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from uuid import UUID

from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.database.unit_of_work import UnitOfWork
from platform_sdk.runtime.lifecycle import Periodic, Worker, run_worker
from platform_sdk.runtime.messaging.inbox import Handler
from platform_sdk.runtime.messaging.messages import Event, Message
from platform_sdk.runtime.process.settings import ServiceSettings, load_settings

logger = logging.getLogger("shop")


class NoteWritten(Event):
    type = "note.written"
    note_id: UUID


class NoteRead(Event):
    type = "note.read"
    note_id: UUID


async def answer(uow: UnitOfWork, event: NoteWritten, message: Message) -> None:
    uow.publish(NoteRead(note_id=event.note_id), aggregate_id=event.note_id, aggregate_version=1)


async def close_the_loop(uow: UnitOfWork, event: NoteRead, message: Message) -> None:
    logger.info("read %s", event.note_id, extra={"action": "note_read"})


async def fail(_: Database) -> None:
    raise ZeroDivisionError("each time")


HANDLERS: Mapping[type[Event], Handler] = {NoteWritten: answer, NoteRead: close_the_loop}


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    logger.info("opened", extra={"action": "own_things_opened"})
    yield
    logger.info("closed", extra={"action": "own_things_closed"})


def build_worker() -> Worker:
    return Worker(
        settings=load_settings(ServiceSettings),
        handlers=HANDLERS,
        periodic=[Periodic("sweep", 0.1, fail)],
        messages_per_transaction=10,
        lifespan=lifespan,
    )


if __name__ == "__main__":
    run_worker(build_worker)
