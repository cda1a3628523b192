"""CloudWatch's alarms."""

from collections.abc import Sequence
from typing import Any, Final

from platform_sdk.deploy.aws.calls import in_batches, pages, utc
from platform_sdk.deploy.state import Alarm

# docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference: the most names in one DescribeAlarms.
ALARMS: Final = 100


class Alarms:
    """Every method raises AwsCallFailed."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def alarms(self, names: Sequence[str]) -> dict[str, Alarm]:
        """By name, without those that do not exist."""
        found: dict[str, Alarm] = {}
        for batch in in_batches(names, ALARMS):
            listed = pages(
                self.client,
                "describe_alarms",
                f"read the alarms {', '.join(batch)}",
                AlarmNames=batch,
                # Without being asked, AWS leaves composite alarms out.
                AlarmTypes=["MetricAlarm", "CompositeAlarm"],
            )
            for page in listed:
                for each in (*page.get("MetricAlarms", []), *page.get("CompositeAlarms", [])):
                    found[each["AlarmName"]] = alarm_of(each)
        return found


def alarm_of(found: Any) -> Alarm:
    return Alarm(
        name=found["AlarmName"],
        state=found.get("StateValue", "INSUFFICIENT_DATA"),
        reason=found.get("StateReason", ""),
        description=found.get("AlarmDescription", ""),
        updated_at=utc(found.get("StateUpdatedTimestamp")),
    )
