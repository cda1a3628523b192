"""The platform's lifecycle hook: asks the replacement tasks, behind the test listener, before users reach them.

CodeDeploy calls it once test traffic is allowed, and waits for the verdict. It stands alone: CloudFormation takes it as
text (hooks.yaml), of 4,096 bytes at most.
"""

import http.client
import json
import os
import time
from collections.abc import Callable
from typing import Any

import boto3

TEST_PORT = 8443
READY_IN_A_ROW = 5
DEADLINE_SECONDS = 120.0
PAUSE_SECONDS = 2.0


def handler(event: dict[str, str], _context: object) -> None:
    codedeploy = boto3.client("codedeploy")
    verdict = "Failed"
    try:
        deployment = codedeploy.get_deployment(deploymentId=event["DeploymentId"])["deploymentInfo"]
        path = json.loads(os.environ["READINESS_PATHS"])[deployment["applicationName"]]
        verdict = "Succeeded" if stays_ready(lambda: status_of(path)) else "Failed"
    finally:
        # Whatever happens: without a verdict the deployment would wait for an hour.
        codedeploy.put_lifecycle_event_hook_execution_status(
            deploymentId=event["DeploymentId"],
            lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
            status=verdict,
        )


def stays_ready(
    ask: Callable[[], int],
    *,
    sleep: Callable[[float], Any] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> bool:
    """Whether it answers 200 so often in a row before the deadline: a single answer may come from the one good task."""
    in_a_row, deadline = 0, clock() + DEADLINE_SECONDS
    while clock() < deadline:
        status = ask()
        print(json.dumps({"action": "replacement_asked", "status": status}))  # noqa: T201 - a function's log
        in_a_row = in_a_row + 1 if status == 200 else 0
        if in_a_row == READY_IN_A_ROW:
            return True
        sleep(PAUSE_SECONDS)
    return False


def status_of(path: str) -> int:
    """Of one request to the test listener, on a connection of its own; 0 where none came about."""
    connection = http.client.HTTPSConnection(os.environ["DOMAIN"], TEST_PORT, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
