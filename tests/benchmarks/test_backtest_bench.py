from __future__ import annotations

import math
import re
import sys
from dataclasses import replace

import numpy as np
import pytest

from script_kit import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))

import chart
import market
import ours
import reference
from work import CASH_USD, COST_RATE, ITEMS, Fixed, Item, Momentum, Task, Terms, period_ends

import backtest

SYMBOLS, SESSIONS = 40, 600


def small(item: Item, rule: Fixed | Momentum) -> Task:
    """Give an item's task on a small market, of the benchmark's shares of late and delisted symbols."""
    fixed = isinstance(rule, Fixed)
    universe = market.UNIVERSES[0] if fixed else market.Universe("small", SYMBOLS)
    close = market.closes(universe, SESSIONS)
    return Task(
        replace(item, rules=(rule,)), market.calendar(SESSIONS), market.names(universe.symbols), close
    )


TASKS = {
    "W1": small(ITEMS["W1"], ITEMS["W1"].rules[0]),
    "W2": small(ITEMS["W2"], Momentum(252, 12)),
    "W3": small(ITEMS["W3"], Momentum(252, 12)),
    "W4": small(ITEMS["W4"], Momentum(105, 5)),
}


@pytest.mark.parametrize("name", TASKS)
def test_trimtab_computes_what_the_plain_loop_computes(name: str) -> None:
    """On every kind of work, the equity at every session is the reference's, and so is every trade."""
    task = TASKS[name]
    [rule] = task.item.rules
    expected = reference.backtest(task.close, rule, Terms(task.decisions()))
    found = ours.play(task, ours.bars(task), rule, "exact")
    np.testing.assert_allclose(found.equity["equity"], expected.equity, rtol=1e-9)
    np.testing.assert_array_equal(found.equity["session"], task.sessions)

    trades = found.trades.sort("session", "symbol")
    np.testing.assert_array_equal(trades["session"], task.sessions[expected.rows])
    np.testing.assert_array_equal(trades["symbol"], np.array(task.symbols)[expected.columns])
    np.testing.assert_array_equal(trades["side"] == "buy", expected.quantity > 0)
    np.testing.assert_allclose(trades["qty"], np.abs(expected.quantity), rtol=1e-7)
    np.testing.assert_allclose(trades["price"], expected.price)
    np.testing.assert_allclose(trades["cost"], expected.cost, rtol=1e-7)


@pytest.mark.parametrize("name", TASKS)
def test_what_is_measured_is_that_backtest(name: str) -> None:
    """What the benchmark times for Trimtab and for the loop gives the same curves."""
    task = TASKS[name]
    curves = ours.contender(task, "exact")(task.item.rules)
    np.testing.assert_allclose(curves, reference.contender(task, "-")(task.item.rules), rtol=1e-9)


def test_the_small_market_has_what_makes_it_hard() -> None:
    """Symbols are listed late and delisted early, and one that was held is sold after its last close."""
    task = TASKS["W2"]
    late, gone = np.isnan(task.close[0]), np.isnan(task.close[-1])
    assert (late.sum(), gone.sum()) == (12, 10)
    found = reference.backtest(task.close, task.item.rules[0], Terms(task.decisions()))
    assert np.isnan(task.close[found.rows, found.columns]).any()


def test_prices_are_whole_cents_without_a_gap() -> None:
    """Between its first close and its last, a symbol has one at every session, of whole cents."""
    close = TASKS["W2"].close
    for column in close.T:
        listed = np.flatnonzero(~np.isnan(column))
        assert len(listed) == listed[-1] - listed[0] + 1
        np.testing.assert_allclose(column[listed] * 100, np.rint(column[listed] * 100), atol=1e-6)


def test_the_items_decide_as_often_as_they_say() -> None:
    """Over 5,040 sessions, 240 months end, 228 of them after the first year, and 993 weeks."""
    sessions = market.calendar(market.SESSIONS)
    months, weeks = period_ends(sessions, "month"), period_ends(sessions, "week")
    assert (len(months), (months >= 252).sum(), (weeks >= 252).sum()) == (240, 228, 993)
    assert max(months[-1], weeks[-1]) < market.SESSIONS - 1
    assert len(ITEMS["W4"].rules) == 100


