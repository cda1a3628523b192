"""IAM's roles with their inline policies, and SimulatePrincipalPolicy.

Documents are kept as given. AWS's managed policies are known by ARN only; they are not evaluated.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from aws_simulator.account import Account
from aws_simulator.policies import Document, is_allowed, listed
from aws_simulator.service import Answer, Refused, Request, Service, find_or_refuse


@dataclass(slots=True, kw_only=True)
class Role:
    """`policies` are the inline ones, by name; `managed` are ARNs."""

    name: str
    arn: str
    role_id: str
    trust: Document
    created: datetime
    path: str = "/"
    policies: dict[str, Document] = field(default_factory=dict)
    managed: list[str] = field(default_factory=list)


class Iam(Service):
    """Roles. Policies are simulated on request; no call of the simulator is refused for want of a permission."""

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self.roles: dict[str, Role] = {}

    def create_role(self, request: Request) -> Answer:
        """Create a role from a trust policy as text."""
        name, path = request["RoleName"], request.get("Path", "/")
        if name in self.roles:
            raise Refused("EntityAlreadyExists", f"Role with name {name} already exists.", status=409)
        role = Role(
            name=name,
            arn=self.account.arn("iam", f"role{path}{name}", regional=False),
            role_id=f"AROA{len(self.roles) + 1:017d}",
            trust=json.loads(request["AssumeRolePolicyDocument"]),
            created=self.account.now(),
            path=path,
        )
        self.roles[name] = role
        return {"Role": description_of(role)}

    def update_assume_role_policy(self, request: Request) -> Answer:
        self.find(request["RoleName"]).trust = json.loads(request["PolicyDocument"])
        return {}

    def delete_role(self, request: Request) -> Answer:
        del self.roles[self.find(request["RoleName"]).name]
        return {}

    def put_role_policy(self, request: Request) -> Answer:
        role = self.find(request["RoleName"])
        role.policies[request["PolicyName"]] = json.loads(request["PolicyDocument"])
        return {}

    def delete_role_policy(self, request: Request) -> Answer:
        self._policy(request)
        del self.find(request["RoleName"]).policies[request["PolicyName"]]
        return {}

    def get_role(self, request: Request) -> Answer:
        return {"Role": description_of(self.find(request["RoleName"]))}

    def list_role_policies(self, request: Request) -> Answer:
        return {"PolicyNames": sorted(self.find(request["RoleName"]).policies), "IsTruncated": False}

    def get_role_policy(self, request: Request) -> Answer:
        return {
            "RoleName": request["RoleName"],
            "PolicyName": request["PolicyName"],
            "PolicyDocument": encoded(self._policy(request)),
        }

    def list_attached_role_policies(self, request: Request) -> Answer:
        managed = self.find(request["RoleName"]).managed
        attached = [{"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn} for arn in managed]
        return {"AttachedPolicies": attached, "IsTruncated": False}

    def simulate_principal_policy(self, request: Request) -> Answer:
        """Simulate every action on every resource; without resources, on `*`."""
        name = request["PolicySourceArn"].rpartition("/")[2]
        documents = [*self.documents(name), *map(json.loads, request.get("PolicyInputList", []))]
        context = {entry["ContextKeyName"]: entry["ContextKeyValues"] for entry in request.get("ContextEntries", [])}
        results = [
            {
                "EvalActionName": action,
                "EvalResourceName": resource,
                "EvalDecision": is_allowed(documents, action, resource, context).decision,
                "MatchedStatements": [],
                "MissingContextValues": sorted(missing(documents, context)),
            }
            for action in request["ActionNames"]
            for resource in request.get("ResourceArns", ["*"])
        ]
        return {"EvaluationResults": results, "IsTruncated": False}

    def documents(self, role: str) -> list[Document]:
        """Return the inline policies of a role, for `policies.is_allowed`."""
        return list(self.find(role).policies.values())

    def lets_in(self, role_arn: str, service: str) -> bool:
        """Return whether the role exists and a service such as `cloudformation.amazonaws.com` may assume it."""
        role = next((one for one in self.roles.values() if one.arn == role_arn), None)
        trusted = [] if role is None else listed(role.trust.get("Statement", []))
        return any(
            one["Effect"] == "Allow" and service in listed(one.get("Principal", {}).get("Service", []))
            for one in trusted
        )

    def iam_resources(self, operation: str, request: Request) -> tuple[str, ...]:
        if "RoleName" not in request:
            return super().iam_resources(operation, request)
        return (self.account.arn("iam", f"role/{request['RoleName']}", regional=False),)

    def find(self, name: str) -> Role:
        """Return a role. Raises Refused: NoSuchEntity."""
        message = f"The role with name {name} cannot be found."
        return find_or_refuse(self.roles, name, "NoSuchEntity", message, status=404)

    def _policy(self, request: Request) -> Document:
        name = request["PolicyName"]
        message = f"The role policy with name {name} cannot be found."
        return find_or_refuse(self.find(request["RoleName"]).policies, name, "NoSuchEntity", message, status=404)


def missing(documents: Iterable[Document], context: Mapping[str, Any]) -> set[str]:
    """Return condition keys that the documents use and the caller left out."""
    asked = {
        key
        for document in documents
        for statement in listed(document.get("Statement", []))
        for block in statement.get("Condition", {}).values()
        for key in block
    }
    return asked - set(context)


def encoded(document: Document) -> str:
    """Encode a document as on the wire; botocore decodes it."""
    return quote(json.dumps(document))


def description_of(role: Role) -> dict[str, Any]:
    """Return a role as GetRole does."""
    return {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.role_id,
        "Arn": role.arn,
        "CreateDate": role.created,
        "AssumeRolePolicyDocument": encoded(role.trust),
    }
