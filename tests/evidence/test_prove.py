"""Proof: each planted cheat is found by its own name; what is pure passes; nothing is left changed."""

from __future__ import annotations

import functools
import importlib
import linecache
import os
import random
import sys
import time
import uuid
import warnings
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

from strategies.histories import walk
from strategies.test_strategies_laws import MADE
from trimtab.adapters.strategy_loader import resolve
from trimtab.core.bars import FIELDS, Bars
from trimtab.errors import Halted
from trimtab.evidence.prove import CHECKS, Proof, prove
from trimtab.show.page import Page
from trimtab.show.proof import proof_text
from trimtab.strategies import BUILT_IN, equal_weight

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from trimtab.core.bars import History
    from trimtab.core.mandate import Rule

SIX = ("A", "B", "C", "D", "E", "F")
SESSIONS = 340
ROWS = np.arange(290, SESSIONS - 1, 6)
HALF = {"A": 0.5}


def made_bars(seed: int = 3) -> Bars:
    """Give 340 sessions of six symbols, each field in memory of its own; the last one lists late."""
    days = np.arange(np.datetime64("2020-01-01"), np.datetime64("2020-01-01") + SESSIONS)
    close = walk(SESSIONS, len(SIX), seed)
    close[:30, -1] = np.nan
    return Bars(days, SIX, close * 0.99, close * 1.01, close * 0.98, close, close * 1e6, close.copy())


def codes(strategy: Rule, bars: Bars | None = None) -> set[str]:
    """Give the codes that a proof over a few decisions finds."""
    return {finding.code for finding in prove(strategy, bars or made_bars(), ROWS).findings}


def best(prices: NDArray[np.float64]) -> dict[str, float]:
    """Give everything to what rises the most from the first row to the last."""
    return {SIX[int(np.nanargmax(prices[-1] / prices[0]))]: 1.0}


def behind(history: History) -> Any:  # noqa: ANN401 - an array, by the owner's own word
    """Give the memory behind a read-only view, which goes on after the decision."""
    return history.close.base


def after(bars: Bars, history: History) -> int:
    """Give the row of the session after the decision."""
    return int(np.searchsorted(bars.sessions, history.sessions[-1])) + 1


def over(bars: Bars, look: Callable[[Bars, int], NDArray[np.float64]]) -> Rule:
    """Give a strategy that closes over bars."""
    return lambda history, _: best(look(bars, after(bars, history)))


def remembered(bars: Bars) -> Rule:
    """Give a strategy whose look ahead is kept from the first time on."""
    chosen = functools.cache(lambda n: best(bars.close[n - 1 : n + 1]))
    return lambda history, _: chosen(after(bars, history))


AHEAD: dict[str, Callable[[Bars], Rule]] = {
    "through a view's memory": lambda _: lambda history, __: best(behind(history)[-2:]),
    "through it, or failing": lambda bars: (
        lambda history, _: {"A": behind(history)[after(bars, history), 0] / 1e3}
    ),
    "tomorrow, closed over": lambda bars: over(bars, lambda b, n: b.close[n - 1 : n + 1]),
    "the whole history": lambda bars: over(bars, lambda b, _: b.close),
    "tomorrow's open": lambda bars: over(bars, lambda b, n: np.stack([b.close[n - 1], b.open[n]])),
    "a view kept apart": lambda bars: partial(lambda view, _, __: best(view), bars.close[-40:]),
    "who survives": lambda bars: lambda _, __: {"A": float(np.mean(~np.isnan(bars.close[-1])))},
    "one symbol's next return": lambda bars: (
        lambda history, _: {"A": float(bars.close[after(bars, history), 3] > history.close[-1, 3])}
    ),
    "what functools remembers": remembered,
}


