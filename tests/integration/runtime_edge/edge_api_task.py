"""An API task for the tests of its life: `python -m tests.integration.runtime_edge.edge_api_task`."""

import asyncio
import time
from collections.abc import AsyncIterator

from fastapi import APIRouter
from starlette.responses import StreamingResponse

from platform_sdk.runtime.http.app import ServiceApp, create_app
from platform_sdk.runtime.http.auth import Public
from platform_sdk.runtime.http.resources import ShuttingDown
from platform_sdk.runtime.lifecycle import serve_api
from platform_sdk.runtime.process.settings import ServiceSettings, load_settings

router = APIRouter(prefix="/shop", dependencies=[Public])


@router.get("/quick")
async def get_quick() -> str:
    return "quick"


@router.get("/slow")
async def get_slow(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "slow"


@router.get("/hang")
async def get_hang() -> None:
    # What no handler should do: the event loop stands still.
    time.sleep(60)  # noqa: ASYNC251


@router.get("/stream")
async def get_stream(stopping: ShuttingDown) -> StreamingResponse:
    async def content() -> AsyncIterator[bytes]:
        yield b"data: first\n\n"
        await stopping.wait()
        yield b"data: last\n\n"

    return StreamingResponse(content(), media_type="text/event-stream")


def build_app() -> ServiceApp:
    return create_app(load_settings(ServiceSettings), title="Shop", routers=[router])


if __name__ == "__main__":
    serve_api(build_app)
