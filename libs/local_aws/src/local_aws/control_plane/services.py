"""The table of the control plane's services, in the order in which they are stepped: one line each."""

from collections.abc import Callable, Mapping
from typing import Final

from local_aws.control_plane.account import Account
from local_aws.control_plane.service import Service

SERVICES: Final[Mapping[str, Callable[[Account], Service]]] = {service.NAME: service for service in ()}
