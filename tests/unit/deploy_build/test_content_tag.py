"""The tag of an image depends on its content only."""

import dataclasses
import re

import pytest

from platform_sdk.deploy.build.image_inputs import SourceFile, content_tag, without_registry

MAIN = SourceFile(path="services/orders/src/orders/main.py", mode="100644", content=b"print('orders')\n")
LOCK = SourceFile(path="requirements/orders.txt", mode="100644", content=b"click==8.1\n")
FILES = (LOCK, MAIN)
BASE = "python:3.13-slim-bookworm"


def tag_of(*files: SourceFile, base_image: str = BASE) -> str:
    return content_tag(files, architecture="x86_64", base_image=base_image)


def test_a_tag_is_sixteen_hexadecimal_digits_and_always_the_same() -> None:
    assert re.fullmatch(r"[0-9a-f]{16}", tag_of(*FILES))
    # Changes only with the rule itself, which would build every service anew.
    assert tag_of(*FILES) == "0e954fb5360d99b5"


def test_the_order_of_the_files_does_not_matter() -> None:
    assert tag_of(MAIN, LOCK) == tag_of(LOCK, MAIN)


@pytest.mark.parametrize(
    "other",
    [
        dataclasses.replace(MAIN, content=b"print('orders')"),
        dataclasses.replace(MAIN, mode="100755"),
        dataclasses.replace(MAIN, mode="120000"),
        dataclasses.replace(MAIN, path="services/orders/src/orders/worker.py"),
    ],
    ids=["content", "executable", "link", "path"],
)
def test_another_file_is_another_tag(other: SourceFile) -> None:
    assert tag_of(LOCK, other) != tag_of(*FILES)


def test_a_file_more_or_less_is_another_tag() -> None:
    assert len({tag_of(), tag_of(LOCK), tag_of(*FILES)}) == 3


def test_moving_bytes_between_path_and_content_changes_the_tag() -> None:
    """The parts of a file are kept apart: a path that ends as a content begins is not the same."""
    first = SourceFile(path="a", mode="100644", content=b"bc")
    second = SourceFile(path="ab", mode="100644", content=b"c")
    assert tag_of(first) != tag_of(second)


def test_another_architecture_is_another_tag() -> None:
    assert content_tag(FILES, architecture="arm64", base_image=BASE) != tag_of(*FILES)


def test_another_base_image_is_another_tag_and_a_mirror_of_it_is_not() -> None:
    assert tag_of(*FILES, base_image="python:3.14-slim-bookworm") != tag_of(*FILES)
    assert tag_of(*FILES, base_image=f"public.ecr.aws/docker/library/{BASE}") == tag_of(*FILES)
    assert tag_of(*FILES, base_image=f"{BASE}@sha256:{'1' * 64}") != tag_of(*FILES)


@pytest.mark.parametrize(
    ("image", "kept"),
    [
        ("python:3.13", "python:3.13"),
        ("localhost:5000/python:3.13", "python:3.13"),
        ("docker.io/library/python@sha256:ab", "python@sha256:ab"),
    ],
)
def test_the_registry_is_not_part_of_an_images_identity(image: str, kept: str) -> None:
    assert without_registry(image) == kept
