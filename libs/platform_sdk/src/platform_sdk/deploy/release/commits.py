"""Of which commit a version is that is not made of the files here: written down where it was registered before."""

from datetime import datetime
from typing import Final

from platform_sdk.deploy.aws.session import Aws
from platform_sdk.deploy.canonical import COMMIT_TAG, COMMITTED_AT_TAG, VERSION_TAG
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.release.description import parse_description
from platform_sdk.deploy.render.stack_names import service_name
from platform_sdk.deploy.state import TaskDefinition

MOST: Final = 100
"""Deployments that are looked at."""


def commit_of_version(
    aws: Aws, spec: ServiceSpec, environment: Environment, version: str
) -> tuple[str | None, datetime | None]:
    """None where no revision of the version is known, or it does not say.

    Raises:
        AwsCallFailed
    """
    revision = revision_of_version(aws, service_name(spec, environment), version)
    if revision is None:
        return None, None
    written = revision.tags.get(COMMITTED_AT_TAG)
    return revision.tags.get(COMMIT_TAG), datetime.fromisoformat(written) if written else None


def revision_of_version(aws: Aws, name: str, version: str) -> TaskDefinition | None:
    """The newest of the family, which may belong to a release that came no further, or what a deployment brought."""
    newest = aws.ecs.revision(name)
    if newest is not None and newest.tags.get(VERSION_TAG) == version:
        return newest
    for deployment in aws.codedeploy.deployments(name, name, most=MOST):
        told = parse_description(deployment.description)
        if told is not None and told.version == version:
            return aws.ecs.revision(told.revision)
    return None
