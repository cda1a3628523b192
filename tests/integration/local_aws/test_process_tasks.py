"""A task as a process group: its environment, its log, and every way in which it ends."""

import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from local_aws.errors import SecretNotResolved, TaskDoesNotStart
from local_aws.processes import free_port
from local_aws.servers import ministack
from local_aws.servers.ministack import AwsServer
from local_aws.tasks.process import AppContainer, ProcessTask, resolve_secrets, start_task

READY = "import signal, time, sys, os; print('ready', flush=True);"


def start(folder: Path, program: str, *, stop_timeout_seconds: float = 10, **environment: str) -> ProcessTask:
    container = AppContainer(
        command=("python", "-c", program),
        environment=environment,
        secrets={},
        stop_timeout_seconds=stop_timeout_seconds,
    )
    return start_task(container, name="app", directory=folder, port=4321, secrets={"KEY": "s3cret"}, log=folder / "log")


def wait_for_output(folder: Path, text: str) -> str:
    for _ in range(200):
        output = (folder / "log").read_text()
        if text in output:
            return output
        time.sleep(0.02)
    raise AssertionError(f"never printed {text!r}: {output}")


def wait_for_exit(task: ProcessTask) -> int:
    for _ in range(500):
        task.kill_if_overdue()
        if task.exit_code is not None:
            return task.exit_code
        time.sleep(0.01)
    raise AssertionError("still running")


def test_task_gets_environment_secrets_port_interpreter_and_folder(tmp_path: Path) -> None:
    program = (
        "import os, sys; print(os.environ['NAME'], os.environ['KEY'], os.environ['PORT'], os.getcwd(), sys.prefix)"
    )
    task = start(tmp_path, program, NAME="value", PORT="3000")
    assert wait_for_exit(task) == 0
    assert (tmp_path / "log").read_text().split() == ["value", "s3cret", "4321", str(tmp_path), sys.prefix]


def test_sigterm_is_honoured(tmp_path: Path) -> None:
    program = READY + "signal.signal(15, lambda *_: sys.exit(0)); print('set', flush=True); time.sleep(600)"
    task = start(tmp_path, program)
    wait_for_output(tmp_path, "set")
    task.request_stop()
    assert wait_for_exit(task) == 0


def test_task_that_ignores_sigterm_is_killed_after_its_stop_timeout(tmp_path: Path) -> None:
    program = READY + "signal.signal(15, signal.SIG_IGN); print('set', flush=True); time.sleep(600)"
    task = start(tmp_path, program, stop_timeout_seconds=0.5)
    wait_for_output(tmp_path, "set")
    started = time.monotonic()
    task.request_stop()
    assert wait_for_exit(task) == 128 + 9
    assert time.monotonic() - started >= 0.5


def test_whole_group_is_ended_not_only_its_first_process(tmp_path: Path) -> None:
    program = READY + (
        "import subprocess; child = subprocess.Popen([sys.executable, '-c', "
        "'import signal, time; signal.signal(15, signal.SIG_IGN); print(\"child\", flush=True); time.sleep(600)']);"
        "print('pid', child.pid, flush=True); time.sleep(600)"
    )
    task = start(tmp_path, program)
    output = wait_for_output(tmp_path, "child")
    child = psutil.Process(int(output.split("pid ")[1].split()[0]))
    task.request_stop()
    assert wait_for_exit(task) == 128 + 15
    assert child.is_running()
    task.kill()
    child.wait(60)


@pytest.mark.parametrize(("program", "code"), [("exit(3)", 3), ("import os; os.kill(os.getpid(), 9)", 137)])
def test_exit_code_is_reported_as_ecs_reports_it(tmp_path: Path, program: str, code: int) -> None:
    assert wait_for_exit(start(tmp_path, program)) == code


def test_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    container = AppContainer(command=("no-such-program",), environment={}, secrets={}, stop_timeout_seconds=5)
    with pytest.raises(TaskDoesNotStart, match="no-such-program"):
        start_task(container, name="app", directory=tmp_path, port=1, secrets={}, log=tmp_path / "log")


def test_program_that_may_not_be_run_is_named(tmp_path: Path) -> None:
    program = tmp_path / "not-executable"
    program.write_text("#!/bin/sh\n")
    container = AppContainer(command=(str(program),), environment={}, secrets={}, stop_timeout_seconds=5)
    with pytest.raises(TaskDoesNotStart, match="not-executable"):
        start_task(container, name="app", directory=tmp_path, port=1, secrets={}, log=tmp_path / "log")


def test_task_is_in_a_session_of_its_own(tmp_path: Path) -> None:
    task = start(tmp_path, "import time; time.sleep(600)")
    assert os.getsid(task.pid) == task.pid != os.getsid(0)
    task.kill()
    wait_for_exit(task)


def test_secrets_are_read_by_reference_from_where_aws_keeps_them(aws_server: AwsServer) -> None:
    aws = ministack.connect(aws_server.endpoint_url, "us-east-1")
    aws.secretsmanager.create_secret(Name="platform/test/one/database", SecretString='{"password": "p"}')
    aws.secretsmanager.create_secret(Name="platform/test/one/key", SecretString="plain")
    aws.ssm.put_parameter(Name="/platform/test/one/flag", Value="on", Type="SecureString", Overwrite=True)
    arn = "arn:aws:secretsmanager:us-east-1:000000000000:secret:platform/test/one"

    values = resolve_secrets(
        {"PASSWORD": f"{arn}/database:password::", "KEY": f"{arn}/key", "FLAG": "/platform/test/one/flag"}, aws
    )

    assert values == {"PASSWORD": "p", "KEY": "plain", "FLAG": "on"}
    with pytest.raises(SecretNotResolved, match="no JSON key `user`"):
        resolve_secrets({"USER": f"{arn}/database:user::"}, aws)
    with pytest.raises(SecretNotResolved, match=r"ABSENT(?s:.)*ResourceNotFoundException"):
        resolve_secrets({"ABSENT": f"{arn}/absent"}, aws)
    nowhere = ministack.connect(f"http://127.0.0.1:{free_port()}", "us-east-1")
    with pytest.raises(SecretNotResolved, match=r"ABSENT(?s:.)*Could not connect"):
        resolve_secrets({"ABSENT": f"{arn}/absent"}, nowhere)


def test_profile_of_the_developer_does_not_matter(monkeypatch: pytest.MonkeyPatch, aws_server: AwsServer) -> None:
    monkeypatch.setenv("AWS_PROFILE", "absent")
    assert ministack.connect(aws_server.endpoint_url, "us-east-1").sqs.meta.endpoint_url == aws_server.endpoint_url
