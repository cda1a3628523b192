"""DynamoDB's items by key, with conditional writes: what a lock needs."""

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aws_simulator.account import Account
from aws_simulator.service import Answer, Refused, Request, Service, UnsupportedOperation, find_or_refuse

# Condition and update expressions, as far as a lock needs them; anything else is unsupported.
#
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html

Item = Mapping[str, Mapping[str, Any]]
"""Attribute to its typed value, such as `{"S": "orders"}`."""

TOKEN: Final = re.compile(r"\s*(<>|<=|>=|[=<>(),]|[#:]?[A-Za-z_][\w.-]*)")
COMPARISONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
RESERVED: Final = frozenset({
    "comment", "count", "data", "date", "group", "item", "key", "lock", "locks", "name", "names", "owner", "region",
    "role", "state", "status", "time", "timestamp", "token", "ttl", "type", "user", "value", "values", "zone",
})  # fmt: skip
"""Reserved words that an item is likely to have; expressions may use them only by `#name`
(docs.aws.amazon.com/amazondynamodb, "Reserved words in DynamoDB")."""
FUNCTIONS: Final = ("attribute_exists", "attribute_not_exists")


class Expression:
    """One expression with its names (`#n`) and values (`:v`), read from left to right.

    Raises:
        UnsupportedOperation: other than comparisons, tests of existence, AND, OR, NOT and brackets.
    """

    def __init__(self, text: str, names: Mapping[str, str], values: Item) -> None:
        self._text = text
        self._names = names
        self._values = values
        self._tokens = list(tokens(text))

    def holds(self, item: Item) -> bool:
        """Evaluate a condition on an item; a missing item has no attributes."""
        outcome = self._either(item)
        if self._tokens:
            raise self._unknown(self._tokens[0])
        return outcome

    def changes(self) -> tuple[dict[str, Mapping[str, Any]], list[str]]:
        """Evaluate an update: return what is set, and which attributes are removed."""
        put: dict[str, Mapping[str, Any]] = {}
        removed: list[str] = []
        while self._tokens:
            match self._next().upper():
                case "SET":
                    for name in self._list():
                        self._expect("=")
                        put[name] = self._value(self._next())
                case "REMOVE":
                    removed += self._list()
                case clause:
                    raise self._unknown(clause)
        return put, removed

    def _list(self) -> Iterator[str]:
        yield self._name(self._next())
        while self._accept(","):
            yield self._name(self._next())

    def _either(self, item: Item) -> bool:
        outcome = self._both(item)
        while self._accept("OR"):
            outcome = self._both(item) or outcome
        return outcome

    def _both(self, item: Item) -> bool:
        outcome = self._one(item)
        while self._accept("AND"):
            outcome = self._one(item) and outcome
        return outcome

    def _one(self, item: Item) -> bool:
        word = self._next()
        if word.upper() == "NOT":
            return not self._one(item)
        if word == "(":
            outcome = self._either(item)
            self._expect(")")
            return outcome
        if word in FUNCTIONS:
            self._expect("(")
            found = self._name(self._next()) in item
            self._expect(")")
            return found == (word == "attribute_exists")
        return self._compare(word, item)

    def _compare(self, left: str, item: Item) -> bool:
        """Compare. A value that is missing or of another type equals nothing, and is neither below nor above it."""
        sign = self._next()
        if sign not in COMPARISONS:
            raise self._unknown(sign)
        there, given = item.get(self._name(left)), self._value(self._next())
        if there is None or set(there) != set(given):
            return sign == "<>"
        (kind,) = there
        convert = float if kind == "N" else str
        return COMPARISONS[sign](convert(there[kind]), convert(given[kind]))

    def _name(self, token: str) -> str:
        if token.startswith(":"):
            raise self._unknown(token)
        if token.lower() in RESERVED:
            raise invalid(f"Attribute name is a reserved keyword; reserved keyword: {token}")
        if token.startswith("#") and token not in self._names:
            message = "An expression attribute name used in the document path is not defined"
            raise invalid(f"{message}; attribute name: {token}")
        return self._names[token] if token.startswith("#") else token

    def _value(self, token: str) -> Mapping[str, Any]:
        if token not in self._values:
            raise self._unknown(token)
        return self._values[token]

    def _next(self) -> str:
        if not self._tokens:
            raise self._unknown("the end")
        return self._tokens.pop(0)

    def _accept(self, token: str) -> bool:
        """Read the next token if it is this one, and return whether it was."""
        accepted = bool(self._tokens) and self._tokens[0].upper() == token
        if accepted:
            self._next()
        return accepted

    def _expect(self, token: str) -> None:
        found = self._next()
        if found != token:
            raise self._unknown(found)

    def _unknown(self, token: str) -> UnsupportedOperation:
        return UnsupportedOperation(f"{token} in the DynamoDB expression {self._text!r}")


