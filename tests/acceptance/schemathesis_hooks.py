"""Loaded by schemathesis: values that a valid request has and that nobody can guess from a document."""

from typing import Any
from uuid import uuid4

import schemathesis


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: "schemathesis.Case[Any]", kwargs: dict[str, Any]) -> None:
    """A valid request has a key of its own, and a cursor only if it was handed one."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if "Idempotency-Key" in (case.headers or {}):
        case.headers["Idempotency-Key"] = str(uuid4())
    if case.query:
        case.query.pop("cursor", None)
