"""An AWS account in memory with a stepped clock, called through real boto3 clients; it opens no socket.

client.py answers the clients; account.py holds the services; each service is a file or a folder. A test sets up how
images and hooks behave, which calls fail, and how long it waits.
"""

from aws_simulator.client import AwsSimulator, Call, FailureMode
from aws_simulator.clock import SteppedClock
from aws_simulator.service import Refused, UnsupportedOperation
from aws_simulator.world import Behaviour, Conditions, Hook

__all__ = [
    "AwsSimulator",
    "Behaviour",
    "Call",
    "Conditions",
    "FailureMode",
    "Hook",
    "Refused",
    "SteppedClock",
    "UnsupportedOperation",
]
