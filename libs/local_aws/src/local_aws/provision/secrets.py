"""The secrets that task definitions refer to: made up once, kept in the state folder, put where AWS would hold them."""

import json
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from local_aws.aws_api import AwsApi
from local_aws.errors import AwsCallFailed
from local_aws.runners.process import AppContainer
from local_aws.runners.secrets import ParameterReference, SecretsManagerReference, parse_reference
from local_aws.state import StateFolder

_FILE = "secrets.json"


class SecretStore:
    """Values by AWS name, for example `platform/local/orders/database`; JSON secrets hold an object.

    They are kept here because the AWS API on the laptop forgets what it was told when it is killed.
    """

    def __init__(self, folder: StateFolder) -> None:
        self._folder = folder
        self._values: dict[str, str] = folder.read(_FILE)

    def complete(
        self, containers: Iterable[AppContainer], *, kinds: Mapping[str, str], given: Mapping[str, str]
    ) -> None:
        """Makes up every value that a container refers to and that is not there yet.

        Args:
            kinds: secret name without `platform/<environment>/` to `password` or `ed25519_private_key`.
            given: variable names whose value is known, for example of an outside server.
        """
        for container in containers:
            for variable, text in container.secrets.items():
                self._complete(parse_reference(text), variable, kinds, given)
        self._folder.write(_FILE, self._values)

    def password_of(self, name: str, json_key: str) -> str:
        return str(json.loads(self._values[name])[json_key])

    def put(self, aws: AwsApi) -> None:
        """Creates or corrects every secret and parameter at the AWS endpoint."""
        for name, value in self._values.items():
            if name.startswith("/"):
                aws.call("ssm", "PutParameter", Name=name, Value=value, Type="SecureString", Overwrite=True)
            else:
                _put_secret(aws, name, value)

    def _complete(
        self,
        reference: SecretsManagerReference | ParameterReference,
        variable: str,
        kinds: Mapping[str, str],
        given: Mapping[str, str],
    ) -> None:
        name = reference.name
        kind = kinds.get("/".join(name.strip("/").split("/")[2:]), "password")
        if isinstance(reference, ParameterReference) or reference.json_key is None:
            if variable in given or name not in self._values:
                self._values[name] = given.get(variable) or _make_up(kind)
            return
        document: dict[str, Any] = json.loads(self._values.get(name, "{}"))
        if variable in given or reference.json_key not in document:
            document[reference.json_key] = given.get(variable) or _make_up(kind)
        self._values[name] = json.dumps(document)


def _make_up(kind: str) -> str:
    return ed25519_private_key() if kind == "ed25519_private_key" else secrets.token_urlsafe(24)


def ed25519_private_key() -> str:
    """A new private key, PKCS #8 in PEM."""
    # Needed once in the life of a state folder, so not at every start.
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _put_secret(aws: AwsApi, name: str, value: str) -> None:
    try:
        aws.call("secretsmanager", "CreateSecret", Name=name, SecretString=value)
    except AwsCallFailed as error:
        if error.code != "ResourceExistsException":
            raise
        if aws.call("secretsmanager", "GetSecretValue", SecretId=name)["SecretString"] != value:
            aws.call("secretsmanager", "PutSecretValue", SecretId=name, SecretString=value)
