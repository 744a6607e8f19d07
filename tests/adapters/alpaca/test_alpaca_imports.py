"""What a run imports: never pandas, whatever it reads."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from alpaca_kit import bar, order_row
from scripted_http import Reply, ScriptedServer
from trimtab.ports import Broker, Market

if TYPE_CHECKING:
    from trimtab.adapters.alpaca import AlpacaBroker, AlpacaMarket

READS = """
import random, sys
from datetime import UTC, date, datetime
from decimal import Decimal
from alpaca_kit import FakeClock
from trimtab.adapters.alpaca import AlpacaBroker, AlpacaHost, AlpacaMarket, Keys
from trimtab.core.portfolio import OrderRequest
parts = {"rng": random.Random(1)}
hosts = [AlpacaHost(sys.argv[1], kind, Keys("k", "s"), FakeClock(), **parts) for kind in ("trading", "data")]
broker, market = AlpacaBroker(hosts[0]), AlpacaMarket(hosts[1])
broker.now(), broker.positions(), broker.open_orders(), broker.fills(date(2026, 3, 2))
broker.submit(OrderRequest("tt1-01234567-20260302-SPY-0", "SPY", "buy", "market", Decimal("0.000001")))
assert market.bars(["SPY"], date(2026, 3, 2), datetime(2026, 3, 3, tzinfo=UTC)).close[0, 0] == 10
market.quotes(["SPY"])
[host.close() for host in hosts]
print(*sorted({"pandas", "polars", "websockets", "boto3"} & set(sys.modules)))
"""


def test_a_run_of_reads_imports_no_pandas(server: ScriptedServer) -> None:
    server.on("GET", "/v2/clock", Reply(body={"timestamp": "2026-03-02T10:00:00-05:00"}))
    for path in ("/v2/positions", "/v2/orders", "/v2/account/activities/FILL"):
        server.on("GET", path, Reply(body=[]))
    server.on("POST", "/v2/orders", Reply(body=order_row()))
    server.on(
        "GET", "/v2/stocks/bars", Reply(body={"bars": {"SPY": [bar("2026-03-02")]}, "next_page_token": None})
    )
    for kind in ("quotes", "trades"):
        server.on("GET", f"/v2/stocks/{kind}/latest", Reply(body={kind: {}}))
    folders = [entry for entry in sys.path if entry]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {folders!r}\n{READS}", server.url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stderr, done.stdout.strip(), done.returncode) == ("", "", 0)


def test_the_adapters_keep_the_ports(broker: AlpacaBroker, market: AlpacaMarket) -> None:
    """Mypy holds the signatures by the assignments; the loop holds the names."""
    a_broker: Broker = broker
    a_market: Market = market
    for port, adapter in ((Broker, a_broker), (Market, a_market)):
        assert all(callable(getattr(adapter, name)) for name in vars(port) if not name.startswith("_"))
