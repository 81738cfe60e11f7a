"""No key in an address of a node is ever shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmm.units.web_address import UNREADABLE, host_of, port_of, shown, shown_path

SECRET = "S3CRETK3Y"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"https://rpc.example.net/?api-key={SECRET}", "https://rpc.example.net"),
        (f"https://rpc.example.net/v2/{SECRET}", "https://rpc.example.net"),
        (f"https://user:{SECRET}@rpc.example.net:8443/x#y", "https://rpc.example.net:8443"),
        (f"wss://{SECRET}@[2001:db8::7]:9/", "wss://[2001:db8::7]:9"),
        ("http://127.0.0.1:8899", "http://127.0.0.1:8899"),
    ],
)
def test_scheme_host_and_port_are_all_that_is_shown(url: str, expected: str) -> None:
    assert shown(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        f"user:{SECRET}@rpc.example.net",
        f"rpc.example.net/{SECRET}",
        f"https://rpc.example.net:{SECRET}/",
        f"https:///{SECRET}",
        f"https://[{SECRET}",
        "",
    ],
)
def test_what_is_no_url_is_not_shown_at_all(url: str) -> None:
    assert shown(url) == UNREADABLE


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_text_around_a_secret_brings_it_out(before: str, after: str) -> None:
    path = f"https://rpc.example.net/{before}{SECRET}{after}"
    # A browser takes a backslash for a slash, Python does not: both must keep the secret.
    assert SECRET.lower() not in shown(path).lower()


def test_a_path_is_shown_whole_and_a_url_in_its_place_is_not() -> None:
    assert shown_path("/etc/dmm/global.config.json") == "/etc/dmm/global.config.json"
    url = Path(f"https://config.example.net/global.json?key={SECRET}")
    assert shown_path(str(url)) == "https://config.example.net"


def test_host_and_port_are_told_where_there_are_any() -> None:
    assert (host_of("https://rpc.example.net:84/x"), port_of("https://rpc.example.net:84/x")) == (
        "rpc.example.net",
        84,
    )
    assert port_of("https://rpc.example.net") is None
    assert (host_of(f"{SECRET}@x"), port_of(f"http://x:{SECRET}")) == (UNREADABLE, None)
    assert host_of(f"https://[{SECRET}") == UNREADABLE
