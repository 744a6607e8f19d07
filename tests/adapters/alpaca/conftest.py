"""Parts of the Alpaca adapter's tests: a scripted server, a clock that moves when told, the adapter."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from alpaca_kit import KEY_ID, SECRET, Connect, FakeClock
from scripted_http import ScriptedServer
from trimtab.adapters.alpaca import AlpacaBroker, AlpacaHost, AlpacaMarket, Keys, ReadPolicy

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def connect(server: ScriptedServer, clock: FakeClock) -> Iterator[Connect]:
    """Give a way to make hosts that are closed at the end."""
    made: list[AlpacaHost] = []

    def make(kind: str = "trading", **options: object) -> AlpacaHost:
        options.setdefault("rng", random.Random(7))
        options.setdefault("policy", ReadPolicy(connect_s=2.0, silence_s=1.0))
        url = str(options.pop("url", server.url))
        host = AlpacaHost(url, kind, Keys(KEY_ID, SECRET), clock, **options)  # type: ignore[arg-type]  # options are the constructor's, by name
        made.append(host)
        return host

    yield make
    for host in made:
        host.close()


@pytest.fixture
def broker(connect: Connect) -> AlpacaBroker:
    return AlpacaBroker(connect())


@pytest.fixture
def market(connect: Connect) -> AlpacaMarket:
    return AlpacaMarket(connect("data"))
