"""The gateways of one account and region. Each boto3 client is created on its first use."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from platform_sdk.deploy.aws import NO_RETRY, AccessDenied, AwsCallFailed, Client, NotFound, Retry, in_batches, utc
from platform_sdk.deploy.aws.cloudformation import Stacks
from platform_sdk.deploy.aws.cloudwatch import Alarms, Logs
from platform_sdk.deploy.aws.codedeploy import CodeDeploy, Lambdas
from platform_sdk.deploy.aws.dynamodb_locks import Locks
from platform_sdk.deploy.aws.ecr import Ecr
from platform_sdk.deploy.aws.ecs import Ecs
from platform_sdk.deploy.aws.load_balancing import LoadBalancing, Scaling
from platform_sdk.deploy.aws.sqs import Sqs

# Parameter Store, where stacks store values for each other, and Secrets Manager.

# docs.aws.amazon.com/systems-manager/latest/APIReference: the most names in one GetParameters.
PARAMETERS: Final = 10


class Parameters:
    """Names are full, `/platform/staging/cluster/name`. No secret is read: values are of type String and StringList.
    Every method raises AwsCallFailed.
    """

    def __init__(self, client: Client) -> None:
        self.client = client

    def values(self, names: Sequence[str]) -> dict[str, str]:
        """Return parameters by name, without those that do not exist."""
        return {
            each["Name"]: each["Value"]
            for batch in in_batches(names, PARAMETERS)
            for each in self.client.call("get_parameters", f"read the parameters {', '.join(batch)}", Names=batch)[
                "Parameters"
            ]
        }

    def changed_at(self, names: Sequence[str]) -> dict[str, datetime]:
        """Return when parameters got their values, by name, without those that do not exist. No value is decrypted."""
        return {
            each["Name"]: utc(each["LastModifiedDate"])
            for batch in in_batches(names, PARAMETERS)
            for each in self.client.call("get_parameters", f"look for the parameters {', '.join(batch)}", Names=batch)[
                "Parameters"
            ]
        }

    def put_secret(self, name: str, value: str) -> None:
        """Create a SecureString, or give it another value."""
        purpose = f"write the parameter {name}"
        self.client.call("put_parameter", purpose, Name=name, Value=value, Type="SecureString", Overwrite=True)

    def under(self, path: str) -> dict[str, str]:
        """Return all parameters below a path such as `/platform/staging`, by name."""
        purpose = f"read the parameters below {path}"
        return {
            each["Name"]: each["Value"]
            for page in self.client.pages("get_parameters_by_path", purpose, Path=path, Recursive=True)
            for each in page["Parameters"]
        }


# Secrets Manager: secrets, their values and versions.

CURRENT: Final = "AWSCURRENT"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretVersion:
    """The value that tasks read now: since when, and its staging labels."""

    id: str
    created_at: datetime
    labels: frozenset[str]


class Secrets:
    """The calls of Secrets Manager, by name or ARN. All raise AwsCallFailed, and no error contains a value."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def exists(self, name: str) -> bool:
        """Return whether a secret exists. One that is marked for deletion cannot be read, so it does not count."""
        try:
            answer = self.client.call("describe_secret", f"look for the secret {name}", SecretId=name)
        except NotFound:
            return False
        return "DeletedDate" not in answer

    def current(self, name: str) -> SecretVersion | None:
        """Return None where there is no such secret, it is marked for deletion, or it has no value."""
        purpose = f"read the versions of the secret {name}"
        try:
            # Those with labels, of which a secret has at most twenty; botocore cannot page this operation.
            answer = self.client.call("list_secret_version_ids", purpose, SecretId=name, MaxResults=100)
        except NotFound:
            return None
        except AwsCallFailed as error:
            # A secret that is marked for deletion.
            if error.code == "InvalidRequestException":
                return None
            raise
        versions = answer["Versions"]
        return next((_version_of(each) for each in versions if CURRENT in each.get("VersionStages", ())), None)

    def create(self, name: str, value: str, *, token: str) -> None:
        self.client.call(
            "create_secret", f"create the secret {name}", Name=name, SecretString=value, ClientRequestToken=token
        )

    def put(self, name: str, value: str, *, token: str, label: str = "") -> None:
        """Give a secret another value, which tasks that start from now on read.

        Args:
            token: of 32 to 64 characters. With the same one the value is written once, however often this is called.
            label: marks this version, and no other.
        """
        self.client.call(
            "put_secret_value",
            f"write the secret {name}",
            SecretId=name,
            SecretString=value,
            ClientRequestToken=token,
            VersionStages=[CURRENT, *([label] if label else [])],
        )

    def remove_label(self, name: str, label: str, *, version: str) -> None:
        self.client.call(
            "update_secret_version_stage",
            f"remove the label {label} of the secret {name}",
            SecretId=name,
            VersionStage=label,
            RemoveFromVersionId=version,
        )

    def keys(self, name: str) -> set[str] | None:
        """Return the keys of a secret with a JSON object, none of another; None where the caller may not read it.

        Raises:
            NotFound
        """
        try:
            return set(self.fields(name))
        except AccessDenied:
            return None

    def field(self, name: str, key: str) -> str:
        """Return one value of a secret with a JSON object.

        Raises:
            NotFound: there is no such secret, or it has no such key.
        """
        fields = self.fields(name)
        if key not in fields:
            raise NotFound(f"the secret {name} has no key `{key}`", hint="give the secret its value as a JSON object")
        return fields[key]

    def fields(self, name: str) -> dict[str, str]:
        """Return the values of a secret with a JSON object, or nothing if it holds something else.

        Raises:
            NotFound: there is no such secret, or it is marked for deletion.
        """
        try:
            answer = self.client.call("get_secret_value", f"read the secret {name}", SecretId=name)
        except AwsCallFailed as error:
            # A secret that is marked for deletion: InvalidRequestException.
            if error.code == "InvalidRequestException":
                raise NotFound(error.what, because=error.because, hint=error.hint, code=error.code) from None
            raise
        try:
            found = json.loads(answer.get("SecretString", ""))
        except ValueError:
            return {}
        return {key: str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def _version_of(found: Any) -> SecretVersion:
    return SecretVersion(
        id=found["VersionId"], created_at=utc(found["CreatedDate"]), labels=frozenset(found["VersionStages"])
    )


# The users of the cache.


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheUser:
    """A user of the cache. `is_active` says that its last change has reached the cache."""

    is_active: bool
    passwords: int


class CacheUsers:
    """The users of the cache in ElastiCache, by id. All raise AwsCallFailed, and no error contains a password."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def user(self, id: str) -> CacheUser:
        """Return a user. Raises AwsCallFailed with the code UserNotFound where there is none."""
        answer = self.client.call("describe_users", f"read the cache's user {id}", UserId=id)
        found = answer["Users"][0]
        return CacheUser(is_active=found["Status"] == "active", passwords=found["Authentication"]["PasswordCount"])

    def set_passwords(self, id: str, passwords: Sequence[str]) -> None:
        """Let the cache accept these passwords, one or two, and no other.

        docs.aws.amazon.com/AmazonElastiCache/latest/APIReference, "ModifyUser".
        """
        self.client.call(
            "modify_user", f"change the passwords of the cache's user {id}", UserId=id, Passwords=list(passwords)
        )


# The caller, and its permissions.

ASSUMED_ROLE: Final = re.compile(r"arn:(?P<partition>[\w-]+):sts::(?P<account>\d{12}):assumed-role/(?P<role>[^/]+)/.+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A user, or a role's session: `arn:aws:sts::111122223333:assumed-role/<role>/<session>`."""

    arn: str
    account_id: str


class Identity:
    """The calls of STS and IAM about the caller. All raise AwsCallFailed."""

    def __init__(self, client: Client, iam_client: Client) -> None:
        self.client = client
        self.iam_client = iam_client

    def caller(self) -> Caller:
        """Return who the credentials belong to. STS answers without any permission (GetCallerIdentity)."""
        answer = self.client.call("get_caller_identity", "find out who calls AWS")
        return Caller(arn=answer["Arn"], account_id=answer["Account"])

    def may_pass(self, role_arn: str, *, by: str, to: str) -> bool | None:
        """Return whether `by`, an ARN of a user, role or session, may pass a role to a service such as
        `ecs-tasks.amazonaws.com`. None if the caller may not check that, or IAM does not find `by`.
        """
        try:
            answer = self.iam_client.call(
                "simulate_principal_policy",
                f"find out whether {role_arn} may be passed",
                PolicySourceArn=principal_of(by),
                ActionNames=["iam:PassRole"],
                ResourceArns=[role_arn],
                ContextEntries=[
                    {"ContextKeyName": "iam:PassedToService", "ContextKeyValues": [to], "ContextKeyType": "string"}
                ],
            )
        except AccessDenied:
            return None
        except AwsCallFailed as error:
            # A session's ARN does not contain the path of its role, and IAM does not find a role without its path.
            if error.code in ("NoSuchEntity", "InvalidInput"):
                return None
            raise
        return all(each["EvalDecision"] == "allowed" for each in answer["EvaluationResults"])


def principal_of(arn: str) -> str:
    """Return the role of a session, which IAM knows, and any other ARN unchanged."""
    session = ASSUMED_ROLE.fullmatch(arn)
    return f"arn:{session['partition']}:iam::{session['account']}:role/{session['role']}" if session else arn


# The RDS Data API: SQL for a cluster in a private network, without a connection.


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
        """Run a statement and return its rows.

        Args:
            purpose: completes "could not …"; the SQL is never shown, because it may hold a password.
            secret_arn: of the user and password to use.
            parameters: the texts for `:name` in the SQL.
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


if TYPE_CHECKING:
    from platform_sdk.deploy.environment import Environment

CONNECT_SECONDS: Final = 5
READ_SECONDS: Final = 30
ATTEMPTS: Final = 5


class Aws:
    """One gateway for each service of AWS that the deploy half calls.

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
        self.ecs = Ecs(self.client("ecs"))
        self.codedeploy = CodeDeploy(self.client("codedeploy"))
        self.load_balancing = LoadBalancing(self.client("elbv2"))
        self.scaling = Scaling(self.client("application-autoscaling"))
        self.alarms = Alarms(self.client("cloudwatch"))
        self.logs = Logs(self.client("logs"))
        self.stacks = Stacks(self.client("cloudformation"))
        self.images = Ecr(self.client("ecr"), account_id)
        self.parameters = Parameters(self.client("ssm"))
        self.secrets = Secrets(self.client("secretsmanager"))
        self.identity = Identity(self.client("sts"), self.client("iam"))
        self.locks = Locks(self.client("dynamodb"))
        self.database = Database(self.client("rds-data"))
        self.sqs = Sqs(self.client("sqs"), account_id)
        self.lambdas = Lambdas(self.client("lambda"))
        self.cache_users = CacheUsers(self.client("elasticache"))

    def with_retries(self, retry: Retry) -> "Aws":
        """Return gateways over the same clients, with another retry policy."""
        return Aws(
            self.client_of, account_id=self.account_id, region=self.region, partition=self.partition, retry=retry
        )

    def client(self, service: str) -> Client:
        return Client(lambda: self.client_of(service), self.retry)


def connect(environment: "Environment") -> Aws:
    """Return gateways to AWS with the caller's credentials, or to the environment's endpoint, which never sees a
    developer's keys. Nothing is called yet.
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
