"""Use cases of users and addresses. Routes call them with a transaction that the edge commits.

Use cases of sessions are in authentication.py.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from platform_sdk.runtime.database.unit_of_work import UnitOfWork
from platform_sdk.runtime.messaging.messages import new_id
from users import model, sessions
from users.errors import address_limit, email_taken, own_account, session_ended, wrong_old_password
from users.events import UserDeleted, UserDisabled, UserEnabled, UserRegistered, UserUpdated
from users.model import Address, Password, PostalAddress, Role, User


async def sign_up(uow: UnitOfWork, *, email: str, name: str, password_hash: str, role: Role = "customer") -> User:
    """Add a user.

    Raises:
        Problem: 409 email-taken.
    """
    user = await model.insert_user(
        uow, user_id=new_id(), email=email, name=name, password_hash=password_hash, role=role
    )
    if user is None:
        raise email_taken()
    uow.publish(UserRegistered(user_id=user.id), aggregate_id=user.id, aggregate_version=user.version)
    return user


async def rename_user(uow: UnitOfWork, user: User, name: str) -> User:
    """Give a locked user another name."""
    if name == user.name:
        return user
    return await _update(uow, replace(user, name=name), UserUpdated)


async def administer_user(
    uow: UnitOfWork, user: User, *, administrator_id: UUID, role: Role | None, disabled: bool | None
) -> User:
    """Change the role of a locked user, disables or enables them. A disabled user's sessions end.

    Raises:
        Problem: 409 own-account, so that the last administrator cannot lock everybody out.
    """
    changed = replace(
        user,
        role=user.role if role is None else role,
        disabled=user.disabled if disabled is None else disabled,
    )
    if changed == user:
        return user
    if user.id == administrator_id:
        raise own_account()
    if changed.disabled == user.disabled:
        return await _update(uow, changed, UserUpdated)
    if not changed.disabled:
        return await _update(uow, changed, UserEnabled)
    await sessions.end_sessions(uow, user.id)
    return await _update(uow, changed, UserDisabled)


async def _update(
    uow: UnitOfWork, changed: User, kind: type[UserUpdated] | type[UserEnabled] | type[UserDisabled]
) -> User:
    user = await model.update_user(uow, changed)
    uow.publish(kind(user_id=user.id), aggregate_id=user.id, aggregate_version=user.version)
    return user


async def change_password(uow: UnitOfWork, *, user_id: UUID, session_id: UUID, old: Password, new_hash: str) -> None:
    """Replace the password that was checked, and ends all sessions but this one.

    Raises:
        Problem: 401 invalid-credentials, if another request has changed the password meanwhile.
    """
    if not await model.replace_password(uow, user_id, old=old, new_hash=new_hash):
        raise wrong_old_password()
    await sessions.end_sessions(uow, user_id, but=session_id)


async def delete_user(uow: UnitOfWork, user_id: UUID) -> None:
    """Remove the user with all that this service stores about them.

    Raises:
        Problem: 401, if the user is gone already.
    """
    version = await model.delete_user(uow, user_id)
    if version is None:
        raise session_ended()
    uow.publish(UserDeleted(user_id=user_id), aggregate_id=user_id, aggregate_version=version + 1)


async def add_address(uow: UnitOfWork, user_id: UUID, content: PostalAddress, *, limit: int) -> Address:
    """Store another address.

    Raises:
        Problem: 409 address-limit.
    """
    # Requests of the same user wait here for each other; otherwise several could each see the last free place.
    await model.lock_user(uow, user_id)
    if await model.count_addresses(uow, user_id) >= limit:
        raise address_limit(limit)
    return await model.insert_address(uow, user_id, new_id(), content)


async def change_address(uow: UnitOfWork, user_id: UUID, address: Address, changes: Mapping[str, Any]) -> Address:
    """Change the given fields of a locked address."""
    changed = replace(address, **changes)
    if changed == address:
        return address
    return await model.update_address(uow, user_id, address.id, changed)
