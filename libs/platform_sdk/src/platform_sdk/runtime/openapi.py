"""The OpenAPI document: FastAPI's, with what the platform adds to every route said in it.

Every status that the edge itself can answer with is documented as problem+json, so that a client, or a fuzzer, never
meets an answer that the document does not know.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from platform_sdk.runtime.idempotency import KEY_PATTERN, required_idempotency_key
from platform_sdk.runtime.problems import PROBLEM_MEDIA_TYPE, PROBLEM_SCHEMA, problem_responses
from platform_sdk.runtime.routes import dependencies_of, is_public

SECURITY_SCHEME = "accessToken"
_ALWAYS = (400, 404, 405, 422, 429, 500, 503, 504)
_WITH_POLICY = (401, 403)
_WITH_BODY = (408, 413, 415)


def openapi_document(routes: Sequence[BaseRoute], *, title: str, version: str, description: str) -> dict[str, Any]:
    """Builds the document of all routes that are in the schema."""
    document = get_openapi(title=title, version=version, description=description, routes=routes)
    for route, operation in _operations(routes, document):
        _document_problems(route, operation)
        _document_required_key(route, operation)
        if not is_public(route):
            operation["security"] = [{SECURITY_SCHEME: []}]
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    # FastAPI's own error body: nothing answers with it.
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    schemas["Problem"] = PROBLEM_SCHEMA
    components["securitySchemes"] = {SECURITY_SCHEME: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    return document


def _operations(routes: Sequence[BaseRoute], document: dict[str, Any]) -> Iterator[tuple[APIRoute, dict[str, Any]]]:
    for route in routes:
        if isinstance(route, APIRoute) and route.include_in_schema:
            for method in route.methods or ():
                yield route, document["paths"][route.path_format][method.lower()]


def _document_required_key(route: APIRoute, operation: dict[str, Any]) -> None:
    """The key is optional to FastAPI, so that its absence is our 400 and not FastAPI's 422."""
    if required_idempotency_key in dependencies_of(route):
        for parameter in operation["parameters"]:
            if parameter["name"] == "Idempotency-Key":
                parameter["required"] = True
                parameter["schema"] = {"type": "string", "pattern": KEY_PATTERN}


def _document_problems(route: APIRoute, operation: dict[str, Any]) -> None:
    statuses = [*_ALWAYS, *(() if is_public(route) else _WITH_POLICY), *(_WITH_BODY if route.body_field else ())]
    responses = operation["responses"]
    for status, response in problem_responses(*statuses).items():
        declared = responses.get(str(status))
        is_fastapis_own = declared is not None and "HTTPValidationError" in str(declared.get("content"))
        if declared is None or is_fastapis_own:
            responses[str(status)] = response
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    responses.setdefault("default", {"description": "Any other problem", "content": {PROBLEM_MEDIA_TYPE: problem}})
