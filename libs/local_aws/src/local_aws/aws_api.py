"""A small client of the three AWS APIs that start-up needs: SQS, Secrets Manager, Systems Manager parameters.

Signed as AWS asks, so that any endpoint understands it; without boto3, whose memory and start the supervisor would
carry for a dozen calls.
"""

import hashlib
import hmac
import http.client
import json
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from local_aws.errors import AwsCallFailed

# Nobody's account: a developer's own keys never reach a task or an endpoint on the laptop.
ACCESS_KEY_ID: Final = "local"
SECRET_ACCESS_KEY: Final = "local"  # noqa: S105 - deliberately not a secret

_TARGETS: Final = {"sqs": "AmazonSQS", "secretsmanager": "secretsmanager", "ssm": "AmazonSSM"}
_TIMEOUT_SECONDS: Final = 10


class AwsApi:
    """Calls operations by their AWS names; input and output are the documents of the AWS JSON protocol."""

    def __init__(self, endpoint_url: str, region: str) -> None:
        self.endpoint_url = endpoint_url
        self.region = region

    def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """Raises AwsCallFailed, whose `code` is the AWS error code."""
        body = json.dumps(parameters).encode()
        headers = self._signed_headers(service, f"{_TARGETS[service]}.{operation}", body)
        try:
            status, answer = self._post(headers, body)
        except (OSError, http.client.HTTPException) as error:
            raise AwsCallFailed(operation, "Unreachable", f"{self.endpoint_url}: {error}") from error
        document: dict[str, Any] = json.loads(answer) if answer else {}
        if status != 200:
            code = str(document.get("__type", status)).rpartition("#")[2]
            raise AwsCallFailed(operation, code, str(document.get("message", document.get("Message", ""))))
        return document

    def _post(self, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        address = urlsplit(self.endpoint_url)
        kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
        connection = kind(address.hostname or "", address.port, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request("POST", "/", body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def _signed_headers(self, service: str, target: str, body: bytes) -> dict[str, str]:
        """Signature version 4, https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html."""
        now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        headers = {
            "content-type": "application/x-amz-json-1.0" if service == "sqs" else "application/x-amz-json-1.1",
            "host": urlsplit(self.endpoint_url).netloc,
            "x-amz-date": now,
            "x-amz-target": target,
        }
        names = ";".join(headers)
        canonical = "\n".join(
            ["POST", "/", "", *(f"{name}:{value}" for name, value in headers.items()), "", names, _sha256(body)]
        )
        scope = f"{now[:8]}/{self.region}/{service}/aws4_request"
        to_sign = "\n".join(["AWS4-HMAC-SHA256", now, scope, _sha256(canonical.encode())])
        key = f"AWS4{SECRET_ACCESS_KEY}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
        credential = f"Credential={ACCESS_KEY_ID}/{scope}, SignedHeaders={names}, Signature={signature}"
        return {**headers, "authorization": f"AWS4-HMAC-SHA256 {credential}"}


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
