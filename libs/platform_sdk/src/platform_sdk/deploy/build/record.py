"""What a build leaves behind for whoever comes next: a JSON document, on stdout or in a file."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from platform_sdk.deploy.build.changed import Touched
from platform_sdk.deploy.build.publish import PublishedImage

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


def changes_of(found: Sequence[Touched], since: str | None, because: str | None) -> Json:
    """`because` says why every service is listed, where nothing could be compared."""
    return {
        "since": since,
        "because": because,
        "services": [
            {
                "service": one.service,
                "kinds": list(one.kinds),
                "reasons": [{"path": each.path, "kind": each.kind, "edge": each.edge} for each in one.reasons],
            }
            for one in found
        ],
    }
