import pytest
from starlette.requests import Request

from platform_sdk.runtime.http.problems import Problem
from platform_sdk.runtime.http.resources import etag_of, honour_match, is_not_modified, require_match


def request(**headers: str) -> Request:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": pairs})


@pytest.mark.parametrize("given", ['"3"', "*", '"1", "3"'])
def test_a_change_for_this_version_goes_on(given: str) -> None:
    require_match(request(if_match=given), 3)


@pytest.mark.parametrize("given", ['"2"', 'W/"3"', "3", '"33"'])
def test_a_change_for_another_version_is_412(given: str) -> None:
    with pytest.raises(Problem) as caught:
        require_match(request(if_match=given), 3)
    assert caught.value.status == 412
    assert caught.value.headers["ETag"] == etag_of(3)


def test_a_change_without_a_version_is_428() -> None:
    with pytest.raises(Problem) as caught:
        require_match(request(), 3)
    assert caught.value.status == 428


def test_where_the_version_may_be_missing_only_another_one_is_refused() -> None:
    honour_match(request(), 3)
    honour_match(request(if_match='"3"'), 3)
    with pytest.raises(Problem) as caught:
        honour_match(request(if_match='"2"'), 3)
    assert caught.value.status == 412


def test_a_read_of_a_known_version_is_not_modified() -> None:
    assert is_not_modified(request(if_none_match='W/"3"'), 3)
    assert not is_not_modified(request(if_none_match='"2"'), 3)
    assert not is_not_modified(request(), 3)
