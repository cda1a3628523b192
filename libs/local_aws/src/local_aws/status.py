"""What `platform status` reads: the record that a running region keeps of itself (report.py writes it)."""

from collections.abc import Mapping
from typing import Any, Final

from local_aws.state import ProcessRecord, StateFolder

STATE_FILE: Final = "state.json"


def read_status(folder: StateFolder) -> dict[str, Any]:
    """The record of the region that runs; only `{"state": "stopped", …}` if none does."""
    document = folder.read(STATE_FILE)
    supervisor = document.pop("supervisor", None)
    document.pop("processes", None)
    if supervisor is None or not ProcessRecord(**supervisor).is_alive():
        return {"state": "stopped", "state_folder": str(folder.path)}
    return document


def is_healthy(document: Mapping[str, Any]) -> bool:
    """Whether the region runs and everything in it is healthy."""
    parts = [*document.get("servers", ()), *document.get("tasks", ())]
    return document["state"] == "running" and all(part["health"] == "healthy" for part in parts)
