"""DynamoDB's items by their key, written under a condition: what a lock is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from aws_simulator.account import Account
from aws_simulator.dynamodb_expressions import Expression, Item, refuse_unused
from aws_simulator.refused import NotPlayed, Refused
from aws_simulator.service import Answer, Request, Service

UNPLAYED = ("Expected", "ConditionalOperator", "AttributeUpdates", "ProjectionExpression")


@dataclass(slots=True, kw_only=True)
class Table:
    """`key` are the names of its attributes; an item is found by their values."""

    name: str
    key: tuple[str, ...]
    items: dict[tuple[str, ...], dict[str, Mapping[str, Any]]] = field(default_factory=dict)


class DynamoDb(Service):
    NAME: ClassVar[str] = "dynamodb"

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self.tables: dict[str, Table] = {}

    def create_table(self, request: Request) -> Answer:
        name = request["TableName"]
        if name in self.tables:
            raise Refused("ResourceInUseException", f"Table already exists: {name}")
        self.tables[name] = Table(name=name, key=tuple(part["AttributeName"] for part in request["KeySchema"]))
        return {"TableDescription": self._described(self.tables[name])}

    def delete_table(self, request: Request) -> Answer:
        return {"TableDescription": self._described(self.tables.pop(self._table(request).name))}

    def describe_table(self, request: Request) -> Answer:
        return {"Table": self._described(self._table(request))}

    def get_item(self, request: Request) -> Answer:
        """A read is consistent whether or not it asks to be."""
        table = self._table(request)
        found = table.items.get(key_of(table, request["Key"]))
        return {} if found is None else {"Item": dict(found)}

    def put_item(self, request: Request) -> Answer:
        table = self._table(request)
        before = self._allowed(table, request, request["Item"])
        table.items[key_of(table, request["Item"])] = dict(request["Item"])
        return returned(request, before, request["Item"])

    def update_item(self, request: Request) -> Answer:
        """An item that is not there comes into being."""
        table = self._table(request)
        before = self._allowed(table, request, request["Key"])
        put, removed = expression(request, "UpdateExpression").changes()
        kept = {name: value for name, value in {**request["Key"], **before}.items() if name not in removed}
        after = {**kept, **put}
        table.items[key_of(table, request["Key"])] = after
        return returned(request, before, after)

    def delete_item(self, request: Request) -> Answer:
        table = self._table(request)
        before = self._allowed(table, request, request["Key"])
        table.items.pop(key_of(table, request["Key"]), None)
        return returned(request, before, {})

    def concerned(self, operation: str, request: Request) -> tuple[str, ...]:
        return (self.account.arn("dynamodb", f"table/{request['TableName']}"),) if "TableName" in request else ()

    def _table(self, request: Request) -> Table:
        unplayed = [name for name in UNPLAYED if name in request]
        if unplayed:
            raise NotPlayed(f"{', '.join(unplayed)} of DynamoDB")
        texts = [request[kind] for kind in ("ConditionExpression", "UpdateExpression") if kind in request]
        refuse_unused(texts, request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {}))
        name = request["TableName"].rpartition("/")[2]
        if name not in self.tables:
            raise Refused("ResourceNotFoundException", "Requested resource not found")
        return self.tables[name]

    def _allowed(self, table: Table, request: Request, item: Item) -> dict[str, Mapping[str, Any]]:
        """The item that is there, which is empty where there is none.

        Raises `Refused` where the condition does not hold, with the item if the request asks for it.
        """
        before = table.items.get(key_of(table, item), {})
        if "ConditionExpression" in request and not expression(request, "ConditionExpression").holds(before):
            shown = before and request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
            raise Refused(
                "ConditionalCheckFailedException",
                "The conditional request failed",
                detail={"Item": dict(before)} if shown else None,
            )
        return before

    def _described(self, table: Table) -> Answer:
        return {
            "TableName": table.name,
            "TableArn": self.account.arn("dynamodb", f"table/{table.name}"),
            "TableStatus": "ACTIVE",
            "KeySchema": [{"AttributeName": name, "KeyType": "HASH"} for name in table.key],
            "ItemCount": len(table.items),
        }


def expression(request: Request, kind: str) -> Expression:
    names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})
    return Expression(request[kind], names, values)


def key_of(table: Table, item: Item) -> tuple[str, ...]:
    missing = [name for name in table.key if name not in item]
    if missing:
        raise Refused(
            "ValidationException",
            f"One or more parameter values were invalid: Missing the key {missing[0]} in the item",
        )
    return tuple(str(next(iter(item[name].values()))) for name in table.key)


def returned(request: Request, before: Item, after: Item) -> Answer:
    match request.get("ReturnValues", "NONE"):
        case "ALL_OLD" if before:
            return {"Attributes": dict(before)}
        case "ALL_NEW":
            return {"Attributes": dict(after)}
        case "NONE" | "ALL_OLD":
            return {}
        case unplayed:
            raise NotPlayed(f"ReturnValues {unplayed} of DynamoDB")
