"""What a build leaves behind for whoever comes next: a JSON document, on stdout or in a file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from platform_sdk.deploy.build.publish import PublishedImage
from platform_sdk.deploy.build.since import Changes

FOLDER: Final = Path(".platform/builds")

Json = Mapping[str, object]


def record_of(image: PublishedImage) -> Json:
    return {
        "service": image.service,
        "tag": image.tag,
        "digest": image.digest,
        "image": image.uri,
        "commit": image.commit,
        "reused": image.reused,
        "findings": None if image.scan is None else dict(image.scan.counts),
    }


def write_record(root: Path, image: PublishedImage) -> Path:
    """Replaces what the last build of the service has left, in one step."""
    place = root / FOLDER / f"{image.service}.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    new = place.with_suffix(".new")
    new.write_text(json.dumps(record_of(image), indent=2) + "\n", encoding="utf-8")
    new.replace(place)
    return place


def read_record(root: Path, service: str) -> Json | None:
    """What the last build of the service has left, if anything."""
    place = root / FOLDER / f"{service}.json"
    record: Json | None = json.loads(place.read_text(encoding="utf-8")) if place.is_file() else None
    return record


def changes_of(changes: Changes) -> Json:
    return {
        "since": changes.since,
        "everything": changes.everything,
        "services": [
            {
                "service": one.service,
                "kinds": list(one.kinds),
                "reasons": [{"path": each.path, "kind": each.kind, "edge": each.edge} for each in one.reasons],
            }
            for one in changes.services
        ],
    }
