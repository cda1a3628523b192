"""Roles and policies, and the functions that a role is for."""

import json

from aws_simulator.account import Account
from aws_simulator.cloudformation.resources.handler import Handler, Json, Made, Wanted, call
from aws_simulator.iam import Iam


class Role(Handler):
    def create(self, wanted: Wanted) -> Made:
        name = wanted.name("RoleName")
        trust = json.dumps(wanted.properties["AssumeRolePolicyDocument"])
        path = wanted.properties.get("Path", "/")
        values = {"RoleName": name, "AssumeRolePolicyDocument": trust, "Path": path}
        made = call(wanted.account, "iam", "CreateRole", values)["Role"]
        self._put(wanted, name)
        return Made(physical_id=name, attributes={"Arn": made["Arn"], "RoleId": made["RoleId"]})

    def update(self, wanted: Wanted, made: Made, before: Json) -> Made:
        trust = json.dumps(wanted.properties["AssumeRolePolicyDocument"])
        values = {"RoleName": made.physical_id, "PolicyDocument": trust}
        call(wanted.account, "iam", "UpdateAssumeRolePolicy", values)
        role = wanted.account.service(Iam).find(made.physical_id)
        for policy in before.get("Policies", []):
            role.policies.pop(policy["PolicyName"], None)
        self._put(wanted, made.physical_id)
        return made

    def delete(self, account: Account, made: Made, properties: Json) -> None:
        call(account, "iam", "DeleteRole", {"RoleName": made.physical_id})

    def _put(self, wanted: Wanted, name: str) -> None:
        role = wanted.account.service(Iam).find(name)
        role.managed = list(wanted.properties.get("ManagedPolicyArns", []))
        role.policies |= {one["PolicyName"]: one["PolicyDocument"] for one in wanted.properties.get("Policies", [])}


class Policy(Handler):
    """Inline, of each of the roles that it names."""

    def create(self, wanted: Wanted) -> Made:
        self._put(wanted)
        return Made(physical_id=f"{wanted.stack}-{wanted.logical_id}"[:64], attributes={})

    def update(self, wanted: Wanted, made: Made, before: Json) -> Made:
        self.delete(wanted.account, made, before)
        self._put(wanted)
        return made

    def delete(self, account: Account, made: Made, properties: Json) -> None:
        for role in properties["Roles"]:
            account.service(Iam).find(role).policies.pop(properties["PolicyName"], None)

    def _put(self, wanted: Wanted) -> None:
        for role in wanted.properties["Roles"]:
            policies = wanted.account.service(Iam).find(role).policies
            policies[wanted.properties["PolicyName"]] = wanted.properties["PolicyDocument"]


class Function(Handler):
    """What it answers to CodeDeploy is for the test to say; made here, it finds nothing wrong."""

    def create(self, wanted: Wanted) -> Made:
        name = wanted.name("FunctionName")
        if wanted.account.hook(name) is None:
            wanted.account.set_hook(name)
        return Made(physical_id=name, attributes={"Arn": wanted.account.arn("lambda", f"function:{name}")})

    def delete(self, account: Account, made: Made, properties: Json) -> None:
        account.hooks.pop(made.physical_id, None)
