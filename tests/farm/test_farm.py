from __future__ import annotations

import json
from typing import TYPE_CHECKING

import polars as pl
import pytest

from farm_kit import Cloud, cloud
from s3_kit import BUCKET
from script_kit import load_script
from sweeping.kit import SYMBOLS, laid_out, made_up
from trimtab.adapters.sweep import prices_file, read_prices_file
from trimtab.cli import main
from trimtab.core.record import inputs_digest
from trimtab.errors import Misconfigured
from trimtab.farm import demand_affordable, estimate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

app = load_script("functions/backtest/app.py")

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:backtest"
PREFIX = f"s3://{BUCKET}/sweeps"
CELLS, FAILING = 50, 5
GRID = {
    "params": {"lookback": {"from": 18, "to": 67, "step": 1}, "skip": 22, "top_n": 2},
    "universes": {"all": list(SYMBOLS)},
    "walk_forward": {"train": 400, "test": 200},
    "plan": "exact",
}
"""A look-back must be longer than what is skipped: 18 to 22 are refused."""


@pytest.fixture(scope="module")
def region() -> Iterator[Cloud]:
    """Give a region with the function of a sweep."""
    with cloud(backtest=app.handler) as made:
        yield made


def swept(folder: Path, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, dict[str, object]]:
    """Sweep in a folder, and give the exit status and the document."""
    capsys.readouterr()
    files = ("--config", "config.json", "--grid", "grid.json", "--data", "bars.parquet")
    paths = [str(folder / word) if "." in word else word for word in files]
    status = main(["sweep", *paths, "--out", str(folder / more[0]), "--json", *more[1:]])
    return status, json.loads(capsys.readouterr().out)


def on_aws(region: Cloud, limit: str = "5") -> tuple[str, ...]:
    """Give the flags that sweep there."""
    machine = region.machine("sweep", BacktestFunctionArn=FUNCTION)
    return ("--on", "aws", "--machine", machine, "--to", PREFIX, "--cost-limit", limit)


