"""The gateways of one account and region, each made when it is first asked for."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Final

from platform_sdk.deploy.aws import NO_RETRY, AccessDenied, AwsCallFailed, Client, NotFound, Retry
from platform_sdk.deploy.aws.autoscaling import Scaling
from platform_sdk.deploy.aws.cloudformation import Stacks
from platform_sdk.deploy.aws.cloudwatch import Alarms, Logs
from platform_sdk.deploy.aws.codedeploy import CodeDeploy
from platform_sdk.deploy.aws.dynamodb_locks import Locks
from platform_sdk.deploy.aws.ecr import Ecr
from platform_sdk.deploy.aws.ecs import Ecs
from platform_sdk.deploy.aws.load_balancing import LoadBalancing
from platform_sdk.deploy.aws.parameters import Parameters, Secrets

# Who calls AWS, and what that one may do.

ASSUMED_ROLE: Final = re.compile(r"arn:(?P<partition>[\w-]+):sts::(?P<account>\d{12}):assumed-role/(?P<role>[^/]+)/.+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """`arn` is that of a user, or of a role's session: `arn:aws:sts::111122223333:assumed-role/<role>/<session>`."""

    arn: str
    account_id: str


class Identity:
    """`iam_client` is asked for when it is needed. Every method raises AwsCallFailed."""

    def __init__(self, client: Client, iam_client: Callable[[], Client]) -> None:
        self.client = client
        self.iam_client = iam_client

    def caller(self) -> Caller:
        answer = self.client.call("get_caller_identity", "find out who calls AWS")
        return Caller(arn=answer["Arn"], account_id=answer["Account"])

    def may_pass(self, role_arn: str, *, by: str, to: str) -> bool | None:
        """Whether `by`, an ARN of a user, role or session, may hand a role to a service such as
        `ecs-tasks.amazonaws.com`; None where the caller may not ask, or IAM does not find `by`.
        """
        try:
            answer = self.iam_client().call(
                "simulate_principal_policy",
                f"find out whether {role_arn} may be passed",
                PolicySourceArn=principal_of(by),
                ActionNames=["iam:PassRole"],
                ResourceArns=[role_arn],
                ContextEntries=[
                    {
                        "ContextKeyName": "iam:PassedToService",
                        "ContextKeyValues": [to],
                        "ContextKeyType": "string",
                    }
                ],
            )
        except AccessDenied:
            return None
        except AwsCallFailed as error:
            # The role of a session is known by its name alone: with a path, IAM does not find it.
            if error.code in ("NoSuchEntity", "InvalidInput"):
                return None
            raise
        return all(each["EvalDecision"] == "allowed" for each in answer["EvaluationResults"])


def principal_of(arn: str) -> str:
    """The role of a session, which is what IAM knows; any other ARN as it is."""
    session = ASSUMED_ROLE.fullmatch(arn)
    return f"arn:{session['partition']}:iam::{session['account']}:role/{session['role']}" if session else arn


# The RDS data API: SQL for a cluster in a private network, as one of its users and without a connection.


class Database:
    """Raises AwsCallFailed; AwsUnavailable also while a paused database wakes up. Nothing is retried:
    the caller waits for that itself.
    """

    def __init__(self, client: Client) -> None:
        self.client = client

    def execute(
        self,
        purpose: str,
        *,
        cluster_arn: str,
        secret_arn: str,
        database: str,
        sql: str,
        parameters: Mapping[str, str] | None = None,
    ) -> list[list[object]]:
        """The rows, in the plainest of types.

        Args:
            purpose: completes "could not …"; the SQL is told nowhere, because it may hold a password.
            secret_arn: of the user and password to do it as.
            parameters: of the SQL's `:name`; texts.
        """
        answer = self.client.call_once(
            "execute_statement",
            purpose,
            resourceArn=cluster_arn,
            secretArn=secret_arn,
            database=database,
            sql=sql,
            parameters=[{"name": name, "value": {"stringValue": text}} for name, text in (parameters or {}).items()],
        )
        return [[next(iter(field.values())) for field in row] for row in answer.get("records", [])]


