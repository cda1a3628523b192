"""AWS's control plane in memory, with a stepped clock: it plays releases to the real boto3 clients, without a socket.

plane.py answers the clients; account.py holds the services; each service is a file or a folder. What a test sets up is
how images and hooks behave, which calls fail, and how long it waits.
"""

from local_aws.control_plane.behaviour import Behaviour, Hook
from local_aws.control_plane.clock import SteppedClock
from local_aws.control_plane.faults import How
from local_aws.control_plane.plane import Call, ControlPlane
from local_aws.control_plane.refused import NotPlayed, Refused

__all__ = ["Behaviour", "Call", "ControlPlane", "Hook", "How", "NotPlayed", "Refused", "SteppedClock"]