def refuse_unused(texts: Iterable[str], names: Iterable[str], values: Iterable[str]) -> None:
    """Check that every name and value is used. Raises Refused: an expression uses none of a name or value."""
    used = {token for text in texts for token in tokens(text)}
    for kind, given in (("Names", names), ("Values", values)):
        unused = sorted(set(given) - used)
        if unused:
            message = f"Value provided in ExpressionAttribute{kind} unused in expressions"
            raise invalid(f"{message}: keys: {{{', '.join(unused)}}}")


def invalid(message: str) -> Refused:
    """Return DynamoDB's refusal of a request that is malformed."""
    return Refused("ValidationException", message)


def tokens(text: str) -> Iterator[str]:
    """Yield the words and signs of an expression.

    Raises:
        UnsupportedOperation: a sign that no expression of a lock needs.
    """
    position = 0
    while position < len(text.rstrip()):
        found = TOKEN.match(text, position)
        if found is None:
            raise UnsupportedOperation(f"{text[position:]!r} in the DynamoDB expression {text!r}")
        yield found[1]
        position = found.end()


UNSUPPORTED: Final = ("Expected", "ConditionalOperator", "AttributeUpdates", "ProjectionExpression")


@dataclass(slots=True, kw_only=True)
class Table:
    """`key` holds the names of the key's attributes; an item is found by their values."""

    name: str
    key: tuple[str, ...]
    items: dict[tuple[str, ...], dict[str, Mapping[str, Any]]] = field(default_factory=dict)


class DynamoDb(Service):
    """Tables without capacity, indexes or streams: items are read and written by their key.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html
    """

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self.tables: dict[str, Table] = {}

    def create_table(self, request: Request) -> Answer:
        name = request["TableName"]
        if name in self.tables:
            raise Refused("ResourceInUseException", f"Table already exists: {name}")
        self.tables[name] = Table(name=name, key=tuple(part["AttributeName"] for part in request["KeySchema"]))
        return {"TableDescription": self._description(self.tables[name])}

    def delete_table(self, request: Request) -> Answer:
        return {"TableDescription": self._description(self.tables.pop(self._table(request).name))}

    def describe_table(self, request: Request) -> Answer:
        return {"Table": self._description(self._table(request))}

    def get_item(self, request: Request) -> Answer:
        """Return an item. All reads are consistent."""
        table = self._table(request)
        found = table.items.get(key_of(table, request["Key"]))
        return {} if found is None else {"Item": dict(found)}

    def put_item(self, request: Request) -> Answer:
        table = self._table(request)
        before = self._allowed(table, request, request["Item"])
        table.items[key_of(table, request["Item"])] = dict(request["Item"])
        return returned(request, before, request["Item"])

    def update_item(self, request: Request) -> Answer:
        """Update an item; a missing one is created."""
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

    def iam_resources(self, operation: str, request: Request) -> tuple[str, ...]:
        return (self.account.arn("dynamodb", f"table/{request['TableName']}"),) if "TableName" in request else ()

    def _table(self, request: Request) -> Table:
        unsupported = [name for name in UNSUPPORTED if name in request]
        if unsupported:
            raise UnsupportedOperation(f"{', '.join(unsupported)} of DynamoDB")
        texts = [request[kind] for kind in ("ConditionExpression", "UpdateExpression") if kind in request]
        refuse_unused(texts, request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {}))
        name = request["TableName"].rpartition("/")[2]
        return find_or_refuse(self.tables, name, "ResourceNotFoundException", "Requested resource not found")

    def _allowed(self, table: Table, request: Request, item: Item) -> dict[str, Mapping[str, Any]]:
        """Return the present item, which is empty where there is none.

        Raises:
            Refused: the condition does not hold; with the item if the request asks for it.
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

    def _description(self, table: Table) -> Answer:
        return {
            "TableName": table.name,
            "TableArn": self.account.arn("dynamodb", f"table/{table.name}"),
            "TableStatus": "ACTIVE",
            "KeySchema": [{"AttributeName": name, "KeyType": "HASH"} for name in table.key],
            "ItemCount": len(table.items),
        }


def expression(request: Request, kind: str) -> Expression:
    """Return the expression in a member such as `ConditionExpression`, with the request's names and values."""
    names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})
    return Expression(request[kind], names, values)


def key_of(table: Table, item: Item) -> tuple[str, ...]:
    """Return the values of an item's key attributes. Raises Refused: ValidationException, for a missing one."""
    missing = [name for name in table.key if name not in item]
    if missing:
        raise invalid(f"One or more parameter values were invalid: Missing the key {missing[0]} in the item")
    return tuple(str(next(iter(item[name].values()))) for name in table.key)


def returned(request: Request, before: Item, after: Item) -> Answer:
    """Return the answer of a write: what ReturnValues asks for of the item before or after it."""
    match request.get("ReturnValues", "NONE"):
        case "ALL_OLD" if before:
            return {"Attributes": dict(before)}
        case "ALL_NEW":
            return {"Attributes": dict(after)}
        case "NONE" | "ALL_OLD":
            return {}
        case unsupported:
            raise UnsupportedOperation(f"ReturnValues {unsupported} of DynamoDB")
