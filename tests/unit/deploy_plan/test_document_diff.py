"""Differences between documents, with readable paths."""

from platform_sdk.deploy.plan.diff import Change, diff, diff_task_definitions


def rows(changes: tuple[Change, ...]) -> list[tuple[str, str, object, object]]:
    return [(change.kind, change.path, change.before, change.after) for change in changes]


def container(name: str = "app", **more: object) -> dict[str, object]:
    return {"name": name, "image": "orders:1", **more}


def task(*containers: dict[str, object], **more: object) -> dict[str, object]:
    return {"family": "production-orders", "cpu": "512", "containerDefinitions": list(containers), **more}


def test_the_same_is_no_change() -> None:
    assert diff({"a": [1, {"b": 2}]}, {"a": [1, {"b": 2}]}) == ()


def test_variables_are_shown_by_their_names() -> None:
    before = task(container(environment=[{"name": "LOG_LEVEL", "value": "info"}, {"name": "OLD", "value": "1"}]))
    after = task(container(environment=[{"name": "NEW", "value": ""}, {"name": "LOG_LEVEL", "value": "debug"}]))
    assert rows(diff_task_definitions("api", before, after)) == [
        ("change", "api · app · environment.LOG_LEVEL", "info", "debug"),
        ("add", "api · app · environment.NEW", None, ""),
        ("remove", "api · app · environment.OLD", "1", None),
    ]


def test_secrets_are_shown_by_their_references() -> None:
    place = "arn:aws:secretsmanager:us-east-1:111122223333:secret:platform/production/orders/payment:key::"
    after = task(container(secrets=[{"name": "PAYMENT_KEY", "valueFrom": place}]))
    (change,) = diff_task_definitions("worker", task(container()), after)
    assert (change.path, change.after) == ("worker · app · secrets.PAYMENT_KEY", place)


def test_sizes_are_of_the_task_and_containers_come_and_go_by_name() -> None:
    before = task(container(), container("log-router"), cpu="256")
    after = task(container("cloudwatch-agent"), container())
    assert rows(diff_task_definitions("api", before, after)) == [
        ("change", "api · cpu", "256", "512"),
        ("add", "api · cloudwatch-agent", None, {"name": "cloudwatch-agent", "image": "orders:1"}),
        ("remove", "api · log-router", {"name": "log-router", "image": "orders:1"}, None),
    ]


def test_tags_of_revisions_are_no_change() -> None:
    before = task(container(), tags=[{"key": "platform:version", "value": "1.4.2"}])
    assert diff_task_definitions("api", before, task(container())) == ()


def test_order_counts_where_it_means_something() -> None:
    before, after = task(container(command=["a", "b"])), task(container(command=["b", "a"]))
    assert rows(diff_task_definitions("api", before, after)) == [
        ("change", "api · app · command", ["a", "b"], ["b", "a"])
    ]


def test_objects_without_a_name_come_and_go_whole() -> None:
    one, two, three = ({"Action": action, "Effect": "Allow"} for action in "abc")
    assert rows(diff({"Statement": [one, two]}, {"Statement": [two, three]}, "Policy")) == [
        ("remove", "Policy · Statement", one, None),
        ("add", "Policy · Statement", None, three),
    ]


def test_names_that_are_not_unique_name_no_elements() -> None:
    before = [{"Name": "a", "Value": 1}, {"Name": "a", "Value": 3}]
    after = [{"Name": "a", "Value": 1}, {"Name": "a", "Value": 2}]
    assert rows(diff({"list": before}, {"list": after})) == [
        ("remove", "list", {"Name": "a", "Value": 3}, None),
        ("add", "list", None, {"Name": "a", "Value": 2}),
    ]


def test_zero_and_false_are_values() -> None:
    assert rows(diff({"weight": 0, "on": False}, {"weight": 100, "on": True})) == [
        ("change", "on", False, True),
        ("change", "weight", 0, 100),
    ]