@pytest.mark.parametrize("lookback", [None, 60])
@pytest.mark.parametrize("make", AHEAD.values(), ids=AHEAD)
def test_the_future(make: Callable[[Bars], Rule], lookback: int | None) -> None:
    """Behind the views, or in the caller's own arrays: two decisions are enough to find it."""
    bars = made_bars()
    proof = prove(make(bars), bars, ROWS[[0, -1]], lookback=lookback)
    assert {finding.code for finding in proof.findings} == {"looks_ahead"}


def counter() -> Rule:
    calls = 0

    def strategy(_: History, __: float) -> dict[str, float]:
        nonlocal calls
        calls += 1
        return {"A": 1.0 / calls}

    return strategy


def smoothed() -> Rule:
    last: dict[str, float] = {}

    def strategy(history: History, _: float) -> dict[str, float]:
        fresh = float(history.close[-1, 0] / history.close[-60:, 0].max())
        last["A"] = 0.5 * last.get("A", 0.0) + 0.5 * fresh
        return dict(last)

    return strategy


def mutable_default(history: History, _: float, seen: list[Any] = []) -> dict[str, float]:  # noqa: B006 - the cheat
    seen.append(history.sessions[-1])
    return {"A": 1.0 / len(seen)}


def memo_by_session() -> Rule:
    """Give a strategy that answers each session as it did the first time, future and all."""
    memo: dict[Any, dict[str, float]] = {}

    def strategy(history: History, _: float) -> dict[str, float]:
        today = history.sessions[-1]
        if today not in memo:
            memo[today] = best(behind(history)[-2:])
        return memo[today]

    return strategy


class Object:
    """A strategy as an object."""

    def __init__(self) -> None:
        self.peak = 0.0

    def __call__(self, history: History, _: float) -> dict[str, float]:
        """Compare with the peak so far."""
        self.peak = max(self.peak, float(history.close[-1, 0]))
        return {"A": float(history.close[-1, 0]) / self.peak}

    def idle(self, history: History, _: float) -> dict[str, float]:
        """Keep something that no weight depends on."""
        self.peak = float(history.close[-1, 0])
        return HALF


STATES: dict[str, Callable[[], Rule]] = {
    "a counter": counter,
    "the last weights": smoothed,
    "a mutable default": lambda: mutable_default,
    "answers by session": memo_by_session,
    "an object": Object,
    "an object's method, without effect": lambda: Object().idle,
}


@pytest.mark.parametrize("make", STATES.values(), ids=STATES)
def test_hidden_state(make: Callable[[], Rule]) -> None:
    """What is kept between two decisions is found: from the answers, or from what was kept."""
    assert codes(make()) == {"keeps_state"}


def test_an_answer_of_another_order_is_state() -> None:
    """What depends only on the session asked before is found by asking in another order."""
    asked: list[Any] = [np.datetime64("2000-01-01")]

    def strategy(history: History, _: float) -> dict[str, float]:
        if history.sessions[-1] != asked[-1]:
            asked.append(history.sessions[-1])
        return HALF if asked[-2] < asked[-1] else {}

    messages = [finding.message for finding in prove(strategy, made_bars(), ROWS).findings]
    assert "asked in another order, it answers otherwise" in messages


def but(act: Callable[[], object]) -> Rule:
    """Give a strategy that does something, and half A whatever comes of it."""
    return lambda _, __: {"A": (act(), 0.5)[1]}


CLOCKS: dict[str, Callable[[], object]] = {
    "time": time.time,
    "time in nanoseconds": time.time_ns,
    "local time": time.localtime,
    "performance counter": time.perf_counter,
    "now": lambda: datetime.now(UTC),
    "today": date.today,
    "numpy's now": lambda: np.datetime64("now"),
}


@pytest.mark.parametrize("read", CLOCKS.values(), ids=CLOCKS)
def test_a_clock_is_found_even_where_it_changes_nothing(read: Callable[[], object]) -> None:
    """Reading it is enough."""
    assert codes(but(read)) == {"reads_clock"}


