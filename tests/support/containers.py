"""What the tests of images and of compose.yaml share: whether an engine answers, and how an image is built."""

import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

from tests.support.repository import ROOT

NO_ENGINE: Final = "no container engine answers `docker info`, so the container tests did not run"

BUILD_SECONDS: Final = 600


@cache
def engine_answers() -> bool:
    try:
        return subprocess.run(["docker", "info"], capture_output=True, timeout=30, check=False).returncode == 0
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False


@cache
def build_image(tag: str, dockerfile: str, *options: str, context: Path = ROOT) -> str:
    """Builds an image, once a run, and returns its tag. The Dockerfile is named as seen from the context.

    With the command line: the engine's API, and so testcontainers, knows only the builder that ignores
    `<Dockerfile>.dockerignore` and builds stages that nobody asked for.
    """
    done = subprocess.run(
        ["docker", "build", "--quiet", "--tag", tag, "--file", dockerfile, *options, "."],
        cwd=context,
        env={**os.environ, "DOCKER_BUILDKIT": "1"},
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return tag


def docker(*arguments: str, timeout_seconds: float = 120) -> str:
    """Runs a docker command that must succeed; returns what it printed."""
    done = subprocess.run(
        ["docker", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=timeout_seconds, check=False
    )
    assert done.returncode == 0, f"docker {' '.join(arguments)}\n{done.stdout}{done.stderr}"
    return done.stdout.strip()
