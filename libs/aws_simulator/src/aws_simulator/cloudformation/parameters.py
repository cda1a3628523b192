"""The values of a template's parameters: given, kept from before, by default, or looked up in Parameter Store."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aws_simulator.cloudformation.template import Json, Template
from aws_simulator.refused import Refused

SSM_TYPE: Final = re.compile(r"AWS::SSM::Parameter::Value<(.+)>")
MAX_BYTES: Final = 4096

Lookup = Callable[[Iterable[str]], Mapping[str, str]]
"""Names of Parameter Store to their values, without those that are not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """`given` is what the caller or the default says; `looked_up` is what Parameter Store had under that name."""

    name: str
    type: str
    given: str
    looked_up: str | None

    @property
    def resolved(self) -> str | list[str]:
        """A list where the type is one."""
        text = self.given if self.looked_up is None else self.looked_up
        found = SSM_TYPE.fullmatch(self.type)
        kind = self.type if found is None else found[1]
        if kind.startswith("List<") or kind == "CommaDelimitedList":
            return [part.strip() for part in text.split(",")]
        return text

    def described(self) -> dict[str, str]:
        shown = {"ParameterKey": self.name, "ParameterValue": self.given}
        return shown if self.looked_up is None else {**shown, "ResolvedValue": self.looked_up}


def values_of(
    template: Template, given: Sequence[Json], previous: Mapping[str, Value], look_up: Lookup
) -> dict[str, Value]:
    """The value of each of the template's parameters, by name.

    Args:
        given: as CreateChangeSet has it: ParameterKey with ParameterValue or UsePreviousValue.
        previous: those of the stack as it is; empty for a new one.

    Raises:
        Refused: ValidationError, for each mistake in CloudFormation's words.
    """
    refuse_unknown(template, given)
    texts = {name: text_of(name, body, given, previous) for name, body in template.parameters.items()}
    missing = [name for name, text in texts.items() if text is None]
    if missing:
        raise Refused("ValidationError", f"Parameters: [{', '.join(missing)}] must have values")
    present = {name: str(text) for name, text in texts.items()}
    for name, text in present.items():
        refuse_violation(name, template.parameters[name], text)
    wanted = {name: text for name, text in present.items() if SSM_TYPE.fullmatch(template.parameters[name]["Type"])}
    stored = look_up(wanted.values())
    lacking = sorted(set(wanted.values()) - set(stored))
    if lacking:
        raise Refused(
            "ValidationError",
            f"Unable to fetch parameters [{','.join(lacking)}] from parameter store for this account.",
        )
    return {
        name: Value(
            name=name,
            type=template.parameters[name]["Type"],
            given=text,
            looked_up=stored[text] if name in wanted else None,
        )
        for name, text in present.items()
    }


def refuse_unknown(template: Template, given: Sequence[Json]) -> None:
    unknown = [one["ParameterKey"] for one in given if one["ParameterKey"] not in template.parameters]
    if unknown:
        raise Refused("ValidationError", f"Parameters: [{', '.join(unknown)}] do not exist in the template")


def text_of(name: str, body: Json, given: Sequence[Json], previous: Mapping[str, Value]) -> str | None:
    """None where there is no value at all."""
    said = next((one for one in given if one["ParameterKey"] == name), None)
    if said is None:
        return default_of(body)
    if not said.get("UsePreviousValue", False):
        return str(said.get("ParameterValue", ""))
    if name not in previous:
        raise Refused(
            "ValidationError",
            f"Invalid input for parameter key {name}. Cannot specify usePreviousValue as true for a parameter key not "
            "in the previous template",
        )
    return previous[name].given


def default_of(body: Json) -> str | None:
    match body.get("Default"):
        case None:
            return None
        case bool(value):
            return str(value).lower()
        case value:
            return str(value)


def refuse_violation(name: str, body: Json, text: str) -> None:
    for violation in violations(name, body, text):
        raise Refused("ValidationError", violation)


def violations(name: str, body: Json, text: str) -> Iterator[str]:
    if len(text.encode()) > MAX_BYTES:
        yield f"Parameter '{name}' is too long: a value has at most {MAX_BYTES} bytes"
    allowed = [default_of({"Default": value}) for value in body.get("AllowedValues", [])]
    if allowed and text not in allowed:
        yield f"Parameter '{name}' must be one of AllowedValues"
    pattern = body.get("AllowedPattern")
    if pattern is not None and not re.fullmatch(pattern, text):
        yield f"Parameter '{name}' must match pattern {pattern}"
    if body["Type"] == "Number":
        yield from violations_of_number(name, body, text)


def violations_of_number(name: str, body: Json, text: str) -> Iterator[str]:
    if not re.fullmatch(r"-?\d+(\.\d+)?", text):
        yield f"Parameter '{name}' must be a number"
        return
    if float(text) < float(body.get("MinValue", text)):
        yield f"Parameter '{name}' must be a number not less than {body['MinValue']}"
    if float(text) > float(body.get("MaxValue", text)):
        yield f"Parameter '{name}' must be a number not greater than {body['MaxValue']}"


def resolved(values: Mapping[str, Value]) -> dict[str, Any]:
    """As `Ref` gives them."""
    return {name: value.resolved for name, value in values.items()}
