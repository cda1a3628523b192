"""Check requests and answers against botocore's service models, more strictly than botocore itself.

ParamValidator checks names, types, required members and lower bounds; this adds enumerations, upper bounds,
patterns, and the rules that only the documentation states.
"""

import pickle
import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from typing import Any, Final

import botocore.session
from botocore.exceptions import ParamValidationError
from botocore.hooks import HierarchicalEmitter
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape
from botocore.validate import ParamValidator

from aws_simulator.documented import OF_MEMBER

BEYOND_THE_MODEL: Final = frozenset(
    {"REVIEW_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"}
)
"""Stack statuses that CloudFormation's events have, and that its model of a resource's status lacks."""


def check_answer(operation: OperationModel, answer: Mapping[str, Any]) -> None:
    """Raise AssertionError with what is wrong in an answer, and where: a bug of the simulator, not of its caller."""
    shape = operation.output_shape
    if shape is None:
        assert not answer, f"{operation.name} answers nothing, not {sorted(answer)}"
        return
    report = ParamValidator().validate(dict(answer), shape)
    found = [report.generate_report()] if report.has_errors() else list(enumerations(answer, shape, ""))
    assert not found, f"the answer to {operation.name} is none of AWS's: {'; '.join(found)}"


def violations_in(operation: OperationModel, request: Mapping[str, Any]) -> list[str]:
    """Return AWS's complaints about values that botocore accepts."""
    shape, service = operation.input_shape, operation.service_model.service_name
    if shape is None:
        return []
    return [*enumerations(request, shape, ""), *bounds(request, shape, ""), *documented(request, shape, "", service)]


class OwnHandlers(HierarchicalEmitter):
    """The handlers of one client, beside those that all clients of its service share: copying those takes a while."""

    def __init__(self, shared: Any) -> None:
        super().__init__()
        self._shared = shared

    def emit(self, event_name: str, **parameters: Any) -> list[Any]:
        """Call the shared handlers, then the client's own."""
        return [*self._shared.emit(event_name, **parameters), *super().emit(event_name, **parameters)]

    def emit_until_response(self, event_name: str, **parameters: Any) -> tuple[Any, Any]:
        """Call the client's own handlers, then the shared ones, until one answers."""
        handler, answer = super().emit_until_response(event_name, **parameters)
        if answer is not None:
            return handler, answer
        found: tuple[Any, Any] = self._shared.emit_until_response(event_name, **parameters)
        return found


def unsent_request(
    api_params: Mapping[str, Any], operation_model: OperationModel, endpoint_url: str, context: Any, headers: Any = None
) -> dict[str, Any]:
    """Return what botocore's handlers read of a request. Raises ParamValidationError: as botocore's serialiser does."""
    pickled = pickle.dumps(dict(api_params))
    complaints = complaints_about_request(operation_model.service_model.service_name, operation_model.name, pickled)
    if complaints:
        raise ParamValidationError(report=complaints)
    return {"url": endpoint_url, "headers": {}, "body": b"", "context": context}


@lru_cache(maxsize=4096)
def complaints_about_request(service: str, operation: str, pickled: bytes) -> str:
    """Return what botocore finds wrong in a pickled request, or an empty string."""
    shape = operation_model(service, operation).input_shape
    if shape is None:
        return ""
    report = ParamValidator().validate(pickle.loads(pickled), shape)
    return str(report.generate_report())


@lru_cache(maxsize=4096)
def violations_in_request(service: str, operation: str, pickled: bytes) -> tuple[str, ...]:
    """Return what `violations_in` finds in a pickled request. Clients that poll ask the same again and again."""
    return tuple(violations_in(operation_model(service, operation), pickle.loads(pickled)))


@lru_cache(maxsize=4096)
def check_pickled_answer(service: str, operation: str, pickled: bytes) -> None:
    """Check an answer once per content. Raises AssertionError: as `check_answer` does."""
    check_answer(operation_model(service, operation), pickle.loads(pickled))


