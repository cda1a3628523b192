"""CodeDeploy's applications, deployment configurations and deployment groups."""

from aws_simulator.account import Account
from aws_simulator.cloudformation.resources.handler import Handler, Json, Made, Wanted, call


class Application(Handler):
    def create(self, wanted: Wanted) -> Made:
        name = wanted.name("ApplicationName")
        call(wanted.account, "codedeploy", "CreateApplication", {**wanted.properties, "applicationName": name})
        return Made(physical_id=name, attributes={})

    def delete(self, account: Account, made: Made, properties: Json) -> None:
        call(account, "codedeploy", "DeleteApplication", {"applicationName": made.physical_id})


class DeploymentConfig(Handler):
    def create(self, wanted: Wanted) -> Made:
        name = wanted.name("DeploymentConfigName")
        values = {**wanted.properties, "deploymentConfigName": name}
        call(wanted.account, "codedeploy", "CreateDeploymentConfig", values)
        return Made(physical_id=name, attributes={})

    def delete(self, account: Account, made: Made, properties: Json) -> None:
        call(account, "codedeploy", "DeleteDeploymentConfig", {"deploymentConfigName": made.physical_id})


class DeploymentGroup(Handler):
    def create(self, wanted: Wanted) -> Made:
        name = wanted.name("DeploymentGroupName")
        call(wanted.account, "codedeploy", "CreateDeploymentGroup", {**wanted.properties, "deploymentGroupName": name})
        return Made(physical_id=name, attributes={})

    def update(self, wanted: Wanted, made: Made, before: Json) -> Made:
        values = {"currentDeploymentGroupName": made.physical_id, **wanted.properties}
        call(wanted.account, "codedeploy", "UpdateDeploymentGroup", values)
        return made

    def delete(self, account: Account, made: Made, properties: Json) -> None:
        values = {"applicationName": properties["ApplicationName"], "deploymentGroupName": made.physical_id}
        call(account, "codedeploy", "DeleteDeploymentGroup", values)
