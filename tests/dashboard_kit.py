"""Dashboard kit: stores to look at: a season of real runs, and ten years of rows of the real schema.

The season is run through the laboratory: it trades, fills in parts, halts, misses days, is halted by its
owner, and takes a deposit. The decade is written straight into trades.db, with the records of its last runs.
"""

from __future__ import annotations

import html
import json
import math
import re
import shutil
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from streamlit.config import get_config_options
from streamlit.testing.v1 import AppTest

from line_kit import make_lab, make_tape
from trimtab.adapters.directory import DirectoryStore
from trimtab.adapters.inputs import inputs_file
from trimtab.adapters.sqlite import SqliteTrades
from trimtab.core.bars import Bars
from trimtab.core.nyse import sessions
from trimtab.core.record import canonical, rows
from trimtab.switch import raise_flag

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest
    from numpy.typing import NDArray

    from line_kit import Lab
    from trimtab.core.record import Document

APP = Path(__file__).parents[1] / "dashboard/app.py"
PAGES = ("now", "performance", "runs", "trading", "health")
WEIGHTS = {"BND": 0.25, "GLD": 0.1, "IWM": 0.15, "QQQ": 0.2, "SPY": 0.25}
PRICES = {"BND": 80.0, "GLD": 170.0, "IWM": 190.0, "QQQ": 280.0, "SPY": 330.0}
HOSTILE = '<img src=x onerror="document.title=1">**bold** [link](https://example.org) :red[x] $y$'
"""What a symbol's maker, a broker or a feed might write into a reason."""


