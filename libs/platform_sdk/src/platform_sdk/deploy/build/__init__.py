"""From files to an image that may be released.

    files ─▶ image_inputs ─▶ content tag      the same files have the same tag on every machine
    files ─▶ changed                          which services a change affects, and why
    tag ─▶ registry ─▶ docker ─▶ scan         built and pushed once; the scan decides about the release

`image_inputs` and `changed` are pure apart from reading files. Only `docker` and `git` start processes. `publish` joins
all parts; the caller brings the registry.
"""
