"""SQS without messages: the queues that there are, and their attributes."""

import hashlib
import hmac
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from aws_simulator.account import Account
from aws_simulator.service import Answer, Refused, Request, Service, UnsupportedOperation, find_or_refuse

DEFAULTS: Final[Mapping[str, str]] = {
    "VisibilityTimeout": "30",
    "MaximumMessageSize": "262144",
    "MessageRetentionPeriod": "345600",
    "DelaySeconds": "0",
    "ReceiveMessageWaitTimeSeconds": "0",
    "SqsManagedSseEnabled": "true",
    "ApproximateNumberOfMessages": "0",
    "ApproximateNumberOfMessagesNotVisible": "0",
    "ApproximateNumberOfMessagesDelayed": "0",
}


class Sqs(Service):
    """Attributes by name of the queue, as text, as SQS gives them. Tests set ApproximateNumberOfMessages here."""

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self.queues: dict[str, dict[str, str]] = {}

    def create_queue(self, request: Request) -> Answer:
        """Create a queue. Raises Refused: the queue exists with other attributes."""
        name, attributes = request["QueueName"], dict(request.get("Attributes", {}))
        known = self.queues.setdefault(name, {**DEFAULTS, **attributes, "QueueArn": self.arn(name)})
        if any(known.get(key) != value for key, value in attributes.items()):
            raise Refused("QueueAlreadyExists", "A queue already exists with the same name and a different value.")
        return {"QueueUrl": self.url(name)}

    def delete_queue(self, request: Request) -> Answer:
        del self.queues[self._name(request["QueueUrl"])]
        return {}

    def get_queue_url(self, request: Request) -> Answer:
        return {"QueueUrl": self.url(self._name(request["QueueName"]))}

    def get_queue_attributes(self, request: Request) -> Answer:
        queue = self.queues[self._name(request["QueueUrl"])]
        wanted = request.get("AttributeNames", [])
        return {"Attributes": {key: value for key, value in queue.items() if "All" in wanted or key in wanted}}

    def set_queue_attributes(self, request: Request) -> Answer:
        self.queues[self._name(request["QueueUrl"])].update(request["Attributes"])
        return {}

    def list_queues(self, request: Request) -> Answer:
        prefix = request.get("QueueNamePrefix", "")
        return {"QueueUrls": [self.url(name) for name in sorted(self.queues) if name.startswith(prefix)]}

    def iam_resources(self, operation: str, request: Request) -> tuple[str, ...]:
        name = request.get("QueueName") or request.get("QueueUrl", "").rpartition("/")[2]
        return (self.arn(name),) if name else ()

    def arn(self, name: str) -> str:
        return self.account.arn("sqs", name)

    def url(self, name: str) -> str:
        return f"https://sqs.{self.account.region}.amazonaws.com/{self.account.account_id}/{name}"

    def _name(self, url: str) -> str:
        name = url.rpartition("/")[2]
        code = "AWS.SimpleQueueService.NonExistentQueue"
        find_or_refuse(self.queues, name, code, "The specified queue does not exist.")
        return name


# Lambda: only whether the functions of hooks exist.


class Functions(Service):
    """Lambda's functions: those that a template or a test has set up to answer as hooks."""

    def get_function(self, request: Request) -> Answer:
        name = str(request["FunctionName"]).rpartition(":function:")[2]
        arn = self.account.arn("lambda", f"function:{name}")
        if self.account.hook(name) is None:
            raise Refused("ResourceNotFoundException", f"Function not found: {arn}", status=404)
        return {"Configuration": {"FunctionName": name, "FunctionArn": arn, "State": "Active"}}

    def iam_resources(self, operation: str, request: Request) -> tuple[str, ...]:
        name = str(request["FunctionName"]).rpartition(":function:")[2]
        return (self.account.arn("lambda", f"function:{name}"),)


# The RDS data API: it knows the statements for roles and schemas, and no other SQL.

MADE: Final = re.compile(r'CREATE (?P<kind>ROLE|SCHEMA) (?P<unless>IF NOT EXISTS )?"(?P<name>[^"]+)"')
ASKED: Final = {"pg_roles": "ROLE", "pg_namespace": "SCHEMA"}
SILENT: Final = ("ALTER ROLE ", "GRANT ", "REVOKE ")
PASSWORD: Final = re.compile(r"(?:CREATE|ALTER) ROLE \"(?P<role>[^\"]+)\" (?:LOGIN )?PASSWORD E?'(?P<password>[^']*)'")
VERIFIER: Final = re.compile(r"SCRAM-SHA-256\$(?P<iterations>\d+):(?P<salt>[^$]+)\$[^:]+:(?P<server_key>.+)")
"""The form in which PostgreSQL stores a password that it need not know (RFC 5803)."""


