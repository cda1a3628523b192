"""Secrets Manager: secrets are found by name, by ARN, or by the ARN without its last six characters."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from aws_simulator.account import Account
from aws_simulator.service import Answer, Paging, Refused, Request, Service, find_or_refuse, without_none

SECRETS_PER_PAGE: Final = 100
PAGES: Final = Paging(
    marker="NextToken", next_marker="NextToken", size="MaxResults", invalid="InvalidNextTokenException"
)


CURRENT: Final = "AWSCURRENT"
PREVIOUS: Final = "AWSPREVIOUS"
MAX_BYTES: Final = 65_536
"""Of a secret's value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One value of a secret, with its staging labels."""

    id: str
    value: str
    created: datetime
    stages: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A secret with its versions: none where it was created without a value. `deleted` is when it goes permanently."""

    name: str
    arn: str
    description: str
    created: datetime
    changed: datetime
    deleted: datetime | None = None
    versions: tuple[Version, ...] = ()

    @property
    def value(self) -> str | None:
        """Return the current value; None where there is none."""
        return next((one.value for one in self.versions if CURRENT in one.stages), None)


class SecretsManager(Service):
    """Secrets by name. A deleted secret is kept, and refused as one that is marked for deletion.

    https://docs.aws.amazon.com/secretsmanager/latest/userguide/manage_delete-secret.html
    """

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self.secrets: dict[str, Secret] = {}

    def put(self, name: str, value: str | None, description: str = "") -> Secret:
        """Create the secret, or give it another value."""
        now = self.account.now()
        known = self.secrets.get(name)
        if known is None:
            arn = self.account.arn("secretsmanager", f"secret:{name}-{suffix(name)}")
            known = Secret(name=name, arn=arn, description=description, created=now, changed=now)
        versions = known.versions if value is None else self._with_version(known, self._token(), value, {CURRENT})
        self.secrets[name] = replace(known, description=description, changed=now, versions=versions)
        return self.secrets[name]

    def _token(self) -> str:
        return self.account.hexadecimal_id("secret version")

    def _with_version(self, secret: Secret, token: str, value: str, stages: set[str]) -> tuple[Version, ...]:
        """Return the versions with another one. A label moves to it, and AWSPREVIOUS to what was AWSCURRENT."""
        kept: list[Version] = []
        for one in secret.versions:
            left = one.stages - stages - ({PREVIOUS} if CURRENT in stages else set())
            before = {PREVIOUS} if CURRENT in one.stages & stages else set()
            kept.append(replace(one, stages=left | before))
        made = Version(id=token, value=value, created=self.account.now(), stages=frozenset(stages))
        return (*kept, made)

    def generate(self, name: str, wanted: Mapping[str, Any], description: str = "") -> Secret:
        """Return a generated value (CloudFormation's GenerateSecretString) that is the same in every run."""
        password = hashlib.sha512(name.encode()).hexdigest()[: wanted.get("PasswordLength", 32)]
        key = wanted.get("GenerateStringKey")
        if key is None:
            return self.put(name, password, description)
        values = json.loads(wanted.get("SecretStringTemplate", "{}"))
        return self.put(name, json.dumps({**values, key: password}), description)

    def create_secret(self, request: Request) -> Answer:
        if request["Name"] in self.secrets:
            message = f"The operation failed because the secret {request['Name']} already exists."
            raise Refused("ResourceExistsException", message)
        secret = self.put(request["Name"], request.get("SecretString"), request.get("Description", ""))
        return {"ARN": secret.arn, "Name": secret.name}

    def put_secret_value(self, request: Request) -> Answer:
        """Add a version with labels. The same token with the same value adds none.

        https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
        """
        secret, value = self.find(request["SecretId"]), request["SecretString"]
        token, stages = request.get("ClientRequestToken") or self._token(), set(request.get("VersionStages", [CURRENT]))
        if len(value.encode()) > MAX_BYTES:
            raise Refused("InvalidParameterException", f"The secret value must be at most {MAX_BYTES} bytes.")
        known = next((one for one in secret.versions if one.id == token), None)
        if known is not None and known.value != value:
            message = "You can't use ClientRequestToken again with a different value: the version already exists."
            raise Refused("ResourceExistsException", message)
        if known is None:
            versions = self._with_version(secret, token, value, stages)
            changed = replace(secret, changed=self.account.now(), versions=versions)
            self.secrets[secret.name] = changed
        return {"ARN": secret.arn, "Name": secret.name, "VersionId": token, "VersionStages": sorted(stages)}

    def list_secret_version_ids(self, request: Request) -> Answer:
        """List the versions that have labels, in no order: https://docs.aws.amazon.com/secretsmanager/latest/
        apireference/API_ListSecretVersionIds.html
        """
        secret = self.find(request["SecretId"])
        shown = [one for one in secret.versions if one.stages or request.get("IncludeDeprecated")]
        answer = PAGES.answer(
            "Versions", sorted(shown, key=lambda one: one.id), request, SECRETS_PER_PAGE, shown_version
        )
        return answer | {"ARN": secret.arn, "Name": secret.name}

    def update_secret_version_stage(self, request: Request) -> Answer:
        """Move or remove a label. AWSCURRENT can only be moved."""
        secret, label = self.find(request["SecretId"]), request["VersionStage"]
        source, target = request.get("RemoveFromVersionId"), request.get("MoveToVersionId")
        holder = next((one.id for one in secret.versions if label in one.stages), None)
        if holder != source:
            message = f"The staging label {label} is not attached to the version {source}: it is attached to {holder}."
            raise Refused("InvalidParameterException", message)
        if label == CURRENT and target is None:
            raise Refused("InvalidParameterException", "You can't remove the label AWSCURRENT; move it to a version.")
        versions = tuple(
            replace(one, stages=one.stages - {label} | ({label} if one.id == target else set()))
            for one in secret.versions
        )
        changed = replace(secret, versions=versions, changed=self.account.now())
        self.secrets[secret.name] = changed
        return {"ARN": secret.arn, "Name": secret.name}

    def describe_secret(self, request: Request) -> Answer:
        return description_of(self.find(request["SecretId"], with_deleted=True))

    def get_secret_value(self, request: Request) -> Answer:
        secret = self.find(request["SecretId"])
        if secret.value is None:
            message = "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT"
            raise Refused("ResourceNotFoundException", message)
        return {
            "ARN": secret.arn,
            "Name": secret.name,
            "SecretString": secret.value,
            "VersionStages": [CURRENT],
            "CreatedDate": secret.changed,
        }

    def list_secrets(self, request: Request) -> Answer:
        """List secrets in pages; the only filter is `name`, which compares beginnings."""
        prefixes = [
            value for one in request.get("Filters", []) if one["Key"] == "name" for value in one.get("Values", [])
        ]
        found = [
            secret
            for name, secret in sorted(self.secrets.items())
            if secret.deleted is None and (not prefixes or name.startswith(tuple(prefixes)))
        ]
        return PAGES.answer("SecretList", found, request, SECRETS_PER_PAGE, listing_of)

    def delete_secret(self, request: Request) -> Answer:
        secret = self.find(request["SecretId"])
        now = self.account.now()
        self.secrets[secret.name] = replace(secret, deleted=now)
        return {"ARN": secret.arn, "Name": secret.name, "DeletionDate": now}

    def iam_resources(self, operation: str, request: Request) -> tuple[str, ...]:
        secret_id = request.get("SecretId", request.get("Name"))
        if secret_id is None or secret_id.startswith("arn:"):
            return super().iam_resources(operation, request)
        return (self.account.arn("secretsmanager", f"secret:{secret_id}-{suffix(secret_id)}"),)

    def find(self, secret_id: str, *, with_deleted: bool = False) -> Secret:
        """Return a secret. Raises Refused: it does not exist or is being deleted."""
        name = secret_id.partition(":secret:")[2] if secret_id.startswith("arn:") else secret_id
        named = self.secrets.get(name) or next((one for one in self.secrets.values() if one.arn == secret_id), None)
        if named is None:
            raise Refused("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
        if named.deleted is not None and not with_deleted:
            message = "You can't perform this operation on the secret because it was marked for deletion."
            raise Refused("InvalidRequestException", message)
        return named


def suffix(name: str) -> str:
    """Return the six characters that AWS adds."""
    return hashlib.sha256(name.encode()).hexdigest()[:6]


def description_of(secret: Secret) -> dict[str, Any]:
    """Return a secret as DescribeSecret does."""
    members = {
        "ARN": secret.arn,
        "Name": secret.name,
        "Description": secret.description,
        "CreatedDate": secret.created,
        "LastChangedDate": secret.changed,
        "DeletedDate": secret.deleted,
        "VersionIdsToStages": {one.id: sorted(one.stages) for one in secret.versions if one.stages} or None,
    }
    return without_none(members)


def listing_of(secret: Secret) -> dict[str, Any]:
    """Return a secret as ListSecrets does, which has another name for the versions."""
    described = description_of(secret)
    versions = described.pop("VersionIdsToStages", None)
    return without_none({**described, "SecretVersionsToStages": versions})


def shown_version(version: Version) -> dict[str, Any]:
    """Return a version as ListSecretVersionIds does."""
    members = {"VersionId": version.id, "VersionStages": sorted(version.stages), "CreatedDate": version.created}
    return {key: value for key, value in members.items() if value}


# Systems Manager's Parameter Store.

PARAMETERS_PER_PAGE: Final = 10
"""The page size of GetParametersByPath."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """The newest version of a parameter."""

    name: str
    type: str
    value: str
    version: int
    modified: datetime


class Ssm(Service):
    """Parameters by name. SecureString values are kept as they are, and shown only with `WithDecryption`."""

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self.parameters: dict[str, Parameter] = {}

    def put(self, name: str, value: str, kind: str = "String") -> Parameter:
        """Create the parameter, or give it another value and version."""
        known = self.parameters.get(name)
        self.parameters[name] = Parameter(
            name=name,
            type=kind,
            value=value,
            version=1 if known is None else known.version + 1,
            modified=self.account.now(),
        )
        return self.parameters[name]

    def put_parameter(self, request: Request) -> Answer:
        name = request["Name"]
        if name in self.parameters and not request.get("Overwrite", False):
            message = "The parameter already exists. To overwrite this value, set the overwrite option in the request"
            raise Refused("ParameterAlreadyExists", f"{message} to true.")
        kind = request.get("Type") or (self.parameters[name].type if name in self.parameters else "String")
        return {"Version": self.put(name, request["Value"], kind).version, "Tier": request.get("Tier", "Standard")}

    def get_parameter(self, request: Request) -> Answer:
        found = find_or_refuse(self.parameters, self._name(request["Name"]), "ParameterNotFound", "")
        return {"Parameter": self._shown(found, request)}

    def get_parameters(self, request: Request) -> Answer:
        named = {name: self.parameters.get(self._name(name)) for name in request["Names"]}
        missing = [name for name, found in named.items() if found is None]
        shown: Answer = {"Parameters": [self._shown(found, request) for found in named.values() if found is not None]}
        # AWS's model allows no empty list of them.
        return shown | {"InvalidParameters": missing} if missing else shown

    def get_parameters_by_path(self, request: Request) -> Answer:
        """Return the parameters below a path, in pages of ten.

        https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParametersByPath.html
        """
        path = request["Path"].rstrip("/") + "/"
        recursive = request.get("Recursive", False)
        below = [
            self._shown(parameter, request)
            for name, parameter in sorted(self.parameters.items())
            if name.startswith(path) and (recursive or "/" not in name.removeprefix(path))
        ]
        return PAGES.answer("Parameters", below, request, PARAMETERS_PER_PAGE)

    def delete_parameter(self, request: Request) -> Answer:
        if self.parameters.pop(request["Name"], None) is None:
            raise Refused("ParameterNotFound", "")
        return {}

    def values_of(self, names: Iterable[str]) -> dict[str, str]:
        """Return values by name, without missing ones."""
        return {name: self.parameters[name].value for name in names if name in self.parameters}

    def iam_resources(self, operation: str, request: Request) -> tuple[str, ...]:
        named = request.get("Names") or [request[key] for key in ("Name", "Path") if key in request]
        return tuple(self._arn(self._name(name)) for name in named)

    def _arn(self, name: str) -> str:
        return self.account.arn("ssm", f"parameter/{name.removeprefix('/')}")

    def _name(self, name: str) -> str:
        """Return the name of a parameter, which may be given by ARN."""
        return "/" + name.partition(":parameter/")[2] if name.startswith("arn:") else name

    def _shown(self, parameter: Parameter, request: Request) -> Answer:
        secret = parameter.type == "SecureString" and not request.get("WithDecryption", False)
        shown = replace(parameter, value=f"encrypted:{parameter.version}") if secret else parameter
        return {
            "Name": shown.name,
            "Type": shown.type,
            "Value": shown.value,
            "Version": shown.version,
            "LastModifiedDate": shown.modified,
            "ARN": self._arn(shown.name),
            "DataType": "text",
        }