def write_config(folder: Path, store: Path | str, **changes: object) -> Path:
    """Write config.json for a store, and give its path."""
    config: dict[str, object] = {
        "strategy": {"name": "fixed_weights", "params": {"weights": WEIGHTS}},
        "mode": "paper",
        "dry_run": False,
        "store": {"url": str(store)},
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.json"
    path.write_text(json.dumps(config | changes))
    return path


def season(root: Path, count: int, start: date = date(2020, 6, 1), seed: int = 3) -> Lab:
    """Run `count` sessions through the line into the store `root`, with what goes wrong in a year."""
    last = sessions(start, start + timedelta(days=2 * count + 10))[count]
    tape = make_tape(PRICES, 0.012, seed, first=start - timedelta(days=90), last=last + timedelta(days=5))
    config = {
        "strategy": {"name": "fixed_weights", "params": {"weights": WEIGHTS}},
        "execution": {"band": 0.005, "band_relative": 0.2},
        "portfolio": "main",
        "mode": "paper",
    }
    lab = make_lab(
        root, WEIGHTS, tape=tape, start=start, behaviour={"partial_probability": 0.15, "spread_bps": 4.0}
    )
    lab.mandate = replace(lab.mandate, lookback=40, config=config)
    for n in range(count):
        _live_through(lab, n)
        lab.exchange.step()
    return lab


def monthly(root: Path, months: int = 4, start: date = date(2020, 6, 10)) -> None:
    """Run a monthly portfolio from the middle of a month: then only in the first session of each."""
    tape = make_tape(PRICES, 0.012, 3, first=start - timedelta(days=90), last=start + timedelta(days=200))
    lab = make_lab(root, WEIGHTS, tape=tape, start=start, interval="monthly", lookback=40)
    config = {"strategy": {"name": "fixed_weights", "params": {"weights": WEIGHTS}}}
    lab.mandate = replace(lab.mandate, config=config)
    done: set[int] = set()
    while len(done) < months:
        if lab.session.month not in done:
            lab.run()
            done.add(lab.session.month)
        lab.exchange.step()


def _live_through(lab: Lab, n: int) -> None:
    """Let one day happen; most are ordinary."""
    if n % 23 == 17:  # nobody woke the bot
        return
    if n % 37 == 11:
        lab.fault("status", "GET", "bars", times=0, status=503)
    if n % 61 == 20:
        raise_flag(
            lab.store, "halts/main", who="owner", at=f"{lab.exchange.now():%FT%TZ}", why="earnings week"
        )
    if n == 25:
        lab.exchange.journal(amount=Decimal(15_000))
    if n == 28:
        config = lab.mandate.config | {"execution": {"band": 0.01, "band_relative": 0.2}}
        lab.mandate = replace(lab.mandate, config=dict(config), config_digest="e" * 64, version="0.2")
    if n % 50 == 5:
        lab.run(lab.changed(dry_run=True))
    lab.run()
    lab.face.faults.clear()
    if n % 61 == 20:
        lab.resume()


def decade(root: Path, *, years: int = 10, width: int = 40, last: date = date(2026, 11, 25)) -> None:
    """Write years of daily runs over `width` symbols: an order a symbol; records of the last 30."""
    days = sessions(date(last.year - years, last.month, last.day), last)
    symbols = tuple(f"S{n:03d}" for n in range(width))
    rng = np.random.default_rng(7)
    steps = rng.normal(0.0003, 0.011, (len(days), width)).cumsum(axis=0)
    close = np.round(50 * np.exp(steps), 2)
    trades, store = SqliteTrades(root / "trades.db"), DirectoryStore(root)
    batch: dict[str, list[dict[str, object]]] = defaultdict(list)
    for n, day in enumerate(days[1:], start=1):
        record = _made_up(day, n, symbols, close, rng)
        for table, some in rows(record).items():
            batch[table] += some
        if n % 1000 == 0 or n == len(days) - 1:
            trades.add(batch)
            batch.clear()
        if (len(days) - 1 - n) % 390 == 0 or n > len(days) - 31:
            _keep(store, record, _bars(days, symbols, close, n))


def _bars(days: Sequence[date], symbols: tuple[str, ...], close: NDArray[np.float64], n: int) -> Bars:
    """Give the 400 bars before the n-th session."""
    part = slice(max(0, n - 400), n)
    grid = close[part]
    volume = np.full(grid.shape, 1e6)
    return Bars(np.array(days[part], dtype="datetime64[D]"), symbols, grid, grid, grid, grid, volume, grid)


def _keep(store: DirectoryStore, record: Document, bars: Bars) -> None:
    folder = f"runs/{record['portfolio']}/{record['session']}/{record['run_id']}"
    store.put_if_absent(f"{folder}/record.json", canonical(record))
    store.put_if_absent(f"{folder}/inputs.parquet", inputs_file(bars))
    store.put_if_absent(f"{folder}/SHA256SUMS", b"")


def _made_up(
    day: date, n: int, symbols: tuple[str, ...], close: NDArray[np.float64], rng: np.random.Generator
) -> Document:
    """Give the record of a made-up run: every symbol is traded by a little, a few not wholly."""
    price = close[n - 1]
    equity = 1_000_000.0 * float(np.mean(price / close[0])) * (1 + 0.002 * math.sin(n))
    at = datetime.combine(day, time(15), UTC)
    run_id = f"{at:%Y%m%dT%H%M%SZ}-{n:08x}"
    held = np.round(0.95 * equity / len(symbols) / price, 4)
    outcome = "halted" if n % 97 == 0 else "in_band" if n % 19 == 0 else "traded"
    orders, fills = _dealt(day, at, symbols, price, rng) if outcome == "traded" else ([], [])
    positions = [
        {"symbol": s, "qty": f"{q:.4f}", "price": f"{p:.4f}", "market_value": f"{q * p:.2f}"}
        for s, q, p in zip(symbols, held.tolist(), price.tolist(), strict=True)
    ]
    verdict = {"subject": "portfolio", "seen": "0", "allowed": "1", "detail": "a made-up check"}
    events: list[dict[str, Any]] = []
    if n % 11 == 0 or outcome == "halted":
        level = "error" if outcome == "halted" else "warning"
        events = [{"id": f"{run_id}-0", "at": f"{at:%FT%TZ}", "level": level, "stage": "validate"}]
        events[0] |= {"code": "stale", "message": f"{symbols[n % len(symbols)]}: {HOSTILE}"}
    return {
        "version": 1, "run_id": run_id, "portfolio": "main", "session": str(day), "mode": "paper",
        "dry_run": False, "outcome": outcome, "stage": "validate" if outcome == "halted" else None,
        "code": outcome, "reason": f"{outcome}: {HOSTILE}", "error": None,
        "started_at": f"{at:%FT%T}.000000Z", "finished_at": f"{at + timedelta(seconds=9):%FT%T}.500000Z",
        "equity": f"{equity:.2f}", "cash": f"{0.05 * equity:.2f}", "account_equity": f"{equity:.2f}",
        "account": None, "universe": list(symbols), "lookback": 400, "interval": "daily",
        "config": {"execution": {"band": 0.005, "band_relative": 0.2}, "n": n // 600},
        "config_digest": f"{n // 600:064x}", "code_digest": f"{n // 900:064x}", "code_version": "0.1.0",
        "inputs_digest": "0" * 64, "plan_digest": "1" * 64, "plan": None, "decision": None,
        "weights": dict.fromkeys(symbols, f"{0.95 / len(symbols):.6f}"),
        "closes": dict(zip(symbols, map(repr, price.tolist()), strict=True)),
        "positions_before": positions, "positions_after": positions if outcome == "traded" else [],
        "quotes": [], "assets": [], "actions": [], "planned": [], "holds": [],
        "orders": orders, "fills": fills,
        "verdicts": [
            verdict | {"rule": rule, "passed": outcome != "halted" or rule != "stale"}
            for rule in ("stale", "missing_session", "bad_price", "cash", "max_order_size", "max_turnover")
        ],
        "events": events, "resumed": None, "flows": [],
    }  # fmt: skip


def _dealt(
    day: date, at: datetime, symbols: tuple[str, ...], price: NDArray[np.float64], rng: np.random.Generator
) -> tuple[list[Document], list[Document]]:
    """Give one order a symbol and its fill; one in forty ends short."""
    side = rng.integers(0, 2, len(symbols))
    slip = rng.normal(0.0003, 0.0008, len(symbols))
    qty = np.round(rng.uniform(1, 30, len(symbols)), 3)
    part = np.where(rng.random(len(symbols)) < 0.025, np.round(rng.random(len(symbols)), 1), 1.0)
    orders, fills = [], []
    for i, symbol in enumerate(symbols):
        name = f"tt1-00000000-{day:%Y%m%d}-{symbol}-0"
        bought = bool(side[i])
        paid = price[i] * (1 + slip[i] * (1 if bought else -1))
        done = qty[i] * part[i]
        order = {
            "client_order_id": name, "symbol": symbol, "side": "buy" if bought else "sell",
            "type": "market", "qty": f"{qty[i]:.3f}", "limit_price": None,
            "status": "filled" if part[i] == 1 else "canceled", "filled_qty": f"{done:.4f}",
            "filled_avg_price": f"{paid:.4f}" if done else None, "submitted_at": f"{at:%FT%T}.100000Z",
            "finished_at": f"{at:%FT%T}.900000Z", "reason": "drift: +1.2% beyond the band",
            "ended": "filled" if part[i] == 1 else "timeout", "sent": True,
        }  # fmt: skip
        orders.append(order)
        if done:
            fill = {key: order[key] for key in ("client_order_id", "symbol", "side")}
            fills.append(
                fill
                | {"fill_id": f"f-{name}", "qty": f"{done:.4f}", "price": f"{paid:.4f}"}
                | {"at": f"{at:%FT%T}.800000Z"}
            )
    return orders, fills


def chromium() -> str | None:
    """Give the path of a Chromium that is installed here; None without one."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((found for name in names if (found := shutil.which(name))), None)


def at_page(config: Path, page: str, monkeypatch: pytest.MonkeyPatch, address: str = "127.0.0.1") -> AppTest:
    """Open a page of the dashboard in this process, as if it were served at `address`."""
    monkeypatch.setenv("TRIMTAB_CONFIG", str(config))
    get_config_options(force_reparse=True, options_from_flags={"server.address": address})
    app = AppTest.from_file(str(APP), default_timeout=120).run()
    return app if page == "now" else app.switch_page(f"views/{page}.py").run()


def texts(app: AppTest) -> str:
    """Give everything that a page says in words."""
    kinds = (
        "title",
        "subheader",
        "markdown",
        "caption",
        "text",
        "error",
        "warning",
        "info",
        "success",
        "code",
    )
    drawn = [_plain(element.proto.body) for element in app.get("html")]
    return "\n".join([*(str(element.value) for kind in kinds for element in app.get(kind)), *drawn])


def sheets(app: AppTest) -> dict[str, list[dict[str, str]]]:
    """Give the tables of a page by their captions: each row by the titles of its columns."""
    found = {}
    for element in app.get("html"):
        if "<table>" in (body := element.proto.body):
            (caption,) = re.findall(r"<caption[^>]*>(.*?)</caption>", body)
            head, *rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in body.split("<tr>")[1:]]
            titles = [_plain(title) for title in head]
            found[_plain(caption)] = [dict(zip(titles, map(_plain, row), strict=True)) for row in rows]
    return found


def lines(app: AppTest, one: str) -> dict[str, list[float]]:
    """Give the values of each line of the picture in whose legend this one stands."""
    (body,) = (e.proto.body for e in app.get("html") if f"<span>{one}</span>" in e.proto.body)
    (data,) = re.findall(r'data-hover="([^"]*)"', body)
    names = re.findall(r"<span>(.*?)</span>", body)
    return dict(zip(map(_plain, names), json.loads(html.unescape(data))["values"], strict=False))


def _plain(markup: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", markup))
