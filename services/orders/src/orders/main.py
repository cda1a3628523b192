"""The API process of orders: `python -m orders.main`."""

from fastapi import FastAPI

from orders.api import router
from orders.settings import OrdersSettings
from platform_sdk.runtime.http.app import create_app
from platform_sdk.runtime.lifecycle import serve_api
from platform_sdk.runtime.process.settings import load_settings


def build_app() -> FastAPI:
    return create_app(load_settings(OrdersSettings), title="Orders", routers=[router])


if __name__ == "__main__":
    serve_api(build_app)
