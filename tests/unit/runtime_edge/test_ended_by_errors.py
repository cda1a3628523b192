"""What ends a process while it starts."""

import pytest
from fastapi import APIRouter, FastAPI

from platform_sdk.errors import PlatformError, ended_by_errors
from platform_sdk.runtime.http.app import create_app
from platform_sdk.runtime.lifecycle import serve_api
from tests.unit.runtime_edge.edge_settings import settings


class TooLate(PlatformError):
    exit_code = 3


def test_an_error_ends_the_process_as_lines_and_with_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, ended_by_errors():
        raise TooLate("it is late", because="the sun is down", hint="sleep")
    assert ended.value.code == 3
    assert capsys.readouterr().err == "error: it is late\nbecause: the sun is down\nhint: sleep\n"


def test_an_app_with_an_unguarded_route_is_not_served(capsys: pytest.CaptureFixture[str]) -> None:
    router = APIRouter(prefix="/shop")

    @router.get("/open")
    async def get_open() -> int:
        return 1

    def build() -> FastAPI:
        return create_app(settings(), title="Shop", routers=[router])

    with pytest.raises(SystemExit) as ended:
        serve_api(build)
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("error: GET /shop/open does not say who may call it\nbecause: ")
