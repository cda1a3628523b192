"""Resources that keep data: parameters, secrets, repositories, queues, tables; and roles, functions, alarms, logs."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from aws_simulator.account import Account
from aws_simulator.cloudformation.resources.handler import ApiResource, Handler, Json, Made, Wanted, call, text_of
from aws_simulator.iam import Iam
from aws_simulator.secrets_and_parameters import SecretsManager, Ssm
from aws_simulator.service import Refused
from aws_simulator.small_services import CacheUsers, Sqs

DYNAMIC_REFERENCE: Final = re.compile(r"\{\{resolve:secretsmanager:(.+?):SecretString:([\w-]+)\}\}")
NOT_ATTRIBUTES: Final = ("QueueName", "Tags", "FifoQueue")


class Parameter(Handler):
    """A parameter of Parameter Store. A template cannot take over one that exists."""

    def create(self, wanted: Wanted) -> Made:
        name = wanted.name("Name")
        if name in wanted.account.service(Ssm).parameters:
            raise Refused("ParameterAlreadyExists", f"{name} already exists.")
        return self.update(wanted, Made(physical_id=name, attributes={}), {})

    def update(self, wanted: Wanted, made: Made, before: Json) -> Made:
        value = wanted.properties["Value"]
        wanted.account.service(Ssm).put(made.physical_id, text_of(value), wanted.properties["Type"])
        return replace(made, attributes={"Value": str(value)})

    def delete(self, account: Account, made: Made, properties: Json) -> None:
        call(account, "ssm", "DeleteParameter", {"Name": made.physical_id})


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


class CacheUser(Handler):
    """A user of ElastiCache. Like every dynamic reference, that of its password is read when the text changes."""

    def create(self, wanted: Wanted) -> Made:
        wanted.account.service(CacheUsers).create_user(self._values(wanted))
        return Made(physical_id=wanted.properties["UserId"], attributes={})

    def update(self, wanted: Wanted, made: Made, before: Json) -> Made:
        values = self._values(wanted)
        given = {key: values[key] for key in ("UserId", "AccessString", "AuthenticationMode")}
        wanted.account.service(CacheUsers).modify_user(given)
        return made

    def delete(self, account: Account, made: Made, properties: Json) -> None:
        account.service(CacheUsers).users.pop(made.physical_id, None)

    def _values(self, wanted: Wanted) -> dict[str, Any]:
        mode = wanted.properties["AuthenticationMode"]
        passwords = [with_secrets(wanted.account, one) for one in mode["Passwords"]]
        return {**wanted.properties, "AuthenticationMode": {"Type": mode["Type"], "Passwords": passwords}}


class Repository(ApiResource):
    """An ECR repository with its lifecycle policy."""

    def delete(self, account: Account, made: Made, properties: Json) -> None:
        values = {"repositoryName": made.physical_id, "force": properties.get("EmptyOnDelete", False)}
        call(account, "ecr", "DeleteRepository", values)

    def _complete(self, wanted: Wanted, made: Made) -> None:
        policy = wanted.properties.get("LifecyclePolicy", {})
        if "LifecyclePolicyText" in policy:
            call(wanted.account, "ecr", "PutLifecyclePolicy", {"repositoryName": made.physical_id, **policy})


class Queue(Handler):
    """A queue. CloudFormation's properties are SQS's attributes, which SQS takes as text."""

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
    """Return a queue's properties as SQS takes its attributes."""
    return {key: text_of(value) for key, value in properties.items() if key not in NOT_ATTRIBUTES}


class QueuePolicy(Handler):
    """The policy of each queue that it names."""

    def create(self, wanted: Wanted) -> Made:
        made = Made(physical_id=f"{wanted.stack}-{wanted.logical_id}", attributes={})
        return self.update(wanted, made, {})

    def update(self, wanted: Wanted, made: Made, before: Json) -> Made:
        self._set(wanted.account, wanted.properties, wanted.properties["PolicyDocument"])
        return made

    def delete(self, account: Account, made: Made, properties: Json) -> None:
        self._set(account, properties, {})

    def _set(self, account: Account, properties: Json, document: Any) -> None:
        for url in properties["Queues"]:
            attributes = {"Policy": json.dumps(document)}
            account.service(Sqs).set_queue_attributes({"QueueUrl": url, "Attributes": attributes})


# Roles and policies, and the functions that a role is for.


class Role(ApiResource):
    """A role with its managed and its inline policies."""

    def update(self, wanted: Wanted, made: Made, before: Json) -> Made:
        values = {"RoleName": made.physical_id, "PolicyDocument": wanted.properties["AssumeRolePolicyDocument"]}
        call(wanted.account, "iam", "UpdateAssumeRolePolicy", values)
        role = wanted.account.service(Iam).find(made.physical_id)
        for policy in before.get("Policies", []):
            role.policies.pop(policy["PolicyName"], None)
        return super().update(wanted, made, before)

    def _complete(self, wanted: Wanted, made: Made) -> None:
        role = wanted.account.service(Iam).find(made.physical_id)
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


class Dashboard(ApiResource):
    """One operation creates and updates it, and another deletes several by their names."""

    def delete(self, account: Account, made: Made, properties: Json) -> None:
        plural = f"{str(self.name).removesuffix('Name')}s"
        call(account, "cloudwatch", f"Delete{plural}", {f"{self.name}s": [made.physical_id]})


class Alarm(Dashboard):
    """Written and deleted as a dashboard is; it has an ARN, too."""

    def create(self, wanted: Wanted) -> Made:
        made = super().create(wanted)
        return replace(made, attributes={"Arn": wanted.account.arn("cloudwatch", f"alarm:{made.physical_id}")})


class LogGroup(Handler):
    """A log group with its retention. Its tags are left out: CreateLogGroup takes them in another form."""

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


HANDLERS: Final[Mapping[str, Handler]] = {
    "AWS::CloudWatch::Alarm": Alarm(
        service="cloudwatch", noun="MetricAlarm", verbs=("Put", "Put", ""), name="AlarmName"
    ),
    "AWS::CloudWatch::Dashboard": Dashboard(
        service="cloudwatch", noun="Dashboard", verbs=("Put", "Put", ""), name="DashboardName"
    ),
    "AWS::DynamoDB::Table": ApiResource(
        service="dynamodb", noun="Table", name="TableName", answer="TableDescription", attributes={"Arn": "TableArn"}
    ),
    "AWS::ECR::Repository": Repository(
        service="ecr", noun="Repository", name="RepositoryName",
        answer="repository", attributes={"Arn": "repositoryArn", "RepositoryUri": "repositoryUri"},
    ),
    "AWS::IAM::Policy": Policy(),
    "AWS::IAM::Role": Role(
        service="iam", noun="Role", name="RoleName", answer="Role", attributes={"Arn": "Arn", "RoleId": "RoleId"}
    ),
    "AWS::Lambda::Function": Function(),
    "AWS::Logs::LogGroup": LogGroup(),
    "AWS::ElastiCache::User": CacheUser(),
    "AWS::SQS::Queue": Queue(),
    "AWS::SQS::QueuePolicy": QueuePolicy(),
    "AWS::SSM::Parameter": Parameter(),
    "AWS::SecretsManager::Secret": Secret(),
}  # fmt: skip
