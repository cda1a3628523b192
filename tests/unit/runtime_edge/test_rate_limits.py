"""Whose calls are counted together."""

import pytest
from fastapi import Request

from platform_sdk.runtime.http.resources import client_network


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::9", "2001:db8:1:2::"),
        ("testclient", "testclient"),
    ],
)
def test_a_client_is_its_address_or_its_network(host: str, network: str) -> None:
    # The header is not looked at: whether to believe it is the server's business, which knows who is connected.
    headers = [(b"x-forwarded-for", b"198.51.100.1")]
    request = Request({"type": "http", "headers": headers, "client": (host, 4711)})
    assert client_network(request) == network
