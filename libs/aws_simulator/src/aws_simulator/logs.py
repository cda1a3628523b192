"""CloudWatch Logs: the groups and streams that tasks write to, and what reads them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from aws_simulator.account import Account
from aws_simulator.service import Answer, Paging, Refused, Request, Service, find_or_refuse

PAGE_OF_EVENTS: Final = 10_000
PAGE_OF_NAMES: Final = 50
INVALID: Final = "InvalidParameterException"
PAGES: Final = Paging(marker="nextToken", next_marker="nextToken", size="limit", invalid=INVALID)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of a log stream."""

    id: str
    at_milliseconds: int
    message: str


@dataclass(slots=True, kw_only=True)
class Group:
    """A log group with its streams; a stream's events are in the order of time."""

    name: str
    created_milliseconds: int
    retention_days: int | None = None
    tags: dict[str, str] = field(default_factory=dict)
    streams: dict[str, list[Event]] = field(default_factory=dict)


def milliseconds(moment: datetime) -> int:
    """Return a moment as CloudWatch Logs gives it: milliseconds since 1970."""
    return int(moment.timestamp() * 1000)


class Logs(Service):
    """Log groups. Tasks write with `write`; nothing expires."""

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self.groups: dict[str, Group] = {}

    def write(self, group: str, stream: str, message: str) -> None:
        """Write lines of a task. Like Fluent Bit without auto_create_group: lines to a missing group are lost."""
        if group in self.groups:
            event = Event(
                id=f"{self.account.count('log event'):056d}",
                at_milliseconds=milliseconds(self.account.now()),
                message=message,
            )
            self.groups[group].streams.setdefault(stream, []).append(event)

    def iam_resources(self, operation: str, request: Request) -> tuple[str, ...]:
        name, stream = request.get("logGroupName"), request.get("logStreamName")
        if name and stream:
            return (f"{self._arn(name)}:log-stream:{stream}",)
        given = request.get("logGroupIdentifier")
        if given:
            return (given if given.startswith("arn:") else self._arn(given),)
        return (f"{self._arn(name)}:*",) if name else super().iam_resources(operation, request)

    def create_log_group(self, request: Request) -> Answer:
        name = request["logGroupName"]
        if name in self.groups:
            raise Refused("ResourceAlreadyExistsException", "The specified log group already exists")
        self.groups[name] = Group(
            name=name,
            created_milliseconds=milliseconds(self.account.now()),
            tags=dict(request.get("tags", {})),
        )
        return {}

    def delete_log_group(self, request: Request) -> Answer:
        del self.groups[self._group(request).name]
        return {}

    def put_retention_policy(self, request: Request) -> Answer:
        self._group(request).retention_days = request["retentionInDays"]
        return {}

    def delete_retention_policy(self, request: Request) -> Answer:
        self._group(request).retention_days = None
        return {}

    def create_log_stream(self, request: Request) -> Answer:
        streams = self._group(request).streams
        if request["logStreamName"] in streams:
            raise Refused("ResourceAlreadyExistsException", "The specified log stream already exists")
        streams[request["logStreamName"]] = []
        return {}

    def describe_log_groups(self, request: Request) -> Answer:
        prefix, pattern = request.get("logGroupNamePrefix", ""), request.get("logGroupNamePattern", "")
        found = [
            group
            for name, group in sorted(self.groups.items())
            if name.startswith(prefix) and pattern.lower() in name.lower()
        ]
        return PAGES.answer("logGroups", found, request, PAGE_OF_NAMES, self._description)

    def describe_log_streams(self, request: Request) -> Answer:
        streams = self._group(request).streams
        names = [name for name in sorted(streams) if name.startswith(request.get("logStreamNamePrefix", ""))]
        if request.get("orderBy") == "LastEventTime":
            names.sort(key=lambda name: streams[name][-1].at_milliseconds if streams[name] else 0)
        if request.get("descending"):
            names.reverse()
        arn = self._arn(self._group(request).name)
        found = [{"logStreamName": name, "arn": f"{arn}:log-stream:{name}", **times(streams[name])} for name in names]
        return PAGES.answer("logStreams", found, request, PAGE_OF_NAMES)

    def get_log_events(self, request: Request) -> Answer:
        """Return events in the order of time. At the end the same token is returned again, as on AWS."""
        streams, name = self._group(request).streams, request["logStreamName"]
        message = "The specified log stream does not exist."
        stream = find_or_refuse(streams, name, "ResourceNotFoundException", message)
        events = [event for event in stream if within(event, request)]
        limit = request.get("limit", PAGE_OF_EVENTS)
        token = request.get("nextToken")
        from_head = request.get("startFromHead", False) or token is not None
        start = int(token[2:]) if token else (0 if from_head else max(0, len(events) - limit))
        shown = events[start : start + limit]
        return {
            "events": [description_of(event) for event in shown],
            "nextForwardToken": f"f/{start + len(shown):056d}",
            "nextBackwardToken": f"b/{start:056d}",
        }

    def filter_log_events(self, request: Request) -> Answer:
        group = self._group(request)
        prefix, names = request.get("logStreamNamePrefix", ""), request.get("logStreamNames")
        if prefix and names:
            raise Refused(INVALID, "Only one of logStreamNames and logStreamNamePrefix can be given")
        wanted = filter_of(request.get("filterPattern", ""))
        found = [
            {"logStreamName": name, "eventId": event.id, **description_of(event)}
            for name, events in group.streams.items()
            if name.startswith(prefix) and (names is None or name in names)
            for event in events
            if within(event, request) and wanted.search(event.message)
        ]
        found.sort(key=lambda event: (event["timestamp"], event["eventId"]))
        return PAGES.answer("events", found, request, PAGE_OF_EVENTS) | {"searchedLogStreams": []}

    def _group(self, request: Request) -> Group:
        name = request.get("logGroupName") or str(request.get("logGroupIdentifier"))
        name = name.partition(":log-group:")[2].removesuffix(":*") or name
        return find_or_refuse(self.groups, name, "ResourceNotFoundException", "The specified log group does not exist.")

    def _arn(self, group: str) -> str:
        return self.account.arn("logs", f"log-group:{group}")

    def _description(self, group: Group) -> dict[str, Any]:
        retention = {"retentionInDays": group.retention_days} if group.retention_days else {}
        return {
            "logGroupName": group.name,
            "creationTime": group.created_milliseconds,
            "metricFilterCount": 0,
            "arn": f"{self._arn(group.name)}:*",
            "logGroupArn": self._arn(group.name),
            "storedBytes": sum(len(event.message) for events in group.streams.values() for event in events),
            "logGroupClass": "STANDARD",
            **retention,
        }


