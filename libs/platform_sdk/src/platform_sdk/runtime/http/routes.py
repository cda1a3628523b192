"""The routes that a service declares, checked once when the app is created, and guarded: `adopt_routes`.

A route without a policy is refused. Policies run first, so that a request without a token is a 401 whatever else is
wrong with it. Then follow the checks that FastAPI does not make: the content type of a body, unknown and repeated query
parameters.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from copy import copy
from typing import Any, get_args, get_origin
from urllib.parse import parse_qsl

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute, request_response
from starlette.exceptions import HTTPException

from platform_sdk.errors import PlatformError
from platform_sdk.runtime.http.auth import Policy, is_policy, public
from platform_sdk.runtime.http.problems import (
    FieldError,
    Problem,
    bad_request,
    unsupported_media_type,
    validation_failed,
)

Handler = Callable[[Request], Awaitable[Response]]


class RouteWithoutPolicy(PlatformError):
    """A route does not say who may call it, so it is refused."""


class JsonRequest(Request):
    """A request whose JSON is read by orjson: quicker, and NaN, surrogates and a byte order mark are errors."""

    async def json(self) -> Any:
        """Return the parsed body, parsed once. Raises orjson's error, which FastAPI turns into a validation error."""
        if not hasattr(self, "_json"):
            self._json = orjson.loads(await self.body())
        return self._json


def adopt_routes(routers: Sequence[APIRouter]) -> Iterator[APIRoute]:
    """Yield the routes of all routers, guarded.

    Raises:
        RouteWithoutPolicy: names the route and the fix.
        PlatformError: a router holds something else than routes.
    """
    for router in routers:
        for route in router.routes:
            if not isinstance(route, APIRoute):
                raise PlatformError(
                    f"a router holds a {type(route).__name__.strip('_')}, which create_app cannot guard",
                    hint="give each APIRouter to create_app itself, and declare routes with its decorators only",
                )
            yield _guard(route)


def _policies_of(route: APIRoute) -> list[Policy]:
    return [call for call in dependencies_of(route) if is_policy(call)]


def dependencies_of(route: APIRoute) -> list[Callable[..., Any]]:
    """Return every function that FastAPI calls for a route, however deep."""
    return [dependant.call for dependant in _all_dependants(route.dependant) if dependant.call is not None]


def is_public(route: APIRoute) -> bool:
    """Return whether every policy of the route allows every caller."""
    return all(policy is public for policy in _policies_of(route))


def _guard(route: APIRoute) -> APIRoute:
    if not _policies_of(route):
        raise RouteWithoutPolicy(
            f"{' '.join(sorted(route.methods or ()))} {route.path} does not say who may call it",
            because="a route without a policy is denied to every caller",
            hint="take `user: CurrentUser` or `admin: Admin`, or declare `dependencies=[Public]`",
        )
    policies = _policies_of(route)
    dependencies = [dependant for dependant in route.dependant.dependencies if dependant.call is not public]
    # Stable: apart from the policies, dependencies keep the order in which they were declared.
    dependencies.sort(key=lambda dependant: not is_policy(dependant.call))
    # A copy: the router keeps its routes as they were declared, so that an app can be built from it again.
    route = copy(route)
    route.dependant = copy(route.dependant)
    route.dependant.dependencies = dependencies
    route.app = request_response(_checked(route, route.get_route_handler(), policies))
    return route


def _checked(route: APIRoute, handler: Handler, policies: Sequence[Policy]) -> Callable[[Request], Any]:
    takes_body = route.body_field is not None
    check_query = _query_check(route)

    async def handle(request: Request) -> Response:
        try:
            if request.scope["query_string"]:
                check_query(request)
            if takes_body:
                _check_content_type(request)
                return await handler(JsonRequest(request.scope, request.receive))
            return await handler(request)
        except (Problem, RequestValidationError, HTTPException) as error:
            if isinstance(error, Problem) and error.status in (401, 403):
                raise
            # A caller without permission must not learn what else is wrong. A known principal costs nothing here.
            for policy in policies:
                await policy(request)
            raise

    return handle


def _check_content_type(request: Request) -> None:
    headers = request.headers
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return
    kind, _, parameters = headers.get("content-type", "").lower().partition(";")
    kind = kind.strip()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise unsupported_media_type("send `Content-Type: application/json`")
    if "charset" in parameters and "utf-8" not in parameters:
        raise unsupported_media_type("JSON is always UTF-8 (RFC 8259)")
    if headers.get("content-encoding", "identity") != "identity":
        raise unsupported_media_type("send the body without a content encoding")


def _query_check(route: APIRoute) -> Callable[[Request], None]:
    fields = [field for dependant in _all_dependants(route.dependant) for field in dependant.query_params]
    known = {field.alias for field in fields}
    repeatable = {field.alias for field in fields if _is_sequence(field.field_info.annotation)}

    def check(request: Request) -> None:
        try:
            text = request.scope["query_string"].decode("ascii")
            names = [name for name, _ in parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=100)]
        except ValueError:
            raise bad_request("the query is not percent-encoded UTF-8") from None
        errors: list[FieldError] = []
        for name in sorted(set(names)):
            if name not in known:
                errors.append({"detail": "no such query parameter", "pointer": f"#/query/{name[:100]}"})
            elif name not in repeatable and names.count(name) > 1:
                errors.append({"detail": "given more than once", "pointer": f"#/query/{name}"})
        if errors:
            raise validation_failed(errors)

    return check


def _is_sequence(annotation: Any) -> bool:
    alternatives = (annotation, *get_args(annotation))
    return any(get_origin(alternative) in (list, set, tuple, frozenset) for alternative in alternatives)


def _all_dependants(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for dependency in dependant.dependencies:
        yield from _all_dependants(dependency)
