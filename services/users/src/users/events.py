"""What this service tells the others. Between model and use cases; published through the unit of work.

An event carries ids only: who wants a name or an address asks for it, so that no queue has to be searched
when a user is deleted.
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
