"""`check` of a whole repository: what AWS refuses although every file is right by itself."""

from collections.abc import Callable
from pathlib import Path

import pytest

from platform_sdk.deploy.check import check
from platform_sdk.deploy.config_errors import InvalidConfiguration
from platform_sdk.deploy.manifest import load_services

ENVIRONMENT = """\
name = "{name}"
[aws]
account_id = "111122223333"
region = "us-east-1"
{endpoint}
[load_balancer]
url = "https://api.example.com"
[database]
host = "db"
port = 5432
name = "platform"
sslmode = "verify-full"
[cache]
url = "rediss://cache:6379/0"
[tokens]
audience = "platform"
"""

SERVICE = """\
[service]
name = "{name}"
path = "/{name}"
[task]
cpu = 512
memory_mib = 1024
[scaling]
min_tasks = 2
max_tasks = 6
[commands]
api = ["a"]
"""

Write = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a service or an environment into a repository that has the environment `production`."""

    def write(kind: str, name: str, text: str) -> None:
        path = tmp_path / (
            f"services/{name}/platform.toml" if kind == "service" else f"deploy/environments/{name}.toml"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    write("environment", "production", ENVIRONMENT.format(name="production", endpoint=""))
    return write


def errors(root: Path) -> list[str]:
    with pytest.raises(InvalidConfiguration) as caught:
        check(root)
    return [str(error) for error in caught.value.errors]


def service(name: str, added: str = "") -> str:
    return SERVICE.format(name=name) + added


def test_names_fit_into_what_aws_takes(tmp_path: Path, write: Write) -> None:
    name = "a-service-of-20-long"
    write("environment", "rehearsals12", ENVIRONMENT.format(name="rehearsals12", endpoint=""))
    write("service", name, service(name))
    assert errors(tmp_path) == [
        f'services/{name}/platform.toml:2: service.name: the target group "production-{name}-green" would have 37 '
        "characters, and AWS takes 32; shorten it by 5",
        f'services/{name}/platform.toml:2: service.name: the target group "rehearsals12-{name}-green" would have 39 '
        "characters, and AWS takes 32; shorten it by 7",
    ]


def test_a_load_balancer_has_room_for_fifty_services(tmp_path: Path, write: Write) -> None:
    for number in range(51):
        write("service", f"s{number:02}", service(f"s{number:02}"))
    assert errors(tmp_path) == [
        "services/s50/platform.toml:3: service.path: is one of 51 services of production, and a load balancer has 100 "
        "target groups, two of each of 50 services; serve it below the path of another service"
    ]


def test_the_laptop_has_room_for_more(tmp_path: Path, write: Write) -> None:
    (tmp_path / "deploy/environments/production.toml").unlink()
    write("environment", "local", ENVIRONMENT.format(name="local", endpoint='endpoint_url = "http://127.0.0.1:4566"'))
    for number in range(51):
        write("service", f"s{number:02}", service(f"s{number:02}"))
    assert len(check(tmp_path)[0]) == 51


def test_a_container_has_room_for_a_hundred_variables(tmp_path: Path, write: Write) -> None:
    write("service", "orders", service("orders", "[environment]\n" + "".join(f'V{n} = "1"\n' for n in range(100))))
    [error] = errors(tmp_path)
    assert error.startswith("services/orders/platform.toml:12: environment: the container would have 11")
    assert error.endswith("100 of them yours; AWS takes 100; put several into one JSON value")


def test_a_task_definition_has_room_for_64_kib(tmp_path: Path, write: Write) -> None:
    write("service", "orders", service("orders", f'[environment]\nTEXT = "{"x" * 66_000}"\n'))
    [error] = errors(tmp_path)
    assert error.startswith("services/orders/platform.toml:12: environment: the task definition of orders takes ")
    assert "the largest variables are TEXT (66000 bytes)" in error


def test_a_stopping_task_has_time_to_drain(tmp_path: Path, write: Write) -> None:
    tasks = "[tasks]\ndrain_delay_seconds = 20\n"
    write("environment", "production", ENVIRONMENT.format(name="production", endpoint="") + tasks)
    write("service", "orders", service("orders").replace("cpu = 512", "cpu = 512\nstop_timeout_seconds = 24"))
    assert errors(tmp_path) == [
        "services/orders/platform.toml:6: task.stop_timeout_seconds: task.stop_timeout_seconds of orders is 24, below "
        "25: a stopping task serves 20 s longer in production, until the load balancer has removed it, and then needs "
        "5 s to close; raise task.stop_timeout_seconds, or leave it out"
    ]


def test_two_rules_do_not_have_one_priority(tmp_path: Path, write: Write) -> None:
    write("service", "orders", service("orders").replace("[task]", "priority = 7\n[task]"))
    write("service", "users", service("users").replace("[task]", "priority = 7\n[task]"))
    assert errors(tmp_path) == [
        "services/users/platform.toml:4: service.priority: the rule's priority would be 7, as that of "
        "services/orders/platform.toml:4; give priority = 8"
    ]


def test_the_priority_of_a_rule_does_not_move_when_services_come_or_go(tmp_path: Path, write: Write) -> None:
    write("service", "users", service("users"))
    alone = load_services(tmp_path)[0].priority
    write("service", "orders", service("orders"))
    [orders, users] = load_services(tmp_path)
    assert users.priority == alone
    assert orders.priority != users.priority
    assert {orders.priority, users.priority} <= set(range(1000, 50_000))


def test_a_worker_and_a_service_do_not_share_a_task_definition(tmp_path: Path, write: Write) -> None:
    worker = '[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 1\nbacklog_per_task = 10\n'
    write("service", "orders", service("orders", worker + '[[tasks]]\nname = "books"\ncommand = ["b"]\n'))
    write("service", "orders-worker", service("orders-worker"))
    write("service", "orders-books", service("orders-books"))
    assert errors(tmp_path) == [
        "services/orders/platform.toml:12: worker: its task definition would have the name of the service at "
        "services/orders-worker/platform.toml:2; rename one of the two: both are orders-worker",
        "services/orders/platform.toml:18: tasks[0].name: its task definition would have the name of the service at "
        "services/orders-books/platform.toml:2; rename one of the two: both are orders-books",
    ]


def test_an_error_of_all_environments_is_reported_once(tmp_path: Path, write: Write) -> None:
    write("environment", "staging", ENVIRONMENT.format(name="staging", endpoint=""))
    write("service", "orders", service("orders").replace("cpu = 512", "cpu = 300"))
    assert len(errors(tmp_path)) == 1


def test_an_override_is_checked_in_its_environment_alone(tmp_path: Path, write: Write) -> None:
    write("environment", "staging", ENVIRONMENT.format(name="staging", endpoint=""))
    write("service", "orders", service("orders", "[environments.staging.task]\nmemory_mib = 512\n"))
    assert errors(tmp_path) == [
        "services/orders/platform.toml:13: environments.staging.task.memory_mib: 512 is not a Fargate size with 512 "
        "CPU units, which take 1024 to 4096 MiB; did you mean 1024?"
    ]


def test_a_stack_has_room_for_500_resources(tmp_path: Path, write: Write) -> None:
    tasks = "".join(
        f'[[tasks]]\nname = "t{number:03}"\ncommand = ["t"]\nschedule = "rate(1 day)"\n' for number in range(500)
    )
    write("service", "orders", service("orders", tasks))
    [error] = errors(tmp_path)
    assert "resources, and CloudFormation takes 500; give some of its queues or scheduled tasks to another" in error
