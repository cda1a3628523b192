"""botocore's errors become one family of errors that say what may have happened."""

from datetime import UTC

import pytest
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
    SSOTokenLoadError,
)

from platform_sdk.deploy.aws import (
    AccessDenied,
    AwsCallFailed,
    AwsUnavailable,
    NoCredentials,
    NotFound,
    Throttled,
    in_batches,
    utc,
)
from tests.support.recorded_aws import Answer, RecordedAws, Refusal

SENTENCE = (
    "User: arn:aws:sts::111122223333:assumed-role/production-orders-release/build is not authorized to perform: "
    "ecs:UpdateService on resource: arn:aws:ecs:us-east-1:111122223333:service/platform-production/production-orders "
    "because no identity-based policy allows the ecs:UpdateService action"
)


def failed(answer: Answer) -> AwsCallFailed:
    aws = RecordedAws()
    aws.answers("ecs.UpdateService", answer)
    with pytest.raises(AwsCallFailed) as raised:
        aws.gateways.ecs.set_grace_period("platform-production", "production-orders", 3)
    return raised.value


@pytest.mark.parametrize(
    ("answer", "kind", "may_have_happened"),
    [
        (Refusal(code="AccessDeniedException"), AccessDenied, False),
        (Refusal(code="ExpiredTokenException"), NoCredentials, False),
        (Refusal(code="ThrottlingException"), Throttled, False),
        (
            Refusal(code="ClientException", message="Too many concurrent attempts to create a new revision"),
            Throttled,
            False,
        ),
        (Refusal(code="ServerException", status=500), AwsUnavailable, True),
        (Refusal(code="Whatever", status=503), AwsUnavailable, True),
        (Refusal(code="ServiceNotFoundException"), NotFound, False),
        (Refusal(code="InvalidParameterException"), AwsCallFailed, False),
        (Refusal(code="InvalidParameterException", retries=1), AwsCallFailed, True),
        (NoCredentialsError(), NoCredentials, False),
        (SSOTokenLoadError(error_msg="none"), NoCredentials, False),
        (EndpointConnectionError(endpoint_url="https://ecs"), AwsUnavailable, False),
        (ConnectTimeoutError(endpoint_url="https://ecs"), AwsUnavailable, False),
        (ReadTimeoutError(endpoint_url="https://ecs"), AwsUnavailable, True),
        (ConnectionClosedError(endpoint_url="https://ecs"), AwsUnavailable, True),
    ],
)
def test_each_failure_has_its_kind_and_says_whether_it_may_have_happened(
    answer: Answer, kind: type[AwsCallFailed], may_have_happened: bool
) -> None:
    error = failed(answer)

    assert type(error) is kind
    assert (error.service, error.operation) == ("ecs", "UpdateService")
    assert error.may_have_happened is may_have_happened
    assert error.what == "could not change the grace period of the service production-orders"
    assert error.because


def test_a_denial_names_who_may_not_do_what_on_what() -> None:
    error = failed(Refusal(code="AccessDeniedException", message=SENTENCE))

    assert isinstance(error, AccessDenied)
    assert error.action == "ecs:UpdateService"
    assert error.resource.endswith("service/platform-production/production-orders")
    assert error.who.endswith("production-orders-release/build")
    assert "ecs:UpdateService" in (error.hint or "")


def test_a_denial_without_the_usual_sentence_still_names_the_action() -> None:
    aws = RecordedAws()
    aws.answers("cloudwatch.DescribeAlarms", Refusal(code="AccessDenied", message="no", status=403))

    with pytest.raises(AccessDenied, match="could not read the alarms a") as raised:
        aws.gateways.alarms.alarms(["a"])

    assert (raised.value.action, raised.value.resource) == ("cloudwatch:DescribeAlarms", "")


def test_a_list_that_fails_on_its_second_page_fails() -> None:
    aws = RecordedAws()
    aws.answers("ecs.ListTasks", {"taskArns": [], "nextToken": "more"}, Refusal(code="ThrottlingException"))

    with pytest.raises(Throttled):
        aws.gateways.ecs.tasks("platform-production", service="production-orders", stopped=False)


def test_nothing_needs_no_call() -> None:
    assert list(in_batches([], 10)) == []
    assert list(in_batches(["a", "b", "c"], 2)) == [["a", "b"], ["c"]]


def test_moments_are_in_utc() -> None:
    from datetime import datetime, timedelta, timezone

    there = datetime(2026, 1, 5, 10, 0, tzinfo=timezone(timedelta(hours=1)))

    assert utc(there) == there
    assert utc(there).tzinfo is UTC
    assert utc(None) is None