def test_a_sweep_on_aws_gives_the_bytes_of_one_here(
    region: Cloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """50 cells, 5 of which fail: tried three times, told with their reasons, gathered with the others.

    Lambda refuses one call and a function dies in another: both are made again.
    """
    laid_out(tmp_path, **GRID)
    region.faults[:] = [(429, "TooManyRequestsException"), (200, "Runtime.ExitError")]
    status, there = swept(tmp_path, capsys, "there", *on_aws(region))
    assert status == 3
    assert (there["cells"], there["played"], there["failed"]) == (CELLS, CELLS, FAILING), there["failures"]
    played = [cell["params"]["lookback"] for call in region.calls for cell in call["cells"]]
    assert {played.count(lookback) for lookback in range(19, 23)} <= {3, 4}  # 4: Lambda refused one of them
    assert set(played) == set(range(19, 68))  # the first is played here, to know what one takes

    status, here = swept(tmp_path, capsys, "here", "--workers", "1")
    assert status == 3
    assert (tmp_path / "there/results.parquet").read_bytes() == (
        tmp_path / "here/results.parquet"
    ).read_bytes()
    assert {name: value for name, value in there.items() if name != "written"} == {
        name: value for name, value in here.items() if name != "written"
    }
    told = pl.read_parquet(tmp_path / "there/results.parquet")["failed_message"].drop_nulls()
    assert len(told) == FAILING
    assert all("lookback" in message for message in told)

    before = len(region.calls)
    (tmp_path / "there/cells.db").unlink()
    status, again = swept(tmp_path, capsys, "there", *on_aws(region))
    assert (status, again["played"]) == (3, FAILING)
    assert {c["params"]["lookback"] for call in region.calls[before:] for c in call["cells"]} == {
        19,
        20,
        21,
        22,
    }


def test_nothing_is_started_above_the_cost_limit(
    region: Cloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor put into the bucket."""
    laid_out(tmp_path, **GRID | {"cost_bps": 3})
    before = len(region.calls)
    status, document = swept(tmp_path, capsys, "out", *on_aws(region, "0.0000001"))
    assert status == 2
    assert document["error"]["code"] == "cost_limit"  # type: ignore[index]  # an error's document
    assert len(region.calls) == before


@pytest.mark.parametrize(
    ("flags", "seen"),
    [
        (("--to", PREFIX), "no --machine"),
        (("--machine", "arn:aws:states:us-east-1:1:stateMachine:x"), "no --to"),
        (("--machine", "x", "--to", PREFIX), "x"),
        (("--machine", "arn:aws:states:us-east-1:1:stateMachine:x", "--to", "folder"), "folder"),
    ],
)
def test_a_place_that_is_none_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], seen: str
) -> None:
    """With what is missing."""
    laid_out(tmp_path, **GRID)
    status, document = swept(tmp_path, capsys, "out", "--on", "aws", *flags)
    assert status == 2
    assert seen in document["error"]["seen"]  # type: ignore[index, operator]  # an error's document


def test_a_function_of_other_code_plays_nothing(region: Cloud, tmp_path: Path) -> None:
    """Its results would bear the name of another's."""
    del region
    store = app.store_at(str(tmp_path))
    cell = {"strategy": "momentum", "params": {"top_n": 1}, "universe": "all", "rebalance": "monthly"}
    cell |= {"fill": "close", "cost_bps": 0.0, "window": {"start": "2016-01-04", "end": "2016-12-30"}}
    bars = made_up()
    job = {"settings": {}, "plan": "exact", "cash": 1.0, "universes": {"all": list(SYMBOLS)}}
    job |= {"gives_symbols": True, "prices": {"all": "2" * 64}, "code": "0" * 64}
    key, other = (f"jobs/{digit * 64}/job.json" for digit in "13")
    event = {"store": str(tmp_path), "job": key, "cells": [cell]}
    with pytest.raises(Misconfigured, match="no such job"):
        app.handler(event, app_context())
    store.put_if_absent(key, json.dumps(job).encode())
    with pytest.raises(Misconfigured, match="not the prices"):
        app.handler(event, app_context())
    store.put_if_absent(other, json.dumps(job | {"prices": {"all": inputs_digest(bars)}}).encode())
    store.put_if_absent(f"prices/{inputs_digest(bars)}.parquet", prices_file(bars))
    event["job"] = other
    with pytest.raises(Misconfigured, match="other code"):
        app.handler(event, app_context())
    assert store.list("cells/") == ()


def app_context() -> object:
    """Give what Lambda tells a handler."""
    from lambda_kit import Context  # noqa: PLC0415 - only here

    return Context()


@pytest.mark.parametrize("event", [None, {}, {"store": "s", "job": "j", "cells": []}, {"x": 1}])
def test_an_event_of_another_form_is_refused(event: object) -> None:
    """Before anything is read."""
    with pytest.raises(Misconfigured) as refused:
        app.handler(event, app_context())
    assert refused.value.code == "bad_event"


def test_prices_come_back_from_parquet_to_the_bit() -> None:
    """Sessions and symbols without a single bar, too."""
    bars = made_up()
    grids = {
        name: getattr(bars, name).copy() for name in ("open", "high", "low", "close", "volume", "raw_close")
    }
    for grid in grids.values():
        grid[:30] = grid[:, 2] = float("nan")
    holed = type(bars)(bars.sessions, bars.symbols, **grids)
    assert inputs_digest(read_prices_file(prices_file(holed))) == inputs_digest(holed)
    with pytest.raises(ValueError, match="no prices"):
        read_prices_file(b"nothing of the kind")


def test_an_estimate_adds_up() -> None:
    """1,000 cells of one second at one core: by hand from the price lists."""
    found = estimate(1000, 1.0, 1769)
    assert (found.batch, found.batches) == (5, 200)
    assert found.usd == pytest.approx(1500 * 1769 / 1024 * 0.0000166667 + 200 * 101e-6 + 5.8e-3, rel=0.01)
    with pytest.raises(Misconfigured, match="cost more"):
        demand_affordable(found, 0.01)
    demand_affordable(found, 1.0)
    with pytest.raises(Misconfigured, match="too long"):
        estimate(1, 400.0, 1769)
