"""Reads AWS into values, and writes nothing: the only way from the gateways to plan, preflight and apply.

    gateways ─▶ observe ─▶ ServiceState, DeployedStack ─▶ plan

Whatever can be asked for many at once is asked for all services together; `platform plan` of a hundred services would
otherwise wait for more than a thousand answers.
"""

from platform_sdk.deploy.observe.images import UnknownImage, observe_image
from platform_sdk.deploy.observe.service import UnreadableTemplate, observe_service, observe_services
from platform_sdk.deploy.observe.shared import observe_shared

__all__ = [
    "UnknownImage",
    "UnreadableTemplate",
    "observe_image",
    "observe_service",
    "observe_services",
    "observe_shared",
]