def test_a_clock_behind_a_condition_is_found() -> None:
    """One decision in nine that reads it is enough, and is named."""
    bars = made_bars()
    late = bars.sessions[ROWS[-1]]

    def strategy(history: History, _: float) -> dict[str, float]:
        return {"A": time.time() * 0.0} if history.sessions[-1] == late else {}

    (finding,) = prove(strategy, bars, ROWS).findings
    assert (finding.code, finding.session) == ("reads_clock", str(late))
    assert finding.seen.startswith("time.time, test_prove.py line ")


CHANCES: dict[str, Callable[[], Rule]] = {
    "random": lambda: lambda _, __: {"A": random.random()},
    "random, without effect": lambda: but(random.random),
    "a choice": lambda: lambda _, __: {random.choice(SIX): 1.0},
    "numpy's shared": lambda: lambda _, __: {"A": float(np.random.rand())},  # noqa: NPY002 - the cheat
    "numpy's unseeded": lambda: lambda _, __: {SIX[int(np.random.default_rng().integers(6))]: 1.0},
    "an unseeded Random": lambda: but(lambda: random.Random().random()),
    "a kept generator": lambda: partial(drawn, np.random.default_rng(1)),
    "a kept Random": lambda: partial(drawn, random.Random(1)),
    "urandom": lambda: but(lambda: os.urandom(2)),
    "uuid": lambda: but(uuid.uuid4),
    "SystemRandom": lambda: partial(drawn, random.SystemRandom()),
}


def drawn(generator: Any, _: History, __: float) -> dict[str, float]:  # noqa: ANN401 - Python's or numpy's
    return {"A": float(generator.random())}


@pytest.mark.parametrize("make", CHANCES.values(), ids=CHANCES)
def test_chance(make: Callable[[], Rule]) -> None:
    """Any generator that does not begin from a seed within the decision is found, and is not called state."""
    assert codes(make()) == {"uses_chance"}


SEEDED: dict[str, Rule] = {
    "numpy's generator": lambda _, __: {"A": float(np.random.default_rng(7).random())},
    "Python's generator": lambda _, __: {"A": random.Random(7).random()},
    "the shared one, seeded anew": lambda _, __: {"A": random.seed(7) or random.random()},
}


@pytest.mark.parametrize("strategy", SEEDED.values(), ids=SEEDED)
def test_a_generator_seeded_in_the_decision_is_no_chance(strategy: Rule) -> None:
    """The same draws each time are a function of the seed."""
    assert codes(strategy) == set()


OUTSIDE: dict[str, Callable[[Path], object]] = {
    "a file": lambda file: file.read_text(),
    "a frame": pl.read_csv,
    "an array": lambda file: np.loadtxt(file, dtype=str),
    "whether a file is there": lambda file: file.exists(),
    "a folder": lambda file: list(file.parent.iterdir()),
    "the environment": lambda _: os.environ.get("HOME"),
    "the environment by key": lambda _: "HOME" in os.environ,
}


@pytest.mark.parametrize("read", OUTSIDE.values(), ids=OUTSIDE)
def test_what_is_outside(read: Callable[[Path], object], tmp_path: Path) -> None:
    """Files, folders and the environment are found, be it that only the first decision reads them."""
    file = tmp_path / "note.csv"
    file.write_text("session,symbol\n2020-01-01,A\n")
    assert codes(but(lambda: read(file))) == {"reads_outside"}
    assert "reads_outside" in codes(but(functools.cache(lambda: read(file))))


def test_a_file_read_beforehand_is_named_as_untried() -> None:
    """A frame of prices can't be given another future; the proof says where it lies."""
    bars = made_bars()
    frame = bars.frame()
    untried = prove(lambda _, __: {"A": float(frame["close"].sum() > 0)}, bars, ROWS).unchecked
    assert any(line.startswith("frame, a DataFrame") for line in untried)
    other = made_bars(4)
    untried = prove(over(other, lambda b, n: b.close[n - 1 : n + 1]), bars, ROWS).unchecked
    assert any(line.startswith("bars, a Bars") for line in untried)
    assert not prove(over(bars, lambda b, n: b.close[:n]), bars, ROWS).unchecked


