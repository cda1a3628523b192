"""Decide whether IAM would allow an action, from documents alone.

The rules are those for the policies of one identity in one account: an explicit Deny wins, then any Allow; without
either the action is denied. Unknown elements raise, so that a test never passes because a condition was overlooked.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal

Document = Mapping[str, Any]
Context = Mapping[str, str | Sequence[str]]
Decision = Literal["allowed", "explicitDeny", "implicitDeny"]


class UnknownPolicyElement(ValueError):
    """A condition operator or a policy variable that this evaluation does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`statement` decided; None where none matched. `decision` is spelled as in SimulatePrincipalPolicy."""

    decision: Decision
    statement: Document | None

    @property
    def allowed(self) -> bool:
        return self.decision == "allowed"


def is_allowed(documents: Iterable[Document], action: str, resource: str, context: Context | None = None) -> Verdict:
    """Return the verdict on one action on one resource.

    Args:
        documents: policy documents, parsed, of one identity.
        action: `ecs:DescribeServices`.
        resource: an ARN, or `*` for an action that knows no resource.
        context: condition keys to their value or values, such as `iam:PassedToService`.

    Raises:
        UnknownPolicyElement
    """
    keys = {key.lower(): value for key, value in (context or {}).items()}
    matching = [
        statement
        for document in documents
        for statement in listed(document.get("Statement", []))
        if matches(statement, action, resource, keys)
    ]
    for effect, decision in EFFECTS.items():
        for statement in matching:
            if statement["Effect"] == effect:
                return Verdict(decision=decision, statement=statement)
    return Verdict(decision="implicitDeny", statement=None)


EFFECTS: Final[Mapping[str, Decision]] = {"Deny": "explicitDeny", "Allow": "allowed"}
"""In the order in which they decide."""


def matches(statement: Document, action: str, resource: str, keys: Context) -> bool:
    """Return whether a statement applies: to the action, to the resource, and under its conditions."""
    return (
        names(statement, "Action", action)
        and names(statement, "Resource", resource)
        and all(
            holds(operator, key, listed(expected), keys)
            for operator, block in statement.get("Condition", {}).items()
            for key, expected in block.items()
        )
    )


def names(statement: Document, member: Literal["Action", "Resource"], value: str) -> bool:
    """Return whether a statement is about an action, whose case does not matter, or about a resource."""
    negated = f"Not{member}" in statement
    patterns = listed(statement.get(f"Not{member}" if negated else member, []))
    if member == "Action":
        value, patterns = value.lower(), [pattern.lower() for pattern in patterns]
    return any(like(pattern, value) for pattern in patterns) != negated


def holds(operator: str, key: str, expected: Sequence[Any], keys: Context) -> bool:
    """Evaluate one line of a Condition: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html"""
    quantifier, _, rest = operator.rpartition(":")
    name = rest.removesuffix("IfExists")
    wanted = [text(value) for value in expected]
    present = keys.get(key.lower())
    if name == "Null":
        return (present is None) == (wanted == ["true"])
    compare, negated = operator_of(name)
    if present is None:
        return negated or quantifier == "ForAllValues" or rest.endswith("IfExists")
    met = [any(compare(pattern, value) for pattern in wanted) != negated for value in listed(present)]
    return any(met) if quantifier == "ForAnyValue" else all(met)


def operator_of(name: str) -> tuple[Callable[[str, str], bool], bool]:
    """Return the comparison of a pattern with a value, and whether it is negated."""
    plain = name.replace("Not", "")
    if plain not in OPERATORS:
        raise UnknownPolicyElement(f"the condition operator {name} is not known here")
    return OPERATORS[plain], plain != name


def like(pattern: str, value: str) -> bool:
    """Return whether a value matches: `*` stands for any characters, `?` for one."""
    return pattern == value or expression(pattern).fullmatch(value) is not None


@cache
def expression(pattern: str) -> re.Pattern[str]:
    if "${" in pattern:
        raise UnknownPolicyElement(f"the policy variable in {pattern} is not known here")
    return re.compile("".join({"*": ".*", "?": "."}.get(sign, re.escape(sign)) for sign in pattern), re.DOTALL)


def like_arn(pattern: str, value: str) -> bool:
    """Compare each of the six parts by itself: a `*` does not match a colon."""
    patterns, parts = pattern.split(":", 5), value.split(":", 5)
    return len(patterns) == len(parts) and all(map(like, patterns, parts))


def same_without_case(pattern: str, value: str) -> bool:
    return pattern.lower() == value.lower()


OPERATORS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "StringEquals": str.__eq__,
    "StringEqualsIgnoreCase": same_without_case,
    "StringLike": like,
    "ArnEquals": like_arn,
    "ArnLike": like_arn,
    "Bool": same_without_case,
}


def text(value: object) -> str:
    """Return a value of a condition as text: JSON's `true` is the text `true`."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def listed(value: Any) -> list[Any]:
    """Return a list where a policy may have one thing or several."""
    if isinstance(value, str | Mapping):
        return [value]
    return list(value) if isinstance(value, Iterable) else [value]
