"""Which files are the inputs of an image, from its Dockerfile and .dockerignore."""

import pytest

from platform_sdk.deploy.build.image_inputs import (
    Dockerfile,
    ImageInputs,
    InvalidDockerfile,
    is_ignored,
    read_dockerfile,
    read_rules,
)

DOCKERFILE = """\
# COPY nothing /here
ARG PYTHON_IMAGE=python:3.13-slim-bookworm
FROM ${PYTHON_IMAGE} AS packages
COPY --chmod=644 requirements/orders.txt /requirements.txt
FROM ${PYTHON_IMAGE} AS source
copy libs/platform_sdk/src \\
    # of the SDK
    services/orders/src /app/source/
ADD ./deploy/image/*.py /
FROM scratch
COPY --from=source /app /app
"""


def test_the_sources_of_an_image_are_the_paths_copied_from_the_repository() -> None:
    assert read_dockerfile(DOCKERFILE, "Dockerfile") == Dockerfile(
        sources=("requirements/orders.txt", "libs/platform_sdk/src", "services/orders/src", "deploy/image/*.py"),
        base_image="python:3.13-slim-bookworm",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("FROM python:3.13\n", "has no base image"),
        ("ARG PYTHON_IMAGE\n", "has no base image"),
        ("ARG PYTHON_IMAGE=a\nCOPY services/${SERVICE}/src /app\n", "copies `services/${SERVICE}/src`"),
        ("ARG PYTHON_IMAGE=a\nADD https://example.com/a.tar /app\n", "copies `https://example.com/a.tar`"),
        ('ARG PYTHON_IMAGE=a\nCOPY ["a b", "/app"]\n', "copies `[a b,`"),
    ],
)
def test_a_dockerfile_whose_inputs_do_not_follow_from_it_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidDockerfile) as raised:
        read_dockerfile(text, "services/orders/Dockerfile")
    assert message in raised.value.what


RULES = read_rules(
    """\
# Nothing but what is named.
*
!services/*/src
!libs/sdk/*.py
!/requirements/orders.txt
libs/sdk/cli*.py
**/__pycache__
**/*.py[co]
"""
)


@pytest.mark.parametrize(
    ("path", "ignored"),
    [
        ("README.md", True),
        ("services/orders/README.md", True),
        ("services/orders/src/orders/main.py", False),
        ("services/orders/src/__pycache__/main.txt", True),
        ("services/orders/src/orders/main.pyc", True),
        ("services/orders/migrations/src", True),
        ("libs/sdk/errors.py", False),
        ("libs/sdk/deploy/errors.py", True),
        ("libs/sdk/cli_build.py", True),
        ("requirements/orders.txt", False),
        ("requirements/orders.txt.orig", True),
    ],
)
def test_the_last_rule_that_names_a_file_or_a_folder_above_it_decides(path: str, ignored: bool) -> None:
    assert is_ignored(path, RULES) is ignored


def test_without_rules_nothing_is_ignored() -> None:
    assert not is_ignored("services/orders/README.md", read_rules("\n# none\n"))


def test_an_image_contains_files_that_are_copied_and_not_ignored() -> None:
    inputs = ImageInputs(
        path="services/orders/Dockerfile",
        dockerfile=Dockerfile(sources=("services/orders/src", "libs/sdk/*.py"), base_image="python"),
        rules=RULES,
    )
    assert inputs.source_of("services/orders/src/orders/main.py") == "services/orders/src"
    assert inputs.source_of("libs/sdk/errors.py") == "libs/sdk/*.py"
    outside = ("libs/sdk/cli.py", "services/users/src/a.py", "services/orders/src/a.pyc", "services/orders/srcs")
    assert [path for path in outside if inputs.contains(path)] == []
    assert inputs.contains("services/orders/Dockerfile")
