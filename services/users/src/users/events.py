"""Events that this service publishes through the unit of work.

An event carries ids only. Consumers request names and addresses, so no queue contains personal data when a user is
deleted.
"""

from typing import ClassVar
from uuid import UUID

from platform_sdk.runtime.messaging.messages import Event


class UserRegistered(Event):
    type: ClassVar[str] = "user.registered"
    user_id: UUID


class UserUpdated(Event):
    """The user's name or role changed."""

    type: ClassVar[str] = "user.updated"
    user_id: UUID


class UserDisabled(Event):
    type: ClassVar[str] = "user.disabled"
    user_id: UUID


class UserEnabled(Event):
    """A disabled user was enabled again."""

    type: ClassVar[str] = "user.enabled"
    user_id: UUID


class UserDeleted(Event):
    type: ClassVar[str] = "user.deleted"
    user_id: UUID