def test_what_python_reads_for_itself_is_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Imports within a decision, a warning's source line, a library's own settings are no reading outside."""
    (tmp_path / "this_is_nowhere_else.py").write_text("HALF = 0.5\n")
    monkeypatch.syspath_prepend(tmp_path)

    def strategy(history: History, _: float) -> dict[str, float]:
        lazy = importlib.import_module("this_is_nowhere_else")
        means = history.frame().group_by("symbol").agg(pl.col("close").mean()).sort("symbol")
        linecache.clearcache()
        warnings.formatwarning("a warning's text", UserWarning, __file__, 1)
        return {means["symbol"][0]: lazy.HALF}

    assert codes(strategy) == set()
    del sys.modules["this_is_nowhere_else"]


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_is_proven(name: str) -> None:
    """Nothing is found in what ships, on part of the history or all of it."""
    bars = made_bars()
    strategy = MADE[name](SIX)
    for lookback in (None, strategy.lookback_sessions):
        proof = prove(strategy, bars, ROWS[-4:], lookback=lookback)
        assert proof == Proof(4, (), 4)


def test_a_strategy_from_the_configuration_is_proven(tmp_path: Path) -> None:
    """What the loader wraps is looked into: the owner's module is watched like a function."""
    (tmp_path / "owners_rule.py").write_text(
        "calls = []\n\ndef rule(history, equity):\n    calls.append(equity)\n    return {'A': 0.5}\n"
    )
    (finding,) = prove(resolve("owners_rule:rule", None, tmp_path, {}), made_bars(), ROWS).findings
    del sys.modules["owners_rule"]
    assert (finding.code, finding.message) == ("keeps_state", "it changes what it keeps: decide.calls")


def raw(bars: Bars) -> list[bytes]:
    """Give every byte of the bars."""
    return [np.ascontiguousarray(getattr(bars, name)).tobytes() for name in (*FIELDS, "raw_close")]


class Stopped(BaseException):
    """As a key that was pressed."""


@pytest.mark.parametrize("error", [ValueError, Stopped])
@pytest.mark.parametrize("call", [3, 20, 30, 34])
def test_the_bars_are_as_they_were_whatever_is_raised(call: int, error: type[BaseException]) -> None:
    """Each byte is put back where a question in another future fails, and the profiler too."""
    bars, calls = made_bars(), []
    before, profiler = raw(bars), sys.getprofile()

    def strategy(history: History, _: float) -> dict[str, float]:
        calls.append(1)
        if len(calls) == call:
            raise error("no more")
        return {"A": 0.5 * float(history.close[-1, 0] > 0)}

    with suppress(ValueError, Stopped):
        prove(strategy, bars, ROWS)
    assert len(calls) >= call
    assert (raw(bars), sys.getprofile()) == (before, profiler)
    assert not bars.close.flags.writeable


def test_what_a_strategy_raises_is_raised_with_its_session() -> None:
    """An error on the true past is no finding."""
    bars = made_bars()
    with pytest.raises(ZeroDivisionError) as caught:
        prove(lambda history, _: {"A": 1.0 / (len(history.sessions) - SESSIONS + 2)}, bars, [SESSIONS - 3])
    assert caught.value.__notes__ == [f"the strategy was deciding at the close of {bars.sessions[-3]}"]
    with pytest.raises(Halted, match=r"weight_negative.*2020-12-04"):
        prove(lambda _, __: {"A": -1.0}, bars, [SESSIONS - 2])


