"""Our signature is botocore's signature."""

from datetime import UTC, datetime

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials

from platform_sdk.runtime.messaging.signing import CredentialChain, Credentials, Signer

HEADERS = {"content-type": "application/x-amz-json-1.0", "x-amz-target": "AmazonSQS.ReceiveMessage"}
BODY = b'{"QueueUrl":"https://sqs.eu-central-1.amazonaws.com/123456789012/orders"}'


def botocore_authorization(credentials: Credentials, host: str, now: datetime) -> str:
    timestamp = now.strftime("%Y%m%dT%H%M%SZ")
    headers = {**HEADERS, "x-amz-date": timestamp}
    if credentials.token:
        headers["x-amz-security-token"] = credentials.token
    request = AWSRequest(method="POST", url=f"https://{host}/", data=BODY, headers=headers)
    request.context["timestamp"] = timestamp
    signer = SigV4Auth(BotocoreCredentials(*credentials), "sqs", "eu-central-1")
    string_to_sign = signer.string_to_sign(request, signer.canonical_request(request))
    signed_headers = signer.signed_headers(signer.headers_to_sign(request))
    signature = signer.signature(string_to_sign, request)
    return f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, SignedHeaders={signed_headers}, Signature={signature}"


@pytest.mark.parametrize("token", [None, "a-session-token"])
@pytest.mark.parametrize("host", ["sqs.eu-central-1.amazonaws.com", "127.0.0.1:4566"])
def test_signature_equals_that_of_botocore(host: str, token: str | None) -> None:
    now = datetime(2026, 11, 23, 4, 5, 6, tzinfo=UTC)
    credentials = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", token)
    signed = Signer("sqs", "eu-central-1", host).headers(credentials, HEADERS, BODY, now)
    assert signed["authorization"] == botocore_authorization(credentials, host, now)
    assert signed.get("x-amz-security-token") == token


def test_signing_key_follows_the_date_and_the_credentials() -> None:
    signer = Signer("sqs", "eu-central-1", "sqs.eu-central-1.amazonaws.com")
    today, tomorrow = datetime(2026, 11, 23, tzinfo=UTC), datetime(2026, 11, 24, tzinfo=UTC)
    for credentials in (Credentials("A", "first"), Credentials("B", "second")):
        for now in (today, tomorrow):
            signed = signer.headers(credentials, HEADERS, BODY, now)
            assert signed["authorization"] == botocore_authorization(credentials, signer.host, now)


async def test_credentials_in_the_environment_are_used_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "one")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "two")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "three")
    chain = CredentialChain()
    assert await chain.current() == Credentials("one", "two", "three")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "renewed")
    assert (await chain.current()).access_key == "one"
    chain.expire()
    assert (await chain.current()).access_key == "renewed"
