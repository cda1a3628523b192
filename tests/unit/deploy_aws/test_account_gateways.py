"""Images, parameters, secrets and identity: what is asked, and what is made of the answers."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from platform_sdk.deploy.aws import AwsCallFailed, AwsUnavailable, NotFound
from platform_sdk.deploy.aws.ecr import RegistryLogin
from platform_sdk.deploy.state import Finding
from tests.support.recorded_aws import ACCOUNT, RecordedAws, Refusal

AT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
DIGEST = f"sha256:{'a' * 64}"


def test_an_image_is_found_by_its_tag_with_its_architectures() -> None:
    aws = RecordedAws()
    details = {"imageDigest": DIGEST, "imageTags": ["v1"], "imagePushedAt": AT, "imageSizeInBytes": 9}
    manifests = [
        {"platform": {"architecture": "arm64", "os": "linux"}},
        {"platform": {"architecture": "unknown", "os": "unknown"}},
        {},
    ]
    aws.answers("ecr.DescribeImages", {"imageDetails": [details]})
    aws.answers("ecr.BatchGetImage", {"images": [{"imageManifest": json.dumps({"manifests": manifests})}]})

    found = aws.gateways.images.image("orders", "v1")

    assert found is not None
    assert (found.digest, found.tags, found.architectures, found.size_bytes) == (DIGEST, ("v1",), ("arm64",), 9)
    wanted = {"registryId": ACCOUNT, "repositoryName": "orders", "imageIds": [{"imageTag": "v1"}]}
    assert aws.sent("ecr.DescribeImages") == [wanted]


def test_a_single_manifest_does_not_name_its_architecture() -> None:
    aws = RecordedAws()
    aws.answers("ecr.DescribeImages", {"imageDetails": [{"imageDigest": DIGEST}]})
    aws.answers("ecr.BatchGetImage", {"images": [{"imageManifest": json.dumps({"config": {}})}]})

    found = aws.gateways.images.image("orders", DIGEST)

    assert found is not None
    assert (found.architectures, found.tags, found.pushed_at) == ((), (), None)
    assert aws.sent("ecr.BatchGetImage")[0]["imageIds"] == [{"imageDigest": DIGEST}]


@pytest.mark.parametrize("code", ["ImageNotFoundException", "RepositoryNotFoundException"])
def test_no_image_is_none(code: str) -> None:
    aws = RecordedAws()
    aws.answers("ecr.DescribeImages", Refusal(code=code))

    assert aws.gateways.images.image("orders", "v1") is None


def test_findings_of_both_scanners_have_one_form() -> None:
    aws = RecordedAws()
    basic = {
        "name": "CVE-1",
        "severity": "HIGH",
        "uri": "https://one",
        "attributes": [{"key": "package_name", "value": "zlib"}, {"key": "package_version", "value": "1.2"}],
    }
    enhanced = {
        "severity": "CRITICAL",
        "title": "CVE-2 - openssl",
        "packageVulnerabilityDetails": {
            "vulnerabilityId": "CVE-2",
            "sourceUrl": "https://two",
            "vulnerablePackages": [{"name": "openssl", "version": "3.0", "fixedInVersion": "3.1"}],
        },
    }
    status = {"imageScanStatus": {"status": "ACTIVE", "description": "continuous"}}
    counts = {"findingSeverityCounts": {"HIGH": 1, "CRITICAL": 1}}
    aws.answers(
        "ecr.DescribeImageScanFindings",
        {**status, "imageScanFindings": {"findings": [basic], **counts}, "nextToken": "more"},
        {**status, "imageScanFindings": {"enhancedFindings": [enhanced], **counts}},
    )

    scan = aws.gateways.images.scan("orders", DIGEST)

    assert (scan.status, scan.description, scan.counts) == ("ACTIVE", "continuous", {"HIGH": 1, "CRITICAL": 1})
    assert scan.findings == (
        Finding(name="CVE-1", severity="HIGH", package="zlib", version="1.2", fixed_in="", url="https://one"),
        Finding(name="CVE-2", severity="CRITICAL", package="openssl", version="3.0", fixed_in="3.1", url="https://two"),
    )


def test_an_image_that_nobody_scanned_says_so_and_no_image_is_an_error() -> None:
    aws = RecordedAws()
    aws.answers(
        "ecr.DescribeImageScanFindings", Refusal(code="ScanNotFoundException"), Refusal(code="ImageNotFoundException")
    )

    assert aws.gateways.images.scan("orders", DIGEST).status == "NONE"
    with pytest.raises(NotFound):
        aws.gateways.images.scan("orders", DIGEST)


def test_the_login_is_never_shown_with_its_password() -> None:
    aws = RecordedAws()
    token = base64.b64encode(b"AWS:secret:with:colons").decode()
    data = {"authorizationToken": token, "proxyEndpoint": "https://111122223333.dkr.ecr.us-east-1.amazonaws.com"}
    aws.answers("ecr.GetAuthorizationToken", {"authorizationData": [data]})

    login = aws.gateways.images.login()

    registry = "111122223333.dkr.ecr.us-east-1.amazonaws.com"
    assert login == RegistryLogin(user="AWS", password="secret:with:colons", registry=registry)
    assert "secret" not in repr(login)


def parameter(name: str) -> dict[str, str]:
    return {"Name": name, "Value": f"value of {name}", "Type": "String"}


def test_parameters_are_read_ten_at_a_time_without_unknown_ones() -> None:
    aws = RecordedAws()
    names = [f"/platform/x/{index}" for index in range(11)]
    aws.answers(
        "ssm.GetParameters",
        {"Parameters": [parameter(names[0])], "InvalidParameters": names[1:10]},
        {"Parameters": [parameter(names[10])]},
    )

    assert aws.gateways.parameters.values(names) == {name: f"value of {name}" for name in (names[0], names[10])}
    assert [len(each["Names"]) for each in aws.sent("ssm.GetParameters")] == [10, 1]


def test_parameters_below_a_path_are_read_to_the_last_page() -> None:
    aws = RecordedAws()
    aws.answers(
        "ssm.GetParametersByPath",
        {"Parameters": [parameter("/p/a")], "NextToken": "more"},
        {"Parameters": [parameter("/p/b/c")]},
    )

    assert list(aws.gateways.parameters.under("/p")) == ["/p/a", "/p/b/c"]
    assert aws.requests[0][1] == {"Path": "/p", "Recursive": True}


@pytest.mark.parametrize(
    ("answer", "there"),
    [
        ({"Name": "s"}, True),
        ({"Name": "s", "DeletedDate": AT}, False),
        (Refusal(code="ResourceNotFoundException"), False),
    ],
)
def test_a_secret_that_is_to_be_deleted_counts_as_gone(answer: Any, there: bool) -> None:
    aws = RecordedAws()
    aws.answers("secretsmanager.DescribeSecret", answer)

    assert aws.gateways.secrets.exists("s") is there


@pytest.mark.parametrize(
    ("answer", "keys"),
    [
        ({"SecretString": '{"username": "a", "password": "b"}'}, {"username", "password"}),
        ({"SecretString": "plain"}, set()),
        ({"SecretString": "[1]"}, set()),
        ({"SecretBinary": b"1"}, set()),
        (Refusal(code="AccessDeniedException"), None),
    ],
)
def test_the_keys_of_a_secret_are_read_and_its_values_are_not(answer: Any, keys: set[str] | None) -> None:
    aws = RecordedAws()
    aws.answers("secretsmanager.GetSecretValue", answer)

    assert aws.gateways.secrets.keys("s") == keys


def test_a_field_of_a_secret_is_read_or_missed_by_name() -> None:
    aws = RecordedAws()
    aws.answers("secretsmanager.GetSecretValue", {"SecretString": '{"password": "hidden"}'})

    assert aws.gateways.secrets.field("s", "password") == "hidden"
    with pytest.raises(NotFound, match="has no key `other`") as raised:
        aws.gateways.secrets.field("s", "other")
    assert "hidden" not in str(raised.value)


def test_a_secret_that_cannot_be_read_is_an_error_of_its_kind() -> None:
    aws = RecordedAws()
    deleted = Refusal(code="InvalidRequestException", message="marked for deletion")
    aws.answers("secretsmanager.GetSecretValue", deleted, Refusal(code="DecryptionFailure"))

    with pytest.raises(NotFound, match="marked for deletion"):
        aws.gateways.secrets.keys("s")
    with pytest.raises(AwsCallFailed):
        aws.gateways.secrets.keys("s")


ROLE = f"arn:aws:iam::{ACCOUNT}:role/production-orders-task"


@pytest.mark.parametrize(
    ("by", "asked"),
    [
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/production-orders-release/build", "role/production-orders-release"),
        (f"arn:aws:iam::{ACCOUNT}:user/me", "user/me"),
    ],
)
@pytest.mark.parametrize(("decision", "may"), [("allowed", True), ("implicitDeny", False)])
def test_iam_says_whether_a_role_may_be_passed(by: str, asked: str, decision: str, may: bool) -> None:
    aws = RecordedAws()
    result = {"EvalActionName": "iam:PassRole", "EvalDecision": decision}
    aws.answers("iam.SimulatePrincipalPolicy", {"EvaluationResults": [result]})

    assert aws.gateways.identity.may_pass(ROLE, by=by, to="ecs-tasks.amazonaws.com") is may
    sent = aws.requests[0][1]
    assert sent["PolicySourceArn"] == f"arn:aws:iam::{ACCOUNT}:{asked}"
    assert sent["ContextEntries"][0]["ContextKeyValues"] == ["ecs-tasks.amazonaws.com"]


def test_without_permission_to_check_there_is_no_answer() -> None:
    aws = RecordedAws()
    aws.answers(
        "iam.SimulatePrincipalPolicy",
        Refusal(code="AccessDenied"),
        Refusal(code="NoSuchEntity"),
        Refusal(code="PolicyEvaluation"),
    )

    assert aws.gateways.identity.may_pass(ROLE, by=ROLE, to="ecs-tasks.amazonaws.com") is None
    assert aws.gateways.identity.may_pass(ROLE, by=ROLE, to="ecs-tasks.amazonaws.com") is None
    with pytest.raises(AwsCallFailed):
        aws.gateways.identity.may_pass(ROLE, by=ROLE, to="ecs-tasks.amazonaws.com")


def test_the_caller_is_who_the_credentials_say() -> None:
    aws = RecordedAws()
    aws.answers("sts.GetCallerIdentity", {"Arn": ROLE, "Account": ACCOUNT, "UserId": "x"})

    caller = aws.gateways.identity.caller()

    assert (caller.arn, caller.account_id) == (ROLE, ACCOUNT)


def test_sql_is_sent_with_its_parameters_and_answered_in_rows() -> None:
    aws = RecordedAws()
    aws.answers("rds-data.ExecuteStatement", {"records": [[{"longValue": 1}, {"stringValue": "a"}]]}, {})
    cluster = "arn:aws:rds:us-east-1:111122223333:cluster:c"
    given: Any = {"cluster_arn": cluster, "secret_arn": "arn:aws:secret", "database": "d"}

    rows = aws.gateways.database.execute("count", sql="SELECT 1, :name", parameters={"name": "a"}, **given)

    assert rows == [[1, "a"]]
    assert aws.gateways.database.execute("count", sql="GRANT", **given) == []
    assert aws.requests[0][1]["parameters"] == [{"name": "name", "value": {"stringValue": "a"}}]


@pytest.mark.parametrize(
    "code", ["DatabaseResumingException", "DatabaseUnavailableException", "ServiceUnavailableError"]
)
def test_a_database_that_sleeps_is_away_for_a_moment(code: str) -> None:
    aws = RecordedAws()
    aws.answers("rds-data.ExecuteStatement", Refusal(code=code))

    with pytest.raises(AwsUnavailable, match="could not count"):
        aws.gateways.database.execute("count", cluster_arn="a" * 11, secret_arn="b" * 11, database="d", sql="SELECT 1")
