"""Locks in a DynamoDB table. Conditional writes take, renew and release them, and exclude each other.

The table has the key `name`. Times are whole seconds since 1970, so that a condition can compare them.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any, Final

from platform_sdk.deploy.aws import AwsCallFailed, Client, NotFound
from platform_sdk.deploy.state import Held, LockItem, Suspended, Taken

REFUSED: Final = "ConditionalCheckFailedException"


class NoLockTable(NotFound):
    """The environment has no table of locks: the shared stacks do not exist yet."""


class Locks:
    """The calls on a table of locks. All raise AwsCallFailed; without the table, NoLockTable."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def take(self, table: str, item: LockItem, *, now: datetime) -> Held | Taken:
        """Take a lock that is free or has expired. Taking it again with the same token is no error, so the call may be
        repeated.
        """
        try:
            answer = self.write(
                "update_item",
                f"take the lock {item.name}",
                table=table,
                name=item.name,
                condition="attribute_not_exists(#name) OR #expires_at <= :now OR #token = :token",
                compared={"name": None, "now": number(now)},
                values=written(item),
            )
        except AwsCallFailed as error:
            if error.code != REFUSED:
                raise
            holder = self.read(table, item.name)
            # Without a holder, it was released between the two calls.
            return self.take(table, item, now=now) if holder is None else Taken(by=holder)
        before = _lock_of(answer["Attributes"]) if "Attributes" in answer else None
        if before is None:
            return Held(item=item, before=None)
        carried = replace(item, deployment_id=before.deployment_id, scaling=before.scaling)
        return Held(item=carried, before=None if before.token == item.token else before)

    def renew(
        self,
        table: str,
        name: str,
        *,
        token: str,
        expires_at: datetime,
        deployment_id: str | None = None,
        scaling: Suspended | None = None,
        forget_scaling: bool = False,
    ) -> bool:
        """Extend the lock to `expires_at`. Return False if it is no longer the token's. None keeps a value."""
        more = {} if deployment_id is None else {"deployment_id": {"S": deployment_id}}
        if scaling is not None or forget_scaling:
            more["scaling"] = {"S": json.dumps(asdict(scaling) if scaling else None)}
        return self.done_if_ours(
            "update_item",
            f"renew the lock {name}",
            table=table,
            name=name,
            condition="#token = :token",
            compared={"token": {"S": token}},
            values={"expires_at": number(expires_at)} | more,
        )

    def release(self, table: str, name: str, *, token: str) -> bool:
        """Release the lock. Return False if it was no longer the token's."""
        return self.done_if_ours(
            "delete_item",
            f"release the lock {name}",
            table=table,
            name=name,
            condition="#token = :token",
            compared={"token": {"S": token}},
            values={},
        )

    def read(self, table: str, name: str) -> LockItem | None:
        """Return the lock as it is stored, also if it has expired; None where there is none."""
        purpose = f"read the lock {name}"
        answer = self.call("get_item", purpose, table, name, ConsistentRead=True)
        return _lock_of(answer["Item"]) if "Item" in answer else None

    def text(self, table: str, name: str) -> str:
        """Return the text that is kept beside the locks under a name; empty where there is none."""
        answer = self.call("get_item", f"read {name}", table, name, ConsistentRead=True)
        return str(answer.get("Item", {}).get("text", {}).get("S", ""))

    def replace_text(self, table: str, name: str, text: str, *, before: str) -> bool:
        """Keep a text under a name. Return False if another one than `before` is kept there now."""
        return self.done_if_ours(
            "update_item",
            f"write {name}",
            table=table,
            name=name,
            condition="#text = :before" if before else "attribute_not_exists(#text)",
            compared={"before": {"S": before} if before else None},
            values={"text": {"S": text}},
        )

    def done_if_ours(self, method: str, purpose: str, **request: Any) -> bool:
        """Return whether the write's condition held. If not, somebody else has the lock, or nobody."""
        try:
            self.write(method, purpose, **request)
        except AwsCallFailed as error:
            if error.code != REFUSED:
                raise
            return False
        return True

    def write(
        self,
        method: str,
        purpose: str,
        *,
        table: str,
        name: str,
        condition: str,
        compared: Mapping[str, Any],
        values: Mapping[str, Any],
    ) -> Any:
        """Write an item if a condition holds.

        `compared` are the condition's own names and values. DynamoDB refuses unused ones. Every name is given as
        `#name`, because many are reserved words of its expressions.
        """
        change = {"UpdateExpression": "SET " + ", ".join(f"#{key} = :{key}" for key in values)} if values else {}
        names = {key for key in (*compared, *values, "expires_at") if f"#{key}" in f"{condition} {change}"}
        return self.call(
            method,
            purpose,
            table,
            name,
            ConditionExpression=condition,
            ExpressionAttributeNames={f"#{key}": key for key in sorted(names)},
            ExpressionAttributeValues={
                f":{key}": value for key, value in (*compared.items(), *values.items()) if value is not None
            },
            ReturnValues="ALL_OLD",
            **change,
        )

    def call(self, method: str, purpose: str, table: str, name: str, **more: Any) -> Any:
        """Call DynamoDB for one item. Raises NoLockTable if the environment has no table of locks."""
        try:
            return self.client.call(method, purpose, TableName=table, Key={"name": {"S": name}}, **more)
        except NotFound as error:
            environment = table.removeprefix("platform-").removesuffix("-locks")
            raise NoLockTable(
                f"{error.what}: {environment} has no table of locks yet",
                because=error.because,
                hint=f"`platform apply --shared --env {environment}` creates the shared stacks",
                service=error.service,
                operation=error.operation,
                code=error.code,
            ) from error


def written(item: LockItem) -> dict[str, Any]:
    """Return what taking a lock writes. Its other attributes stay: the next holder must finish that work."""
    return {
        "token": {"S": item.token},
        "owner": {"S": item.owner},
        "purpose": {"S": item.purpose},
        "since": number(item.since),
        "expires_at": number(item.expires_at),
    }


def number(moment: datetime) -> dict[str, str]:
    """Return a time as an attribute of DynamoDB: whole seconds since 1970."""
    return {"N": str(int(moment.timestamp()))}


def _lock_of(found: Any) -> LockItem:
    scaling = json.loads(found.get("scaling", {}).get("S", "null"))
    return LockItem(
        name=found["name"]["S"],
        token=found["token"]["S"],
        owner=found["owner"]["S"],
        purpose=found["purpose"]["S"],
        since=datetime.fromtimestamp(int(found["since"]["N"]), UTC),
        expires_at=datetime.fromtimestamp(int(found["expires_at"]["N"]), UTC),
        deployment_id=found.get("deployment_id", {}).get("S", ""),
        scaling=Suspended(**scaling) if scaling else None,
    )
