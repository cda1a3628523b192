"""An image by its tag."""

from typing import TYPE_CHECKING

from platform_sdk.deploy.build.publish import repository_address
from platform_sdk.deploy.environment import Environment
from platform_sdk.errors import PlatformError

if TYPE_CHECKING:
    from platform_sdk.deploy.aws.session import Aws


class UnknownImage(PlatformError):
    """The registry does not hold the tag."""


def observe_image(service: str, tag: str, environment: Environment, aws: "Aws") -> str:
    """As a task definition names it: the digest decides, the tag is for who reads it.

    Raises:
        UnknownImage
        NoRegistry: the environment is on this machine.
        AwsCallFailed: AWS did not answer, or refused to.
    """
    address = repository_address(environment, service)
    image = aws.images.image(service, tag)
    if image is None:
        raise UnknownImage(
            f"there is no image {service}:{tag} in the registry of {environment.name}",
            hint=f"`platform build {service} --env {environment.name} --push` builds what is here, and prints its tag",
        )
    return f"{address}:{tag}@{image.digest}"
