"""AWS as a few recorded answers to real boto3 clients: requests and answers are both held against AWS's own models."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

import botocore.session
from botocore.model import OperationModel

from aws_simulator.shapes import check_answer, violations_in
from platform_sdk.deploy.aws.session import Aws

ACCOUNT = "111122223333"
REGION = "us-east-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An error that AWS answers with."""

    code: str
    message: str = "no"
    status: int = 400
    retries: int = 0


Answer = Mapping[str, Any] | Refusal | Exception


class RecordedAws:
    """Give answers with `answers("ecs.DescribeServices", {...}, ...)`: each call takes the next, and the last stays.

    `requests` are those that were sent, in order, as (operation, parameters).
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.recorded: dict[str, list[Answer]] = defaultdict(list)
        self.gateways = Aws(self.client, account_id=ACCOUNT, region=REGION)

    def answers(self, operation: str, *given: Answer) -> None:
        self.recorded[operation] += given

    def sent(self, operation: str) -> list[dict[str, Any]]:
        return [request for name, request in self.requests if name == operation]

    def client(self, service: str) -> Any:
        client = session().create_client(
            service, region_name=REGION, aws_access_key_id="nobody", aws_secret_access_key="nobody"
        )

        def remember(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
            context["request"] = dict(params)

        def reply(model: OperationModel, context: Mapping[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
            return self.reply(f"{service}.{model.name}", model, context["request"])

        client.meta.events.register_last("before-parameter-build", remember)
        client.meta.events.register("before-call", reply)  # type: ignore[arg-type]  # a reply is what it waits for
        return client

    def reply(self, name: str, model: OperationModel, request: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        assert not violations_in(model, request), violations_in(model, request)
        self.requests.append((name, request))
        given = self.recorded[name]
        assert given, f"no answer is recorded to {name}"
        match given.pop(0) if len(given) > 1 else given[0]:
            case Refusal(code=code, message=message, status=status, retries=retries):
                about = {"HTTPStatusCode": status, "RetryAttempts": retries}
                error = {"Code": code, "Message": message}
                return SimpleNamespace(status_code=status), {"Error": error, "ResponseMetadata": about}
            case Exception() as error:
                raise error
            case answer:
                check_answer(model, answer)
                return SimpleNamespace(status_code=200), dict(answer)


@cache
def session() -> botocore.session.Session:
    """One for the process: reading the models takes longer than the tests."""
    return botocore.session.Session()