class RdsData(Service):
    """`statements` are those that were executed; `paused` counts the calls that find the database asleep; `verifiers`
    are those of the passwords of roles, each of which has one.
    """

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self.made: dict[str, list[str]] = {"ROLE": [], "SCHEMA": []}
        self.statements: list[str] = []
        self.verifiers: dict[str, str] = {}
        self.paused = 0

    def accepts(self, role: str, password: str) -> bool:
        """Return whether the role can log in with the password, which must be ASCII."""
        verifier = VERIFIER.fullmatch(self.verifiers.get(role, ""))
        if verifier is None:
            return False
        salt, iterations = b64decode(verifier["salt"]), int(verifier["iterations"])
        salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, iterations)
        return hmac.digest(salted, b"Server Key", "sha256") == b64decode(verifier["server_key"])

    def execute_statement(self, request: Request) -> Answer:
        sql = request["sql"]
        if self.paused:
            self.paused -= 1
            raise Refused("DatabaseResumingException", "The Aurora DB instance is resuming after being auto-paused.")
        self.statements.append(sql)
        if sql.startswith("SELECT"):
            return {"records": [[{"longValue": 1}]] if self._is_there(request) else []}
        if (given := PASSWORD.match(sql)) is not None:
            self.verifiers[given["role"]] = given["password"].replace(r"\x3a", ":")
        if (made := MADE.match(sql)) is not None:
            self._make(made)
        elif not sql.startswith(SILENT):
            raise UnsupportedOperation(f"the SQL {sql.split(maxsplit=2)[:2]}")
        return {"numberOfRecordsUpdated": 0}

    def iam_resources(self, operation: str, request: Request) -> tuple[str, ...]:
        return (request["resourceArn"],)

    def _is_there(self, request: Request) -> bool:
        (parameter,) = request["parameters"]
        kind = next(kind for table, kind in ASKED.items() if table in request["sql"])
        return parameter["value"]["stringValue"] in self.made[kind]

    def _make(self, made: re.Match[str]) -> None:
        names = self.made[made["kind"]]
        if made["name"] not in names:
            names.append(made["name"])
        elif not made["unless"]:
            raise Refused("DatabaseErrorException", f'ERROR: {made["kind"].lower()} "{made["name"]}" already exists')


# ElastiCache: the users of a cache, with one or two passwords.

PASSWORD_LENGTHS: Final = range(16, 129)
MODIFYING_SECONDS: Final = 20


@dataclass(slots=True, kw_only=True)
class CacheUser:
    name: str
    engine: str
    access: str
    passwords: list[str]
    active_at: datetime


class CacheUsers(Service):
    """Users by id. While one is modified, another change of it is refused.

    https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_ModifyUser.html
    """

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self.users: dict[str, CacheUser] = {}

    def create_user(self, request: Request) -> Answer:
        if request["UserId"] in self.users:
            raise Refused("UserAlreadyExists", f"User {request['UserId']} already exists.")
        self.users[request["UserId"]] = CacheUser(
            name=request["UserName"],
            engine=request["Engine"],
            access=request["AccessString"],
            passwords=self._passwords(request) or [],
            active_at=self.account.now(),
        )
        return self._shown(request["UserId"])

    def modify_user(self, request: Request) -> Answer:
        user = self._find(request["UserId"])
        if user.active_at > self.account.now():
            raise Refused("InvalidUserState", f"User {request['UserId']} is not in an active state.")
        passwords = self._passwords(request)
        if passwords is not None:
            user.passwords = passwords
        user.access = request.get("AccessString", user.access)
        user.active_at = self.account.now() + timedelta(seconds=MODIFYING_SECONDS)
        return self._shown(request["UserId"])

    def describe_users(self, request: Request) -> Answer:
        if "UserId" in request:
            self._find(request["UserId"])
        return {"Users": [self._shown(id) for id in sorted(self.users) if request.get("UserId", id) == id]}

    def iam_resources(self, operation: str, request: Request) -> tuple[str, ...]:
        return (self._arn(request.get("UserId", "*")),)

    def _passwords(self, request: Request) -> list[str] | None:
        """Return the passwords to set, None where none are given."""
        passwords = request.get("Passwords", request.get("AuthenticationMode", {}).get("Passwords"))
        if passwords is None:
            return None
        if not 1 <= len(set(passwords)) == len(passwords) <= 2:
            raise Refused("InvalidParameterValue", "A user has one or two different passwords.")
        if any(len(one) not in PASSWORD_LENGTHS for one in passwords):
            raise Refused("InvalidParameterValue", "Passwords length must be between 16-128 characters.")
        return list(passwords)

    def _find(self, user_id: str) -> CacheUser:
        return find_or_refuse(self.users, user_id, "UserNotFound", f"User {user_id} not found.", status=404)

    def _arn(self, user_id: str) -> str:
        return self.account.arn("elasticache", f"user:{user_id}")

    def _shown(self, user_id: str) -> Answer:
        user = self.users[user_id]
        return {
            "UserId": user_id,
            "UserName": user.name,
            "Status": "modifying" if user.active_at > self.account.now() else "active",
            "Engine": user.engine,
            "AccessString": user.access,
            "Authentication": {"Type": "password", "PasswordCount": len(user.passwords)},
            "ARN": self._arn(user_id),
        }


# STS: the caller's identity.


class Sts(Service):
    """`caller` is an ARN that tests may set, for instance to the session of a build's role."""

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self.caller = f"arn:aws:sts::{account.account_id}:assumed-role/developer/alice"

    def get_caller_identity(self, request: Request) -> Answer:
        session = self.caller.rpartition("/")[2]
        return {"UserId": f"AROAEXAMPLE:{session}", "Account": self.account.account_id, "Arn": self.caller}
