"""One rule, and how it is written in the tables."""

import re
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What one member of a service's model allows.

    Args:
        member: service, shape and member in botocore's model, such as `sqs.CreateQueueRequest.QueueName`.
        says: the words of the member's documentation that the rule is made of, without markup.
        properties: paths in CloudFormation's templates that set the member. They name no list items.
        pattern: what a text has to match as a whole; empty for a number.
        least: the smallest number that is allowed.
        most: the largest number that is allowed.
    """

    member: str
    says: str
    properties: tuple[str, ...]
    pattern: str
    least: float
    most: float

    def allows(self, value: Any) -> bool:
        """Return whether the rule allows a value. Templates write numbers as text, too."""
        if self.pattern:
            return re.fullmatch(self.pattern, str(value), re.S) is not None
        try:
            return self.least <= float(value) <= self.most
        except ValueError:
            return False


def matching(pattern: str, member: str, says: str, *properties: str) -> Rule:
    return Rule(member=member, says=says, properties=properties, pattern=pattern, least=0, most=0)


def between(least: float, most: float, member: str, says: str, *properties: str) -> Rule:
    return Rule(member=member, says=says, properties=properties, pattern="", least=least, most=most)
