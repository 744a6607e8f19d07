from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from line_kit import Kill, make_lab, make_mandate
from trimtab.errors import Misconfigured

if TYPE_CHECKING:
    from pathlib import Path

    from trimtab.core.mandate import Mandate


def test_a_strategy_without_its_history_stops_the_run(root: Path) -> None:
    """Fewer sessions than the strategy cannot do without: nothing is traded on what it would say then."""
    lab = make_lab(root, least_history=10_000)
    record = lab.run()
    assert (record["outcome"], record["stage"], record["code"]) == ("halted", "validate", "short_history")
    assert lab.sends() == []


def test_an_account_serves_one_portfolio_of_a_store(root: Path) -> None:
    """The same account under a second name is refused: the two would trade against each other."""
    lab = make_lab(root)
    assert lab.run()["outcome"] == "traded"
    posts = len(lab.posts())
    with pytest.raises(Misconfigured, match="already serves the portfolio main"):
        lab.run(lab.changed(portfolio="second"))
    assert len(lab.posts()) == posts


@pytest.mark.parametrize("at", range(1, 8))
def test_two_portfolios_that_take_an_account_at_once_never_both_trade(root: Path, at: int) -> None:
    """Another one's very first run begins at any of a first run's looks at the store: one trades at most."""
    lab = make_lab(root)
    second = make_mandate({"AAA": 0.4, "BBB": 0.1}, portfolio="second")

    def run(mandate: Mandate, kill: Kill | None) -> None:
        with suppress(Misconfigured):
            lab.run(mandate, store=kill)

    run(lab.mandate, Kill(at, meanwhile=lambda: run(second, None)))
    senders = {client_order_id.split("-")[1] for client_order_id in lab.posts()}
    assert len(senders) <= 1
