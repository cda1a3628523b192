"""CloudWatch: alarms and logs."""

from collections import deque
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from platform_sdk.deploy.aws import Client, NotFound, in_batches, utc
from platform_sdk.deploy.clock import Clock
from platform_sdk.deploy.state import Alarm, LogLine

# docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference: the most names in one DescribeAlarms.
ALARMS: Final = 100


class Alarms:
    """The calls about CloudWatch alarms. All raise AwsCallFailed."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def alarms(self, names: Sequence[str]) -> dict[str, Alarm]:
        """Return alarms by name, without those that do not exist."""
        found: dict[str, Alarm] = {}
        for batch in in_batches(names, ALARMS):
            listed = self.client.pages(
                "describe_alarms",
                f"read the alarms {', '.join(batch)}",
                AlarmNames=batch,
                # By default AWS leaves composite alarms out.
                AlarmTypes=["MetricAlarm", "CompositeAlarm"],
            )
            for page in listed:
                for each in (*page.get("MetricAlarms", []), *page.get("CompositeAlarms", [])):
                    found[each["AlarmName"]] = _alarm_of(each)
        return found


def _alarm_of(found: Any) -> Alarm:
    return Alarm(
        name=found["AlarmName"],
        state=found.get("StateValue", "INSUFFICIENT_DATA"),
        reason=found.get("StateReason", ""),
        description=found.get("AlarmDescription", ""),
        updated_at=utc(found.get("StateUpdatedTimestamp")),
    )


# CloudWatch Logs: what tasks have written.

LATE: Final = timedelta(seconds=30)
"""How much later than its own time a line may appear: agents send batches, and AWS indexes them."""
POLL_SECONDS: Final = 2.0
LINES: Final = 10_000
"""Of one GetLogEvents."""


class Logs:
    """The calls of CloudWatch Logs. `group` is the name of a log group. All raise AwsCallFailed."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def lines(
        self,
        group: str,
        *,
        streams: Sequence[str] = (),
        stream_prefix: str = "",
        since: datetime,
        until: datetime | None = None,
        most: int,
    ) -> tuple[LogLine, ...]:
        """Return the last lines of these streams, of those with a prefix, or of the group; oldest first. Nothing where
        group or stream does not exist.
        """
        if streams:
            found = [line for stream in streams for line in self.last_of_stream(group, stream, since, until, most)]
            return tuple(sorted(found, key=lambda line: line.at)[-most:])
        last = deque((_line_of(each) for each in self.events(group, stream_prefix, since, until)), maxlen=most)
        return tuple(sorted(last, key=lambda line: line.at))

    def last_of_stream(
        self, group: str, stream: str, since: datetime, until: datetime | None, most: int
    ) -> list[LogLine]:
        """Read from the end, so that a long log costs one call."""
        try:
            answer = self.client.call(
                "get_log_events",
                f"read the log {group} {stream}",
                logGroupName=group,
                logStreamName=stream,
                startFromHead=False,
                limit=min(most, LINES),
                **between(since, until),
            )
        except NotFound:
            return []
        return [_line_of({**each, "logStreamName": stream}) for each in answer["events"]]

    def events(self, group: str, stream_prefix: str, since: datetime, until: datetime | None) -> Iterator[Any]:
        """Yield the events of a log group as AWS describes them. None if the group does not exist."""
        prefix = {"logStreamNamePrefix": stream_prefix} if stream_prefix else {}
        purpose = f"read the log {group}"
        listed = self.client.pages("filter_log_events", purpose, logGroupName=group, **prefix, **between(since, until))
        try:
            for page in listed:
                yield from page["events"]
        except NotFound:
            return

    def groups(self, names: Sequence[str]) -> set[str]:
        """Return the log groups that exist."""
        return {
            each["logGroupName"]
            for name in names
            for page in self.client.pages(
                "describe_log_groups", f"look for the log group {name}", logGroupNamePrefix=name
            )
            for each in page["logGroups"]
            if each["logGroupName"] == name  # a prefix also finds longer names
        }

    def follow(self, group: str, *, stream_prefix: str = "", since: datetime, clock: Clock) -> Iterator[LogLine]:
        """Yield every line as it appears, without end. Late lines come when they are found."""
        seen: dict[str, datetime] = {}
        newest = since
        while True:
            for event in self.events(group, stream_prefix, max(since, newest - LATE), None):
                line = _line_of(event)
                if event["eventId"] not in seen:
                    seen[event["eventId"]] = line.at
                    newest = max(newest, line.at)
                    yield line
            seen = {id: at for id, at in seen.items() if at >= newest - LATE}
            clock.sleep(POLL_SECONDS)


def between(since: datetime, until: datetime | None) -> dict[str, int]:
    """Return times in milliseconds, as CloudWatch Logs takes them."""
    start = {"startTime": int(since.timestamp() * 1000)}
    return start if until is None else start | {"endTime": int(until.timestamp() * 1000)}


def _line_of(found: Any) -> LogLine:
    return LogLine(
        at=datetime.fromtimestamp(found["timestamp"] / 1000, UTC),
        stream=found.get("logStreamName", ""),
        text=found["message"].rstrip("\n"),
    )
