"""Apply, file: a saved plan that is not as it was written, or forged, or applied by a process that dies."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apply_kit import KEEP, NAME, apply, save
from line_kit import Kill, Killed, make_switch
from trimtab.core.record import digest, plan_digest
from trimtab.errors import Misconfigured
from trimtab.stations.saved import file_of, opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[: len(data) // 2],
        lambda data: data.replace(b'"side":"buy"', b'"side":"sell"', 1),
        lambda data: data.replace(b'"version":1', b'"version":2'),
        lambda _data: b"{}",
        lambda _data: b"\xff\xfe",
        lambda _data: b"[" * 100_000,
    ],
    ids=["cut short", "edited", "another version", "another file", "no text", "too deep"],
)
def test_a_file_that_is_not_as_it_was_written_is_refused(root: Path, spoil: Callable[[bytes], bytes]) -> None:
    """Exit 2, before anything begins, with what is wrong."""
    lab = make_switch(root)
    with pytest.raises(Misconfigured) as refused:
        opened(spoil(file_of(lab.run(arrival=KEEP)["saved"])), NAME)
    assert refused.value.code == "plan_file"
    assert refused.value.seen


def nodes(part: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 - any JSON
    """Give the path of every part of JSON, and of its parts."""
    if isinstance(part, dict | list):
        for key in part if isinstance(part, dict) else range(len(part)):
            yield (*path, key)
            yield from nodes(part[key], (*path, key))


WORDS = ["", "7", "-1", "1e9", "NaN", "AAA", "buy", "2021-03-01T15:00:00"]
VALUES = st.sampled_from([None, True, False, 0, 7, 0.5, [], {}, [[]], ["AAA"], {"symbol": "AAA"}, *WORDS])


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), value=VALUES)
def test_a_forged_file_trades_nothing_that_the_bot_would_not(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, value: object
) -> None:
    """Any one value changed and sealed anew: refused, or what is traded is what the bot's own plan trades."""
    lab = make_switch(tmp_path_factory.mktemp("forged"))
    document = json.loads(file_of(lab.run(arrival=KEEP)["saved"]))
    honest = {order["symbol"]: (order["side"], order["qty"]) for order in document["plan"]["orders"]}
    *path, last = data.draw(st.sampled_from(sorted(nodes(document), key=str)))
    part = document
    for key in path:
        part = part[key]
    part[last] = value
    if isinstance(document["plan"], dict):
        document["plan"]["plan_digest"] = plan_digest(document["plan"])
    document["digest"] = digest({name: part for name, part in document.items() if name != "digest"})
    try:
        saved = opened(file_of(document), NAME)
    except Misconfigured:
        return
    record = apply(lab, saved)
    assert record["outcome"] in {"traded", "halted"}
    traded = {order.symbol: (order.side, str(order.filled_qty)) for order in lab.orders().values()}
    assert traded in ({}, honest)
    assert (traded == {}) is (record["outcome"] == "halted")
    assert lab.run()["outcome"] in {"traded", "in_band"}


@pytest.mark.parametrize("kind", ["requests_", "store"])
def test_an_apply_killed_at_any_step_is_finished_once(root: Path, kind: str) -> None:
    """Dead before or after any request or store call: applied or run again, the fills are one plan's."""
    stored = 0
    for at in count(1, 5 if kind == "requests_" else 1):
        lab = make_switch(root / f"{kind}-{at}")
        saved = save(lab)
        try:
            apply(lab, saved, **{kind: Kill(at, after=at % 4 > 1)})
        except Killed:
            there = lab.plan() is not None
        else:
            break
        stored += there
        record = apply(lab, saved) if at % 2 else lab.run()
        assert record["outcome"] in {"traded", "in_band"}, (at, record["reason"])
        plan = lab.plan()
        assert plan is not None
        assert not there or plan["plan_digest"] == saved.plan["plan_digest"]
        filled = Counter({order.symbol: order.filled_qty for order in lab.orders().values()})
        assert filled == {order["symbol"]: Decimal(order["qty"]) for order in plan["orders"]}, at
        lab.check_books()
    assert stored > 3
