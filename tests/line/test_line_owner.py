from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from line_kit import make_lab
from trimtab.errors import Misconfigured

if TYPE_CHECKING:
    from pathlib import Path


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
