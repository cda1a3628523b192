"""Rules that AWS's service models state only in their documentation, with the words that state them.

botocore checks none of these rules: it reads types, enumerations, patterns and bounds, and these are sentences. A test
checks that the installed botocore still says them, and that no property of our templates lacks its rule.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

from aws_simulator.documented.databases import DATA
from aws_simulator.documented.rule import Rule
from aws_simulator.documented.services import EC2, REST, TASKS, TRAFFIC

RULES: Final = (*EC2, *DATA, *TASKS, *TRAFFIC, *REST)


def by(keys: Mapping[Rule, tuple[str, ...]]) -> Mapping[str, tuple[Rule, ...]]:
    found: dict[str, tuple[Rule, ...]] = defaultdict(tuple)
    for rule, names in keys.items():
        for name in names:
            found[name] += (rule,)
    return dict(found)


OF_PROPERTY: Final = by({rule: rule.properties for rule in RULES})
OF_MEMBER: Final = by({rule: (rule.member,) for rule in RULES})


def violations_in_properties(path: str, value: Any) -> Iterator[str]:
    """Yield what AWS refuses in a resource's resolved properties.

    Args:
        path: where the value is: first the resource's type, then the names of properties, joined by slashes.
    """
    match value:
        case dict():
            for name, inner in value.items():
                yield from violations_in_properties(f"{path}/{name}", inner)
        case list():
            for inner in value:
                yield from violations_in_properties(path, inner)
        case str() | int() | float():
            yield from (
                f"Value '{value}' of {path} is not allowed: {rule.says}"
                for rule in OF_PROPERTY.get(path, ())
                if not rule.allows(value)
            )
