from __future__ import annotations

import random
from typing import Any

import pytest

from trimtab.show.compare import MEANS, cents, compare_text
from trimtab.show.page import Page


def document() -> dict[str, Any]:
    """Give a comparison in which every part is something, and an order of each kind."""
    amounts = {name: -1234.5 - i for i, name in enumerate(MEANS)}
    row = {
        "live_usd": 90_000.0,
        "backtest_usd": 98_662.5,
        "gap_usd": sum(amounts.values()),
        "parts_usd": amounts,
    }
    order = {"session": "2024-01-03", "symbol": "BRK.B", "planned": 1500.0, "filled": 1234.567891}
    order |= {"price": 1234.56, "played": 1500.0, "played_price": 1230.0, "price_usd": -5629.62}
    sessions = [{"session": f"2024-01-{day:02d}", **row} for day in range(2, 14)]
    whys = ["", "timing", "unfilled", "plan", "made up"]
    head = {"portfolio": "main", "mode": "paper", "strategy": "equal_weight", "prices": "the runs' own"}
    head |= {"start": "2024-01-02", "end": "2024-01-13"}
    return {
        **head,
        **row,
        "runs": 12,
        "runs_of_another_config": 1,
        "start_usd": 100_000.0,
        "traded_usd": 50_000.0,
        "sessions": sessions,
        "missed": [{"session": f"2024-01-{day:02d}", "outcome": "no run"} for day in range(2, 14)],
        "orders": [order | {"why": why} for why in whys],
        "notes": [{"session": "2024-01-04", "message": "max_turnover refuses portfolio"}],
    }


@pytest.mark.parametrize("width", [80, 100, 120])
def test_a_page_holds_everything_within_its_width(width: int) -> None:
    """Each part, the sessions, the orders and their reasons, and what a reader must know."""
    shown = compare_text(document(), Page(width))
    assert max(map(len, shown.splitlines())) <= width
    said = " ".join(shown.split())
    for words in (
        *MEANS,
        "others",
        "no plan",
        "1,500.000 1,234.568 1,500.000 -5,629.62 unfilled",
        "other size",
        "made up",
    ):
        assert words in said
    assert "and 2 more" in said
    assert "1 of 12 runs had another configuration" in said
    assert "the backtest on 2024-01-04: max_turnover refuses portfolio" in said


def test_the_amounts_of_a_line_sum_to_what_the_gap_grew_by() -> None:
    """Where not every part has a column, the others are one."""
    lines = [line.split() for line in compare_text(document(), Page(120)).splitlines()]
    (head,) = [line for line in lines if line[:2] == ["session", "gap"]]
    assert head[-1] == "others"
    row = [
        float(cell.replace(",", ""))
        for cell in next(line for line in lines if line[0:1] == ["2024-01-02"])[1:]
    ]
    assert round(sum(row[2:]), 2) == row[1]


def test_rounded_parts_sum_to_the_rounded_whole() -> None:
    """Each is within a cent of what it was, and no cent is lost or made."""
    rng = random.Random(7)
    for _ in range(200):
        amounts = [rng.uniform(-5, 5) for _ in range(7)]
        rounded = cents(amounts)
        assert round(sum(rounded), 2) == round(sum(amounts), 2)
        assert all(abs(a - b) < 0.01 + 1e-9 for a, b in zip(amounts, rounded, strict=True))
        assert all(round(r, 2) == r for r in rounded)


def test_what_is_less_than_half_a_cent_is_nothing() -> None:
    """Noise is not shown as -0.00."""
    assert [str(amount) for amount in cents([-1e-12, 1e-9])] == ["0.0", "0.0"]
