"""CloudWatch Logs: the groups and streams that tasks write to, and what reads them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from aws_simulator.account import Account
from aws_simulator.service import Answer, Refused, Request, Service, page

PAGE_OF_EVENTS: Final = 10_000
PAGE_OF_NAMES: Final = 50
BAD_TOKEN: Final = "InvalidParameterException"  # noqa: S105


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    id: str
    at_milliseconds: int
    message: str


@dataclass(slots=True, kw_only=True)
class Group:
    name: str
    created_milliseconds: int
    retention_days: int | None = None
    tags: dict[str, str] = field(default_factory=dict)
    streams: dict[str, list[Event]] = field(default_factory=dict)


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


class Logs(Service):
    NAME = "logs"

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

    def tag_log_group(self, request: Request) -> Answer:
        self._group(request).tags |= request["tags"]
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
        groups, token = page(found, request.get("nextToken"), request.get("limit", PAGE_OF_NAMES), refused=BAD_TOKEN)
        return {"logGroups": [self._description(group) for group in groups]} | next_token(token)

    def describe_log_streams(self, request: Request) -> Answer:
        streams = self._group(request).streams
        names = [name for name in sorted(streams) if name.startswith(request.get("logStreamNamePrefix", ""))]
        if request.get("orderBy") == "LastEventTime":
            names.sort(key=lambda name: streams[name][-1].at_milliseconds if streams[name] else 0)
        if request.get("descending"):
            names.reverse()
        names, token = page(names, request.get("nextToken"), request.get("limit", PAGE_OF_NAMES), refused=BAD_TOKEN)
        group = self._group(request).name
        streams_shown = [
            {"logStreamName": name, "arn": f"{self._arn(group)}:log-stream:{name}", **times(streams[name])}
            for name in names
        ]
        return {"logStreams": streams_shown} | next_token(token)

    def get_log_events(self, request: Request) -> Answer:
        """Return events in the order of time. At the end the same token is returned again, as on AWS."""
        stream = request["logStreamName"]
        events = [event for event in self._stream(request, stream) if within(event, request)]
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
            raise Refused(BAD_TOKEN, "Only one of logStreamNames and logStreamNamePrefix can be given")
        wanted = filter_of(request.get("filterPattern", ""))
        found = [
            {"logStreamName": name, "eventId": event.id, **description_of(event)}
            for name, events in group.streams.items()
            if name.startswith(prefix) and (names is None or name in names)
            for event in events
            if within(event, request) and wanted.search(event.message)
        ]
        found.sort(key=lambda event: (event["timestamp"], event["eventId"]))
        limit = request.get("limit", PAGE_OF_EVENTS)
        events, token = page(found, request.get("nextToken"), limit, refused=BAD_TOKEN)
        return {"events": events, "searchedLogStreams": []} | next_token(token)

    def _group(self, request: Request) -> Group:
        name = request.get("logGroupName") or str(request.get("logGroupIdentifier"))
        name = name.partition(":log-group:")[2].removesuffix(":*") or name
        if name not in self.groups:
            raise Refused("ResourceNotFoundException", "The specified log group does not exist.")
        return self.groups[name]

    def _stream(self, request: Request, name: str) -> list[Event]:
        streams = self._group(request).streams
        if name not in streams:
            raise Refused("ResourceNotFoundException", "The specified log stream does not exist.")
        return streams[name]

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


def next_token(token: str | None) -> dict[str, str]:
    return {"nextToken": token} if token else {}


def description_of(event: Event) -> dict[str, Any]:
    return {"timestamp": event.at_milliseconds, "message": event.message, "ingestionTime": event.at_milliseconds}


def times(events: list[Event]) -> dict[str, Any]:
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
