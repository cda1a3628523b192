"""From files to an image that may be released: what changed, what it is called, and whether the scan lets it through.

    files ─▶ inputs ─▶ content_tag            one name for one content, on every machine
    files ─▶ changed                          which services a change touches, and by which edge
    tag ─▶ registry ─▶ docker ─▶ scan         built and pushed once, and gated by what the scan finds

`dockerfile`, `ignored`, `inputs`, `tag`, `imports` and `changed` turn files and values into values. Only `docker` and
`git` start processes; the registry is a gateway that the caller brings.
"""