# Lambda, as far as the hooks of a deployment need it.


class Lambdas:
    """Raises AwsCallFailed."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def exists(self, function: str) -> bool:
        """By name or ARN."""
        try:
            self.client.call("get_function", f"look for the function {function}", FunctionName=function)
        except NotFound:
            return False
        return True


if TYPE_CHECKING:
    from platform_sdk.deploy.environment import Environment

CONNECT_SECONDS: Final = 5
READ_SECONDS: Final = 30
ATTEMPTS: Final = 5


class Aws:
    """
    Args:
        client_of: makes a boto3 client of the service that it is given: `boto3.Session().client`, or one that stands
            for it. Called once for each service.
        retry: the policy of all calls that may be repeated.
    """

    def __init__(
        self,
        client_of: Callable[[str], Any],
        *,
        account_id: str,
        region: str,
        partition: str = "aws",
        retry: Retry = NO_RETRY,
    ) -> None:
        self.client_of = cache(client_of)
        self.account_id = account_id
        self.region = region
        self.partition = partition
        self.retry = retry

    def with_retries(self, retry: Retry) -> "Aws":
        """Return the same gateways, over the same clients, with another retry policy."""
        return Aws(
            self.client_of, account_id=self.account_id, region=self.region, partition=self.partition, retry=retry
        )

    def client(self, service: str) -> Client:
        return Client(self.client_of(service), self.retry)

    @cached_property
    def ecs(self) -> Ecs:
        return Ecs(self.client("ecs"))

    @cached_property
    def codedeploy(self) -> CodeDeploy:
        return CodeDeploy(self.client("codedeploy"))

    @cached_property
    def load_balancing(self) -> LoadBalancing:
        return LoadBalancing(self.client("elbv2"))

    @cached_property
    def scaling(self) -> Scaling:
        return Scaling(self.client("application-autoscaling"))

    @cached_property
    def alarms(self) -> Alarms:
        return Alarms(self.client("cloudwatch"))

    @cached_property
    def logs(self) -> Logs:
        return Logs(self.client("logs"))

    @cached_property
    def stacks(self) -> Stacks:
        return Stacks(self.client("cloudformation"))

    @cached_property
    def images(self) -> Ecr:
        return Ecr(self.client("ecr"), self.account_id)

    @cached_property
    def parameters(self) -> Parameters:
        return Parameters(self.client("ssm"))

    @cached_property
    def secrets(self) -> Secrets:
        return Secrets(self.client("secretsmanager"))

    @cached_property
    def identity(self) -> Identity:
        return Identity(self.client("sts"), lambda: self.client("iam"))

    @cached_property
    def locks(self) -> Locks:
        return Locks(self.client("dynamodb"))

    @cached_property
    def database(self) -> Database:
        return Database(self.client("rds-data"))

    @cached_property
    def lambdas(self) -> Lambdas:
        return Lambdas(self.client("lambda"))


def connect(environment: "Environment") -> Aws:
    """Gateways to AWS with the caller's own credentials, or to the endpoint of an environment that stands for AWS; such
    a one never sees a developer's keys. Nothing is called, and so nothing is checked.
    """
    import boto3
    from botocore.config import Config

    nobody = "local" if environment.aws_endpoint_url else None
    session = boto3.Session(region_name=environment.region, aws_access_key_id=nobody, aws_secret_access_key=nobody)
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        # Only the environment decides: AWS_ENDPOINT_URL of the shell must not turn production into the laptop.
        ignore_configured_endpoint_urls=True,  # type: ignore[call-arg]  # unknown to the stubs
    )

    def client_of(service: str) -> Any:
        make: Any = session.client
        return make(service, endpoint_url=environment.aws_endpoint_url, config=config)

    return Aws(client_of, account_id=environment.account_id, region=environment.region, partition=environment.partition)