def test_the_reference_keeps_its_books() -> None:
    """Cash that its trades leave, and what they bought at the last closes, are its last equity."""
    task = TASKS["W3"]
    found = reference.backtest(task.close, task.item.rules[0], Terms(task.decisions()))
    np.testing.assert_allclose(found.cost, COST_RATE * np.abs(found.quantity * found.price))
    cash = CASH_USD - (found.quantity * found.price).sum() - found.cost.sum()
    held = np.bincount(found.columns, found.quantity, SYMBOLS)
    assert cash + held @ reference.last_closes(task.close) == pytest.approx(found.equity[-1], rel=1e-12)


def test_the_reference_by_hand() -> None:
    """Half in a symbol at 10 that goes to 20 and is delisted: bought, held at its last close, and sold."""
    close = np.array([[10.0, 5.0], [20.0, 5.0], [np.nan, 5.0], [np.nan, 6.0]])
    first = reference.backtest(close, Fixed((0.5, 0.0)), Terms(np.array([0]), 0.001, 0.002))
    np.testing.assert_allclose(first.equity, np.array([999_500.0, 1_499_500.0, 1_499_500.0, 1_499_500.0]))
    second = reference.backtest(close, Fixed((0.5, 0.0)), Terms(np.array([0, 2]), 0.001, 0.002))
    sold = 1_000_000.0 - 0.5 * 1_499_500.0
    assert second.equity[-1] == pytest.approx(1_499_500.0 - 0.002 * sold)
    assert (second.quantity[-1], second.price[-1]) == (pytest.approx(-sold / 20.0), 20.0)


def measured(contender: backtest.Contender, item: str, seconds: float, difference: float) -> backtest.Series:
    """Give what one process would have found."""
    found = {
        "seconds": seconds,
        "peak_bytes": 242e6,
        "imported_bytes": 27e6,
        "prices_bytes": 121e6,
        "difference": difference,
    }
    return backtest.Series(contender, item, [found])


def test_results_become_a_table_and_a_chart() -> None:
    """Seconds stand beside their multiple of the loop's, and what was skipped is named so."""
    exact, live = backtest.CONTENDERS[1:3]
    peer = next(each for each in backtest.CONTENDERS if each.name == "bt")
    everything = [
        measured(backtest.REFERENCE, "W3", 0.2, 0.0),
        measured(exact, "W3", 0.1, 1e-15),
        measured(live, "W3", 3.0, 0.5),
        backtest.Series(peer, "W3", skipped="no wheel"),
    ]
    found = backtest.document(everything)
    assert backtest.table(found).splitlines()[2:] == [
        "| numpy loop | 0.2 (1) | 242 (2.0) | 0e+00 |",
        "| Trimtab, exact | 0.1 (0.5) | 242 (2.0) | 1e-15 |",
        "| Trimtab, live | 3 (15) | 242 (2.0) | plans itself |",
        f"| bt {backtest.locked_versions()['bt']} | skipped |  |  |",
    ]
    assert chart.draw(found).count("<rect ") == 1 + 3


def test_a_curve_that_differs_is_told() -> None:
    """So is one that ought to differ and does not: the bot's plan is not the weights as given."""
    exact, live = backtest.CONTENDERS[1:3]
    assert backtest.disagreements([measured(exact, "W1", 1.0, 1e-12), measured(live, "W1", 1.0, 0.1)]) == []
    for wrong in (measured(exact, "W1", 1.0, 2e-9), measured(live, "W1", 1.0, 0.0)):
        assert len(backtest.disagreements([wrong])) == 1
    assert len(backtest.disagreements([measured(exact, "W1", 1.0, math.nan)])) == 1


def test_the_readme_has_a_place_for_the_table() -> None:
    """The command replaces what is between two marks, each there once."""
    text = backtest.README.read_text()
    assert (text.count(backtest.BEGIN), text.count(backtest.END)) == (1, 1)
    assert text.index(backtest.BEGIN) < text.index(backtest.END)


def test_the_peers_lock_holds_pins_and_hashes_only() -> None:
    """Every line pins one version with its hashes, and every peer is among them."""
    text = re.sub(r"^ *#.*\n", "", backtest.LOCK.read_text().replace("\\\n", " "), flags=re.MULTILINE)
    entries = [line for line in text.splitlines() if line and not line.startswith(" ")]
    assert all(re.match(r"[\w.-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line) for line in entries)
    assert {each.package for each in backtest.CONTENDERS if each.is_peer} <= set(backtest.locked_versions())
