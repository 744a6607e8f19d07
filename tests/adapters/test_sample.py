"""The embedded market: real prices where installed, else made of a seed and the symbols' names."""

from __future__ import annotations

import subprocess
import sys
from datetime import date

import numpy as np
import pytest

from trimtab.adapters.files import read_frame
from trimtab.adapters.sample import SAMPLE_SPLITS, embedded, sample, sample_file, synthetic
from trimtab.core.nyse import sessions
from trimtab.errors import Misconfigured

FILE = sample_file()
installed = pytest.mark.skipif(FILE is None, reason="bokeh_sampledata (group demo) is not installed")


@installed
def test_the_sample_is_as_traded() -> None:
    """At each known split the raw close falls by about half, and the split is on the tape."""
    tape = sample()
    for (symbol, day), shares in SAMPLE_SPLITS.items():
        row, column = tape.sessions.tolist().index(date.fromisoformat(day)), tape.symbols.index(symbol)
        assert tape.split[row, column] == shares
        assert tape.close[row, column] / tape.close[row - 1, column] == pytest.approx(1 / shares, abs=0.06)
    assert np.count_nonzero(tape.split != 1.0) == len(SAMPLE_SPLITS)


@installed
def test_the_samples_dividends_are_those_that_were_paid() -> None:
    """Microsoft's 3.08 USD of 2004 and Apple's 2.65 of 2012 come out of adj_close; Google paid none."""
    tape = sample()

    def paid(symbol: str) -> dict[date, float]:
        column = tape.dividend[:, tape.symbols.index(symbol)]
        return {tape.sessions[i].item(): column[i] for i in np.flatnonzero(column)}

    assert paid("MSFT")[date(2004, 11, 15)] == pytest.approx(3.08)
    assert set(paid("AAPL").values()) == {2.65}
    assert len(paid("IBM")) == 52
    assert paid("GOOG") == paid("FB") == {}


@installed
@pytest.mark.parametrize("symbol", ["AAPL", "IBM", "MSFT"])
def test_fully_adjusted_the_sample_is_its_adj_close(symbol: str) -> None:
    """Over thirteen years `all` agrees with the file's adj_close to half a percent."""
    assert FILE is not None
    theirs = read_frame(FILE).filter(symbol=symbol).sort("date")["adj_close"].to_numpy()
    ours = sample([symbol]).bars([symbol], date(2000, 1, 1), date(2013, 12, 31), "all").close[:, 0]
    np.testing.assert_allclose(ours / ours[-1], theirs / theirs[-1], rtol=5e-3)


@installed
def test_the_sample_keeps_the_exchanges_sessions() -> None:
    """Its sessions are the NYSE's by rule, from 2000-03-01 to 2013-03-01, and it has no caveat."""
    tape = sample(["IBM"])
    assert tape.sessions.tolist() == sessions(date(2000, 3, 1), date(2013, 3, 1))
    assert tape.caveats == ()
    assert (tape.symbols, tape.name) == (("IBM",), "real daily prices 2000-2013 (bokeh_sampledata)")


@installed
def test_the_sample_refuses_what_it_does_not_hold() -> None:
    """A symbol outside the sample is named, with those allowed."""
    with pytest.raises(Misconfigured, match=r"SPY.*allowed: AAPL, FB"):
        sample(["IBM", "SPY"])


@installed
def test_finding_the_sample_imports_neither_it_nor_pandas() -> None:
    """The file is found and read without the package's own code and without pandas."""
    code = (
        "import sys; from trimtab.adapters.sample import embedded; print(embedded(['IBM']).name);"
        "print(sorted({'pandas', 'bokeh_sampledata'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split("\n")[:2] == ["real daily prices 2000-2013 (bokeh_sampledata)", "[]"]


@installed
def test_embedded_takes_the_sample_only_where_it_holds_every_symbol() -> None:
    """One symbol outside the sample makes the whole market synthetic, and the name says which it is."""
    assert embedded(["AAPL", "IBM"]).name.startswith("real daily prices")
    assert embedded(["AAPL", "SPY"]).name == "synthetic market, seed 1"


def test_synthetic_prices_follow_from_seed_and_name_alone() -> None:
    """The same seed and name give the same prices whatever else is asked for; another of either does not."""
    alone, among = synthetic(["SPY"]), synthetic(["ZZ", "SPY", "BRK.B"])
    assert among.symbols == ("BRK.B", "SPY", "ZZ")
    np.testing.assert_array_equal(alone.close[:, 0], among.close[:, 1])
    assert not np.array_equal(among.close[:, 0], among.close[:, 1])
    assert not np.array_equal(alone.close, synthetic(["SPY"], seed=2).close)


def test_synthetic_prices_do_not_change_between_versions() -> None:
    """A tape of a seed is a fixture: its first and last close stay what they are."""
    close = synthetic(["SPY"]).close[:, 0]
    assert (close[0], close[-1]) == pytest.approx((39.21, 43.32), abs=0.011)


def test_synthetic_bars_are_possible() -> None:
    """Whole cents above zero, low <= open, close <= high, volumes of whole shares, on the NYSE's sessions."""
    tape = synthetic([f"S{i}" for i in range(40)], seed=3)
    prices = np.stack([tape.open, tape.high, tape.low, tape.close])
    assert np.all(prices > 0.0)
    np.testing.assert_array_equal(prices, np.round(prices, 2))
    assert np.all(tape.low <= np.minimum(tape.open, tape.close))
    assert np.all(tape.high >= np.maximum(tape.open, tape.close))
    np.testing.assert_array_equal(tape.volume, np.round(tape.volume))
    assert 1e6 < np.median(tape.volume) < 1e7
    assert tape.sessions.tolist() == sessions(tape.sessions[0].item(), tape.sessions[-1].item())
    assert tape.caveats == ()


def test_synthetic_returns_look_like_a_market() -> None:
    """Tails are fat, the symbols move together, no day passes 25 %, and a year's volatility is a stock's."""
    returns = np.diff(np.log(synthetic([f"S{i}" for i in range(20)]).close), axis=0)
    kurtosis = np.mean(((returns - returns.mean(0)) / returns.std(0)) ** 4, axis=0)
    assert np.median(kurtosis) > 4.0
    assert np.median(np.corrcoef(returns.T)[np.triu_indices(20, 1)]) > 0.2
    assert np.abs(returns).max() < 0.25
    assert np.all((returns.std(0) * 252**0.5 > 0.05) & (returns.std(0) * 252**0.5 < 0.6))


def test_a_market_needs_symbols() -> None:
    """No symbols, no market."""
    with pytest.raises(ValueError, match="one symbol or more"):
        synthetic([])