def test_memory_that_cannot_be_written_is_copied_and_named(tmp_path: Path) -> None:
    """A broadcast volume and a file's prices are tried on copies; the others still in place."""
    bars = made_bars()
    file = tmp_path / "close.npy"
    np.save(file, bars.close)
    volume = np.broadcast_to(1e6, bars.close.shape)
    bars = replace(bars, close=np.load(file, mmap_mode="r+"), volume=volume)
    before, on_disk = raw(bars), file.read_bytes()
    proof = prove(equal_weight(SIX), bars, ROWS)
    assert [line.split()[0] for line in proof.unchecked] == ["close", "volume"]
    assert not proof.findings
    assert codes(AHEAD["through a view's memory"](bars), bars) == {"looks_ahead"}
    assert codes(over(bars, lambda b, n: b.open[n - 1 : n + 1]), bars) == {"looks_ahead"}
    assert (raw(bars), file.read_bytes()) == (before, on_disk)


def test_fields_that_share_memory_are_changed_once() -> None:
    """One array for all fields is written in place; two that overlap are not."""
    bars = made_bars()
    closes = np.vstack([bars.close, bars.close[-1:]])
    shared = Bars(bars.sessions, SIX, *[closes[1:]] * 6)
    assert prove(equal_weight(SIX), shared, ROWS) == Proof(len(ROWS), (), len(ROWS))
    shifted = Bars(bars.sessions, SIX, closes[:-1], *[closes[1:]] * 5)
    proof = prove(lambda history, _: best(history.close[-60:]), shifted, ROWS)
    assert not proof.findings
    assert proof.unchecked


def test_the_futures_are_bounded_and_the_progress_told() -> None:
    """Most decisions are asked thrice, a few nine times; the first and the last are among the few."""
    asked, told = list[Any](), list[float]()

    def strategy(history: History, _: float) -> dict[str, float]:
        asked.append(history.sessions[-1])
        return HALF

    bars = made_bars()
    proof = prove(strategy, bars, range(100, 139), most=4, progress=told.append)
    assert (proof.decisions, proof.futures) == (39, 4)
    often = [row for row in range(100, 139) if asked.count(bars.sessions[row]) > 3]
    assert (len(often), often[0], often[-1]) == (4, 100, 138)
    assert len(asked) == 39 * 3 + 4 * 6
    assert (told, told[-1]) == (sorted(told), 1.0)
    assert prove(equal_weight(SIX), bars, []) == Proof(0, ())


def test_the_document_and_the_page_say_the_same() -> None:
    """A line a check; where one fails, the first finding, what was seen, what to do."""
    document = prove(but(time.time_ns), made_bars(), ROWS[:3]).document()
    assert [check["check"] for check in document["checks"] if not check["passed"]] == ["clock"]
    (finding,) = document["findings"]
    assert (finding["session"], finding["hint"]) == ("2020-10-17", CHECKS["clock"][1])
    lines = proof_text(document, Page(width=110)).splitlines()
    assert lines[0] == "Proof 3 decisions, 3 of them with other later prices"
    assert [line.split()[1] for line in lines if line.startswith("  ok")] == [
        c for c in CHECKS if c != "clock"
    ]
    assert lines[3] == "  FAIL  clock   2020-10-17: while it decides, it uses time.time_ns"
    assert lines[4].startswith("                seen: time.time_ns, test_prove.py line ")
    assert lines[5].strip() == f"Next: {CHECKS['clock'][1]}"


def test_what_is_kept_is_named_and_further_findings_are_counted() -> None:
    """The finding says which variable changed, from what, to what; every line fits the page."""
    proof = prove(counter(), made_bars(), ROWS[:2])
    told = {finding.message: finding.seen for finding in proof.findings}
    assert told["it changes what it keeps: calls"].startswith("0 before, ")
    text = proof_text(proof.document(), Page(width=60))
    assert "(and 1 more)" in " ".join(text.split())
    assert "untried looking ahead" in text
    assert max(map(len, text.splitlines())) <= 60
