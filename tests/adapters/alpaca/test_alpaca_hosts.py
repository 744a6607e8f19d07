"""Hosts: the keys go to Alpaca or to this machine, and nowhere else."""

from __future__ import annotations

from typing import get_args

import pytest

from trimtab.adapters.alpaca.hosts import Kind, check_host, declared_mode
from trimtab.errors import Misconfigured


@pytest.mark.parametrize(
    ("url", "kind", "tidy"),
    [
        ("https://paper-api.alpaca.markets", "trading", "https://paper-api.alpaca.markets"),
        ("https://API.alpaca.markets/", "trading", "https://api.alpaca.markets"),
        ("https://data.alpaca.markets:443", "data", "https://data.alpaca.markets"),
        ("http://127.0.0.1:8080/", "trading", "http://127.0.0.1:8080"),
        ("http://127.9.9.9", "data", "http://127.9.9.9"),
        ("https://localhost:1", "data", "https://localhost:1"),
        ("http://[::1]:9", "trading", "http://[::1]:9"),
    ],
)
def test_a_host_that_may_see_the_keys_is_given_tidied(url: str, kind: Kind, tidy: str) -> None:
    assert check_host(url, kind) == tidy


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize(
    "url",
    [
        "",
        "paper-api.alpaca.markets",
        "http://paper-api.alpaca.markets",
        "http://data.alpaca.markets",
        "https://paper-api.alpaca.markets.example.com",
        "https://paper-api.alpaca.markets:8443",
        "https://paper-api.alpaca.markets/v2",
        "https://data.alpaca.markets/v2",
        "https://data.alpaca.markets?x=1",
        "https://data.alpaca.markets#x",
        "https://user:hunter2@paper-api.alpaca.markets",
        "https://user:hunter2@data.alpaca.markets",
        "https://paper-api.alpaca.markets\\@example.com",
        "https://paper-api.alpaca.markets\n",
        "https://evil.example.com",
        "https://data.sandbox.alpaca.markets",
        "ftp://localhost",
        "http://10.0.0.1",
        "http://127.1",
        "http://localhost.example.com",
        "http://[::ffff:127.0.0.1]",
        "http://[::1",
        "http://localhost:99999",
    ],
)
def test_every_other_url_is_refused_without_showing_its_credentials(url: str, kind: Kind) -> None:
    with pytest.raises(Misconfigured) as caught:
        check_host(url, kind)
    assert "hunter2" not in str(caught.value.document())


def test_a_host_of_the_other_kind_is_refused() -> None:
    for url, kind in (("https://data.alpaca.markets", "trading"), ("https://api.alpaca.markets", "data")):
        with pytest.raises(Misconfigured):
            check_host(url, kind)  # type: ignore[arg-type]  # a parametrised kind


@pytest.mark.parametrize(
    ("url", "mode"),
    [
        ("https://api.alpaca.markets", "live"),
        ("https://paper-api.alpaca.markets", "paper"),
        ("http://127.0.0.1:8080", "paper"),
        ("http://[::1]:9", "paper"),
    ],
)
def test_only_the_live_host_is_live(url: str, mode: str) -> None:
    assert declared_mode(url) == mode
