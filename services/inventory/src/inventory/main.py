"""Start an API process of inventory: `python -m inventory.main`."""

from fastapi import FastAPI

from inventory import api
from inventory.settings import InventorySettings
from platform_sdk.runtime.http.app import create_app
from platform_sdk.runtime.lifecycle import serve_api
from platform_sdk.runtime.process.settings import load_settings


def build_app() -> FastAPI:
    return create_app(load_settings(InventorySettings), title="Inventory", routers=[api.router])


if __name__ == "__main__":
    serve_api(build_app)
