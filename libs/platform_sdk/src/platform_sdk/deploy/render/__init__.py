"""From a manifest and an environment to plain AWS documents, which work without this tool. Pure."""
