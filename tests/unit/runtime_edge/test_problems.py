import asyncpg
import orjson
import pytest
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from platform_sdk.runtime.database.unit_of_work import DatabaseUnavailable
from platform_sdk.runtime.http.problems import (
    ClientGone,
    Problem,
    conflict,
    problem_of,
    problem_responses,
    too_many_requests,
    unauthenticated,
)


def test_a_problem_has_the_members_of_rfc_9457_and_its_own() -> None:
    response = conflict("out-of-stock", "TEA is sold out", shortages=[{"sku": "TEA"}]).response()
    assert response.status_code == 409
    assert response.headers["content-type"] == "application/problem+json"
    assert orjson.loads(response.body) == {
        "type": "/problems/out-of-stock",
        "title": "Conflict",
        "status": 409,
        "detail": "TEA is sold out",
        "shortages": [{"sku": "TEA"}],
    }


@pytest.mark.parametrize(("status", "title"), [(413, "Content Too Large"), (422, "Unprocessable Content")])
def test_the_default_title_is_the_phrase_of_rfc_9110(status: int, title: str) -> None:
    assert Problem(status, "any-slug").title == title


def test_the_challenge_names_an_error_only_when_credentials_were_sent() -> None:
    assert unauthenticated().headers["WWW-Authenticate"] == "Bearer"
    challenge = unauthenticated("expired", error="invalid_token").headers["WWW-Authenticate"]
    assert challenge == 'Bearer error="invalid_token", error_description="expired"'


def test_a_quota_problem_uses_the_registered_type() -> None:
    body = too_many_requests("sign-in", 7).body()
    assert body["type"] == "https://iana.org/assignments/http-problem-types#quota-exceeded"
    assert body["violated-policies"] == ["sign-in"]


@pytest.mark.parametrize(
    "error",
    [
        DatabaseUnavailable("no connection to 10.0.0.1"),
        asyncpg.DeadlockDetectedError("deadlock"),
        asyncpg.ReadOnlySQLTransactionError("failover"),
        asyncpg.TooManyConnectionsError("full"),
        asyncpg.QueryCanceledError("statement timeout"),
        ConnectionResetError("reset"),
        TimeoutError("slow"),
    ],
)
def test_what_passes_by_itself_is_503_with_retry_after(error: Exception) -> None:
    problem = problem_of(error, ())
    assert problem.status == 503
    assert problem.headers["Retry-After"] == "1"
    assert str(error) not in str(problem.body())


def test_a_value_that_the_database_refuses_is_the_requests_fault() -> None:
    assert problem_of(asyncpg.CharacterNotInRepertoireError("NUL"), ()).status == 422
    assert problem_of(asyncpg.NumericValueOutOfRangeError("int4"), ()).status == 422


def test_the_unexpected_is_500_without_a_word_about_it(caplog: pytest.LogCaptureFixture) -> None:
    problem = problem_of(ZeroDivisionError("secret detail"), ())
    assert problem.status == 500
    assert "secret detail" not in str(problem.body())
    assert caplog.records[0].exc_info is not None


def test_what_fastapi_made_of_a_body_error_is_undone() -> None:
    error = HTTPException(400)
    error.__cause__ = Problem(413, "content-too-large")
    assert problem_of(error, ()).status == 413
    error.__cause__ = ClientDisconnect()
    with pytest.raises(ClientGone):
        problem_of(error, ())


def test_a_method_that_no_route_has_is_answered_with_those_that_routes_have() -> None:
    assert problem_of(HTTPException(405), {"POST", "GET"}).headers == {"Allow": "GET, POST"}


def test_validation_errors_point_into_the_body_and_say_nothing_of_the_input() -> None:
    error = RequestValidationError(
        [
            {"loc": ("body", "items", 0, "a/b~c"), "msg": "Value error, too many", "type": "x", "input": "hunter2"},
            {"loc": ("query", "limit"), "msg": "too large", "type": "x", "input": 1},
        ]
    )
    problem = problem_of(error, ())
    assert problem.extensions["errors"] == [
        {"detail": "too many", "pointer": "#/items/0/a~1b~0c"},
        {"detail": "too large", "pointer": "#/query/limit"},
    ]
    assert "hunter2" not in str(problem.body())


def test_a_body_that_is_not_json_is_400() -> None:
    error = RequestValidationError([{"loc": ("body", 0), "msg": "x", "type": "json_invalid"}])
    assert problem_of(error, ()).status == 400


def test_problem_responses_document_the_media_type() -> None:
    documented = problem_responses(404, 409)
    assert set(documented) == {404, 409}
    assert "application/problem+json" in documented[404]["content"]
