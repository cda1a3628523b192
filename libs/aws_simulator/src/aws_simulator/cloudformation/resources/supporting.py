"""Resources that keep data: parameters, secrets, repositories, queues, tables; and roles, functions, alarms, logs."""

import json
import re
from typing import Any, Final

from aws_simulator.account import Account
from aws_simulator.cloudformation.resources.handler import Handler, Json, Made, Wanted, call, text_of
from aws_simulator.iam import Iam
from aws_simulator.secrets_and_parameters import SecretsManager, Ssm
from aws_simulator.service import Refused
from aws_simulator.small_services import Sqs

DYNAMIC_REFERENCE: Final = re.compile(r"\{\{resolve:secretsmanager:(.+?):SecretString:([\w-]+)\}\}")
NOT_ATTRIBUTES: Final = ("QueueName", "Tags", "FifoQueue")


class Parameter(Handler):
    def create(self, wanted: Wanted) -> Made:
        name = wanted.name("Name")
        if name in wanted.account.service(Ssm).parameters:
            raise Refused("ParameterAlreadyExists", f"{name} already exists.")
        self._put(wanted, name)
        return Made(physical_id=name, attributes={"Value": str(wanted.properties["Value"])})

    def update(self, wanted: Wanted, made: Made, before: Json) -> Made:
        self._put(wanted, made.physical_id)
        return Made(physical_id=made.physical_id, attributes={"Value": str(wanted.properties["Value"])})

    def delete(self, account: Account, made: Made, properties: Json) -> None:
        call(account, "ssm", "DeleteParameter", {"Name": made.physical_id})

    def _put(self, wanted: Wanted, name: str) -> None:
        wanted.account.service(Ssm).put(name, text_of(wanted.properties["Value"]), wanted.properties["Type"])


class Secret(Handler):
    """A generated value is made once; changing the template's text does not make another one."""

    def create(self, wanted: Wanted) -> Made:
        secrets, name = wanted.account.service(SecretsManager), wanted.name("Name")
        if name in secrets.secrets and secrets.secrets[name].deleted is None:
            raise Refused("ResourceExistsException", f"The operation failed because the secret {name} already exists.")
        description = wanted.properties.get("Description", "")
        if "GenerateSecretString" in wanted.properties:
            made = secrets.generate(name, wanted.properties["GenerateSecretString"], description)
        else:
            made = secrets.put(name, self._value(wanted), description)
        return Made(physical_id=made.arn, attributes={"Id": made.arn})

    def update(self, wanted: Wanted, made: Made, before: Json) -> Made:
        if "SecretString" in wanted.properties:
            secrets = wanted.account.service(SecretsManager)
            name = secrets.find(made.physical_id).name
            secrets.put(name, self._value(wanted), wanted.properties.get("Description", ""))
        return made

    def delete(self, account: Account, made: Made, properties: Json) -> None:
        call(account, "secretsmanager", "DeleteSecret", {"SecretId": made.physical_id})

    def _value(self, wanted: Wanted) -> str | None:
        text = wanted.properties.get("SecretString")
        return None if text is None else with_secrets(wanted.account, text)


def with_secrets(account: Account, text: str) -> str:
    """Return the text with values in place of its dynamic references."""

    def value(reference: re.Match[str]) -> str:
        found = account.service(SecretsManager).find(reference[1]).value
        return str(json.loads(found or "{}")[reference[2]])

    return DYNAMIC_REFERENCE.sub(value, text)


class Repository(Handler):
    def create(self, wanted: Wanted) -> Made:
        name = wanted.name("RepositoryName")
        made = call(wanted.account, "ecr", "CreateRepository", {**wanted.properties, "repositoryName": name})
        self._put_lifecycle(wanted, name)
        arn, uri = made["repository"]["repositoryArn"], made["repository"]["repositoryUri"]
        return Made(physical_id=name, attributes={"Arn": arn, "RepositoryUri": uri})

    def update(self, wanted: Wanted, made: Made, before: Json) -> Made:
        self._put_lifecycle(wanted, made.physical_id)
        return made

    def delete(self, account: Account, made: Made, properties: Json) -> None:
        values = {"repositoryName": made.physical_id, "force": properties.get("EmptyOnDelete", False)}
        call(account, "ecr", "DeleteRepository", values)

    def _put_lifecycle(self, wanted: Wanted, name: str) -> None:
        policy = wanted.properties.get("LifecyclePolicy", {})
        if "LifecyclePolicyText" in policy:
            call(wanted.account, "ecr", "PutLifecyclePolicy", {"repositoryName": name, **policy})


