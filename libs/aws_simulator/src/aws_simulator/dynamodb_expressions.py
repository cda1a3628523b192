"""DynamoDB's condition and update expressions, as far as a lock needs them; anything else is refused, not guessed.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
"""

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from aws_simulator.refused import NotPlayed, Refused

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
"""Of the words that an expression may only use by `#name`, those that an item is likely to have
(docs.aws.amazon.com/amazondynamodb, "Reserved words in DynamoDB").
"""
FUNCTIONS: Final = ("attribute_exists", "attribute_not_exists")


class Expression:
    """One expression with its names (`#n`) and values (`:v`), read from left to right.

    Raises:
        NotPlayed: for what is no comparison, no test of existence, and no AND, OR, NOT or bracket.
    """

    def __init__(self, text: str, names: Mapping[str, str], values: Item) -> None:
        self._text = text
        self._names = names
        self._values = values
        self._tokens = list(tokens(text))

    def holds(self, item: Item) -> bool:
        """A condition, of the item that is there; an item that is not there has no attributes."""
        outcome = self._either(item)
        if self._tokens:
            raise self._unknown(self._tokens[0])
        return outcome

    def changes(self) -> tuple[dict[str, Mapping[str, Any]], list[str]]:
        """An update: what is set, and which attributes are removed."""
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
        while self._tokens and self._tokens[0] == ",":
            self._next()
            yield self._name(self._next())

    def _either(self, item: Item) -> bool:
        outcome = self._both(item)
        while self._tokens and self._tokens[0].upper() == "OR":
            self._next()
            outcome = self._both(item) or outcome
        return outcome

    def _both(self, item: Item) -> bool:
        outcome = self._one(item)
        while self._tokens and self._tokens[0].upper() == "AND":
            self._next()
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
        """What is not there, or is of another type, is equal to nothing and neither below nor above anything."""
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
            raise invalid(
                f"An expression attribute name used in the document path is not defined; attribute name: {token}"
            )
        return self._names[token] if token.startswith("#") else token

    def _value(self, token: str) -> Mapping[str, Any]:
        if token not in self._values:
            raise self._unknown(token)
        return self._values[token]

    def _next(self) -> str:
        if not self._tokens:
            raise self._unknown("the end")
        return self._tokens.pop(0)

    def _expect(self, token: str) -> None:
        found = self._next()
        if found != token:
            raise self._unknown(found)

    def _unknown(self, token: str) -> NotPlayed:
        return NotPlayed(f"{token} in the DynamoDB expression {self._text!r}")


def refuse_unused(texts: Iterable[str], names: Iterable[str], values: Iterable[str]) -> None:
    """Raises `Refused` as DynamoDB does for a name or a value that no expression uses."""
    used = {token for text in texts for token in tokens(text)}
    for kind, given in (("Names", names), ("Values", values)):
        unused = sorted(set(given) - used)
        if unused:
            raise invalid(
                f"Value provided in ExpressionAttribute{kind} unused in expressions: keys: {{{', '.join(unused)}}}"
            )


def invalid(message: str) -> Refused:
    return Refused("ValidationException", message)


def tokens(text: str) -> Iterator[str]:
    position = 0
    while position < len(text.rstrip()):
        found = TOKEN.match(text, position)
        if found is None:
            raise NotPlayed(f"{text[position:]!r} in the DynamoDB expression {text!r}")
        yield found[1]
        position = found.end()
