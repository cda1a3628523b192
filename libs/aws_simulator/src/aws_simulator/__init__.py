"""AWS's control plane in memory, with a stepped clock: it plays releases to the real boto3 clients, without a socket.

plane.py answers the clients; account.py holds the services; each service is a file or a folder. What a test sets up is
how images and hooks behave, which calls fail, and how long it waits.
"""

from aws_simulator.client import Call, ControlPlane, How
from aws_simulator.clock import SteppedClock
from aws_simulator.service import NotPlayed, Refused
from aws_simulator.world import Behaviour, Hook

__all__ = ["Behaviour", "Call", "ControlPlane", "Hook", "How", "NotPlayed", "Refused", "SteppedClock"]