class Queue(Handler):
    def create(self, wanted: Wanted) -> Made:
        name = wanted.name("QueueName")
        sqs = wanted.account.service(Sqs)
        if name in sqs.queues:
            raise Refused("QueueAlreadyExists", f"A queue named {name} already exists.")
        url = sqs.create_queue({"QueueName": name, "Attributes": attributes_of(wanted.properties)})["QueueUrl"]
        return Made(physical_id=url, attributes={"Arn": sqs.arn(name), "QueueName": name, "QueueUrl": url})

    def update(self, wanted: Wanted, made: Made, before: Json) -> Made:
        values = {"QueueUrl": made.physical_id, "Attributes": attributes_of(wanted.properties)}
        wanted.account.service(Sqs).set_queue_attributes(values)
        return made

    def delete(self, account: Account, made: Made, properties: Json) -> None:
        account.service(Sqs).delete_queue({"QueueUrl": made.physical_id})


def attributes_of(properties: Json) -> dict[str, str]:
    return {key: text_of(value) for key, value in properties.items() if key not in NOT_ATTRIBUTES}


class QueuePolicy(Handler):
    def create(self, wanted: Wanted) -> Made:
        self._set(wanted.account, wanted.properties, wanted.properties["PolicyDocument"])
        return Made(physical_id=f"{wanted.stack}-{wanted.logical_id}", attributes={})

    def update(self, wanted: Wanted, made: Made, before: Json) -> Made:
        self._set(wanted.account, wanted.properties, wanted.properties["PolicyDocument"])
        return made

    def delete(self, account: Account, made: Made, properties: Json) -> None:
        self._set(account, properties, {})

    def _set(self, account: Account, properties: Json, document: Any) -> None:
        for url in properties["Queues"]:
            attributes = {"Policy": json.dumps(document)}
            account.service(Sqs).set_queue_attributes({"QueueUrl": url, "Attributes": attributes})


class Table(Handler):
    def create(self, wanted: Wanted) -> Made:
        name = wanted.name("TableName")
        made = call(wanted.account, "dynamodb", "CreateTable", {**wanted.properties, "TableName": name})
        return Made(physical_id=name, attributes={"Arn": made["TableDescription"]["TableArn"]})

    def delete(self, account: Account, made: Made, properties: Json) -> None:
        call(account, "dynamodb", "DeleteTable", {"TableName": made.physical_id})


# Roles and policies, and the functions that a role is for.


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
    """An inline policy of each role that it names."""

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
    """A test sets what it answers to CodeDeploy; by default it reports success."""

    def create(self, wanted: Wanted) -> Made:
        name = wanted.name("FunctionName")
        if wanted.account.hook(name) is None:
            wanted.account.set_hook(name)
        return Made(physical_id=name, attributes={"Arn": wanted.account.arn("lambda", f"function:{name}")})

    def delete(self, account: Account, made: Made, properties: Json) -> None:
        account.hooks.pop(made.physical_id, None)


# CloudWatch's alarms and dashboards, and log groups.


class Alarm(Handler):
    def create(self, wanted: Wanted) -> Made:
        name = wanted.name("AlarmName")
        call(wanted.account, "cloudwatch", "PutMetricAlarm", {**wanted.properties, "AlarmName": name})
        return Made(physical_id=name, attributes={"Arn": wanted.account.arn("cloudwatch", f"alarm:{name}")})

    def update(self, wanted: Wanted, made: Made, before: Json) -> Made:
        call(wanted.account, "cloudwatch", "PutMetricAlarm", {**wanted.properties, "AlarmName": made.physical_id})
        return made

    def delete(self, account: Account, made: Made, properties: Json) -> None:
        call(account, "cloudwatch", "DeleteAlarms", {"AlarmNames": [made.physical_id]})


class Dashboard(Handler):
    def create(self, wanted: Wanted) -> Made:
        name = wanted.name("DashboardName")
        call(wanted.account, "cloudwatch", "PutDashboard", {**wanted.properties, "DashboardName": name})
        return Made(physical_id=name, attributes={})

    def update(self, wanted: Wanted, made: Made, before: Json) -> Made:
        call(wanted.account, "cloudwatch", "PutDashboard", {**wanted.properties, "DashboardName": made.physical_id})
        return made

    def delete(self, account: Account, made: Made, properties: Json) -> None:
        call(account, "cloudwatch", "DeleteDashboards", {"DashboardNames": [made.physical_id]})


class LogGroup(Handler):
    def create(self, wanted: Wanted) -> Made:
        name = wanted.name("LogGroupName")
        call(wanted.account, "logs", "CreateLogGroup", {"logGroupName": name})
        self._retain(wanted, name)
        return Made(physical_id=name, attributes={"Arn": wanted.account.arn("logs", f"log-group:{name}:*")})

    def update(self, wanted: Wanted, made: Made, before: Json) -> Made:
        self._retain(wanted, made.physical_id)
        return made

    def delete(self, account: Account, made: Made, properties: Json) -> None:
        call(account, "logs", "DeleteLogGroup", {"logGroupName": made.physical_id})

    def _retain(self, wanted: Wanted, name: str) -> None:
        if "RetentionInDays" in wanted.properties:
            values = {"logGroupName": name, "retentionInDays": wanted.properties["RetentionInDays"]}
            call(wanted.account, "logs", "PutRetentionPolicy", values)
