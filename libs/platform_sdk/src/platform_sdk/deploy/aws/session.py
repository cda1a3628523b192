"""The gateways of one account and region, each made when it is first asked for."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from platform_sdk.deploy.aws import NotFound
from platform_sdk.deploy.aws.autoscaling import Scaling
from platform_sdk.deploy.aws.calls import call
from platform_sdk.deploy.aws.cloudformation import Stacks
from platform_sdk.deploy.aws.cloudwatch import Alarms, Logs
from platform_sdk.deploy.aws.codedeploy import CodeDeploy
from platform_sdk.deploy.aws.dynamodb_locks import Locks
from platform_sdk.deploy.aws.ecr import Ecr
from platform_sdk.deploy.aws.ecs import Ecs
from platform_sdk.deploy.aws.identity import Identity
from platform_sdk.deploy.aws.load_balancing import LoadBalancing
from platform_sdk.deploy.aws.parameters import Parameters, Secrets
from platform_sdk.deploy.aws.rds_data import Database

# Lambda, as far as the hooks of a deployment need it.


class Lambdas:
    """Raises AwsCallFailed."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def exists(self, function: str) -> bool:
        """By name or ARN."""
        try:
            call(self.client, "get_function", f"look for the function {function}", FunctionName=function)
        except NotFound:
            return False
        return True


if TYPE_CHECKING:
    from platform_sdk.deploy.environment import Environment

CONNECT_SECONDS: Final = 5
READ_SECONDS: Final = 30
ATTEMPTS: Final = 5


class Aws:
    """`client_of` makes a boto3 client of the service that it is given: `boto3.Session().client`, or one that stands
    for it.
    """

    def __init__(
        self, client_of: Callable[[str], Any], *, account_id: str, region: str, partition: str = "aws"
    ) -> None:
        self.client_of = client_of
        self.account_id = account_id
        self.region = region
        self.partition = partition

    @cached_property
    def ecs(self) -> Ecs:
        return Ecs(self.client_of("ecs"))

    @cached_property
    def codedeploy(self) -> CodeDeploy:
        return CodeDeploy(self.client_of("codedeploy"))

    @cached_property
    def load_balancing(self) -> LoadBalancing:
        return LoadBalancing(self.client_of("elbv2"))

    @cached_property
    def scaling(self) -> Scaling:
        return Scaling(self.client_of("application-autoscaling"))

    @cached_property
    def alarms(self) -> Alarms:
        return Alarms(self.client_of("cloudwatch"))

    @cached_property
    def logs(self) -> Logs:
        return Logs(self.client_of("logs"))

    @cached_property
    def stacks(self) -> Stacks:
        return Stacks(self.client_of("cloudformation"))

    @cached_property
    def images(self) -> Ecr:
        return Ecr(self.client_of("ecr"), self.account_id)

    @cached_property
    def parameters(self) -> Parameters:
        return Parameters(self.client_of("ssm"))

    @cached_property
    def secrets(self) -> Secrets:
        return Secrets(self.client_of("secretsmanager"))

    @cached_property
    def identity(self) -> Identity:
        return Identity(self.client_of("sts"), lambda: self.client_of("iam"))

    @cached_property
    def locks(self) -> Locks:
        return Locks(self.client_of("dynamodb"))

    @cached_property
    def database(self) -> Database:
        return Database(self.client_of("rds-data"))

    @cached_property
    def lambdas(self) -> Lambdas:
        return Lambdas(self.client_of("lambda"))


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