def description_of(event: Event) -> dict[str, Any]:
    """Return an event as GetLogEvents does."""
    return {"timestamp": event.at_milliseconds, "message": event.message, "ingestionTime": event.at_milliseconds}


def times(events: list[Event]) -> dict[str, Any]:
    """Return the times of a stream: those of its first and its last event."""
    if not events:
        return {}
    first, last = events[0].at_milliseconds, events[-1].at_milliseconds
    return {"creationTime": first, "firstEventTimestamp": first, "lastEventTimestamp": last, "lastIngestionTime": last}


def within(event: Event, request: Request) -> bool:
    """Return whether an event is in the range. `endTime` is exclusive (FilterLogEvents, GetLogEvents)."""
    end = request.get("endTime")
    return event.at_milliseconds >= request.get("startTime", 0) and (end is None or event.at_milliseconds < end)


def filter_of(pattern: str) -> re.Pattern[str]:
    """Return a filter for terms only: every word or quoted phrase must occur, and `?term` is any of them."""
    terms: list[str] = [quoted or word for quoted, word in re.findall(r'"([^"]*)"|(\S+)', pattern)]
    any_of = [re.escape(term[1:].strip('"')) for term in terms if term.startswith("?")]
    all_of: Iterator[str] = (f"(?=.*{re.escape(term)})" for term in terms if not term.startswith("?"))
    return re.compile("^" + "".join(all_of) + (f"(?=.*(?:{'|'.join(any_of)}))" if any_of else ""), re.DOTALL)
