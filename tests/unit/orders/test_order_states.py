"""The order's state machine: legal transitions, and states that no sequence of requests can reach."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from orders.states import FINAL, TRANSITIONS, UNDECIDED, Status, can_move, sources_of

STATUSES = st.sampled_from(Status)


def test_every_status_has_its_row_in_the_table() -> None:
    assert set(TRANSITIONS) == set(Status)


def test_the_way_to_delivery() -> None:
    way = [Status.PENDING, Status.RESERVED, Status.CONFIRMED, Status.PAID, Status.SHIPPED, Status.DELIVERED]
    assert all(can_move(current, target) for current, target in itertools.pairwise(way))


def test_only_a_pending_order_is_rejected() -> None:
    assert sources_of(Status.REJECTED) == (Status.PENDING,)


def test_only_undecided_orders_expire() -> None:
    assert set(sources_of(Status.EXPIRED)) == UNDECIDED


def test_what_is_paid_is_refunded_and_not_cancelled() -> None:
    assert can_move(Status.PAID, Status.REFUNDED)
    assert not can_move(Status.PAID, Status.CANCELLED)


def test_nothing_becomes_pending_again() -> None:
    assert sources_of(Status.PENDING) == ()


def test_final_statuses_are_those_without_a_successor() -> None:
    assert {Status.DELIVERED, Status.REFUNDED, Status.REJECTED, Status.CANCELLED, Status.EXPIRED} == FINAL


@given(STATUSES, STATUSES)
def test_sources_and_targets_agree(current: Status, target: Status) -> None:
    assert (current in sources_of(target)) == can_move(current, target)


@given(STATUSES)
def test_no_status_follows_itself(status: Status) -> None:
    assert not can_move(status, status)


@given(st.lists(STATUSES, max_size=40))
def test_whatever_is_wished_an_order_never_passes_a_status_twice_and_rests_when_final(wishes: list[Status]) -> None:
    passed = [Status.PENDING]
    for wish in wishes:
        if can_move(passed[-1], wish):
            passed.append(wish)
    assert len(passed) == len(set(passed))
    assert all(status not in FINAL for status in passed[:-1])


@given(STATUSES)
def test_every_status_can_still_reach_a_final_one(status: Status) -> None:
    reached, frontier = {status}, {status}
    while frontier:
        frontier = {target for current in frontier for target in TRANSITIONS[current]} - reached
        reached |= frontier
    assert reached & FINAL
