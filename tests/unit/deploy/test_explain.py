"""`platform explain`: every key, however it is named."""

import pytest

from platform_sdk.deploy.manifest.reference import BY_PATH, UnknownKey, explain


def test_a_key_is_explained_with_range_default_and_aws_property() -> None:
    assert explain("traffic_shift.bake_minutes").splitlines() == [
        "traffic_shift.bake_minutes = 15",
        "",
        "Minutes for which the tasks of the old version stay after all requests have moved, so that they can",
        "move back at once. Both versions are paid for meanwhile.",
        "",
        "range:    0 to 2800.",
        "default:  15",
        "becomes:  `TerminationWaitTimeInMinutes` of the deployment group",
    ]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("scaling.max_tasks", "scaling.max_tasks = 6"),
        ("bake_minutes", "traffic_shift.bake_minutes = 15"),
        ("queues.orders.delay_seconds", "queues.*.delay_seconds = 0"),
        ('publishes."order.placed"', 'publishes.* = ["inventory"]'),
        ("environments.production.scaling.max_tasks", "scaling.max_tasks = 6"),
        ("[hooks]", "[hooks]"),
        ("tasks", "[[tasks]]"),
        ("environments", "[environments]"),
    ],
)
def test_a_key_may_be_named_in_several_ways(asked: str, found: str) -> None:
    assert explain(asked).splitlines()[0] == found


@pytest.mark.parametrize("path", BY_PATH)
def test_every_key_can_be_explained(path: str) -> None:
    assert path in explain(path)


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ("scaling.max_task", "did you mean scaling.max_tasks?"),
        ("retention_day", "did you mean logs.retention_days?"),
        ("zzz", "`platform reference` prints every key that there is"),
        ("", "`platform reference` prints every key that there is"),
        ("retention_days", "say which: queues.*.retention_days, logs.retention_days"),
    ],
)
def test_an_unknown_key_gets_a_hint(asked: str, hint: str) -> None:
    with pytest.raises(UnknownKey) as caught:
        explain(asked)
    assert caught.value.hint == hint
