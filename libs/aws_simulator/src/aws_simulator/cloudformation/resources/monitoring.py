"""CloudWatch's alarms and dashboards, and log groups."""

from aws_simulator.account import Account
from aws_simulator.cloudformation.resources.handler import Handler, Json, Made, Wanted, call


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