def members(value: Any, shape: Shape, path: str) -> Iterator[tuple[Any, Shape, str]]:
    """Yield what a value holds, each with its shape and path."""
    match shape:
        case StructureShape():
            for name, member in shape.members.items():
                if value.get(name) is not None:
                    yield value[name], member, f"{path}.{name}".lstrip(".")
        case ListShape():
            for index, member in enumerate(value):
                yield member, shape.member, f"{path}.{index + 1}.member"
        case MapShape():
            for key, member in value.items():
                yield key, shape.key, f"{path}.key"
                yield member, shape.value, f"{path}.{key}"


def enumerations(value: Any, shape: Shape, path: str) -> Iterator[str]:
    """Yield a violation for each value that its enumeration does not have."""
    if not has_enumerations(shape):
        return
    allowed = getattr(shape, "enum", None)
    if allowed and value not in allowed and value not in BEYOND_THE_MODEL:
        yield violation(value, path, f"Member must satisfy enum value set: [{', '.join(allowed)}]")
    for member, its_shape, its_path in members(value, shape, path):
        yield from enumerations(member, its_shape, its_path)


@cache
def has_enumerations(shape: Shape, inside: frozenset[str] = frozenset()) -> bool:
    """Return whether a value of the shape could hold an enumeration: most could not, and answers are checked by the
    thousand. A recursive shape, such as DynamoDB's values, counts as one that could."""
    if getattr(shape, "enum", None) or shape.name in inside:
        return True
    return any(has_enumerations(part, inside | {shape.name}) for part in parts(shape))


def parts(shape: Shape) -> list[Shape]:
    match shape:
        case StructureShape():
            return list(shape.members.values())
        case ListShape():
            return [shape.member]
        case MapShape():
            return [shape.key, shape.value]
        case _:
            return []


def bounds(value: Any, shape: Shape, path: str) -> Iterator[str]:
    """Yield a violation for each value above its upper bound, or unlike its pattern."""
    upper, pattern = shape.metadata.get("max"), shape.metadata.get("pattern")
    size = value if shape.type_name in ("integer", "long", "float", "double") else None
    if upper is not None and size is not None and size > upper:
        yield violation(value, path, f"Member must have value less than or equal to {upper}")
    if upper is not None and size is None and len(value) > upper:
        yield violation(value, path, f"Member must have length less than or equal to {upper}")
    if pattern and isinstance(value, str) and not matches(pattern, value):
        yield violation(value, path, f"Member must satisfy regular expression pattern: {pattern}")
    for member, its_shape, its_path in members(value, shape, path):
        yield from bounds(member, its_shape, its_path)


def documented(value: Any, shape: Shape, path: str, service: str) -> Iterator[str]:
    """Yield a violation for each value that only the documentation of its member forbids."""
    if isinstance(shape, StructureShape):
        for name, member in value.items():
            rules = OF_MEMBER.get(f"{service}.{shape.name}.{name}", ())
            texts = member if isinstance(member, list) else [member]
            yield from (
                violation(text, f"{path}.{name}".lstrip("."), rule.says)
                for rule in rules
                for text in texts
                if isinstance(text, str | int | float) and not rule.allows(text)
            )
    for member, its_shape, its_path in members(value, shape, path):
        yield from documented(member, its_shape, its_path, service)


def violation(value: Any, path: str, constraint: str) -> str:
    return f"Value '{value}' at '{path}' failed to satisfy constraint: {constraint}"


def matches(pattern: str, value: str) -> bool:
    compiled = python_pattern(pattern)
    return compiled is None or compiled.fullmatch(value) is not None


@cache
def python_pattern(pattern: str) -> re.Pattern[str] | None:
    """Compile a model's pattern, which is Java's. Those that Python cannot read are not checked."""
    try:
        return re.compile(pattern)
    except re.error:
        return None


@cache
def session() -> botocore.session.Session:
    return botocore.session.Session()


@cache
def operation_model(service: str, operation: str) -> OperationModel:
    """Return a model, cached: `service` is the boto3 client's name, `operation` is AWS's, as in `DescribeServices`."""
    return session().get_service_model(service).operation_model(operation)
