from __future__ import annotations

import re
from html.parser import HTMLParser

from trimtab.evidence.script import SCRIPT
from trimtab.evidence.sweep import sweep_html
from trimtab.sweeping.cells import Cell, Window
from trimtab.sweeping.judged import Outcome

HOSTILE = "</script><img src=x onerror=alert(1)>\"'&amp;\x00{{7*7}}"
WINDOWS = (Window("2016-01-04", "2016-12-30", "2017-06-30"), Window("2016-07-01", "2017-06-30", "2017-12-29"))
SHAPE = {"daily_mean": 0.0005, "daily_deviation": 0.01, "daily_returns": 250, "total_return_pct": 13.0}
SHAPE |= {"daily_skewness": -0.2, "daily_kurtosis": 4.0, "cagr_pct": 13.0, "max_drawdown_pct": -8.0}


class Page(HTMLParser):
    """What a page holds: its texts, the titles of its sections, and every tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.titles: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.text += data
        if self.tags and self.tags[-1][0] == "h2":
            self.titles.append(data)


def outcomes(*, after: bool = True, strategy: str = "momentum") -> list[Outcome]:
    """Give 3 x 4 combinations over two windows, of which one combination failed."""
    found = []
    for i, (look, top) in enumerate((look, top) for look in (21, 63, 126) for top in (1, 2, 3, HOSTILE)):
        for window in WINDOWS if after else (Window("2016-01-04", "2017-12-29"),):
            cell = Cell(
                i, strategy, {"lookback": look, "top_n": top}, "all", "monthly", "close", 10.0, window
            )
            if look == 126 and top == 1:
                found.append(Outcome(cell, f"{i}", failed=("strategy", HOSTILE)))
                continue
            side = {**SHAPE, "sharpe": 0.3 + look / 100 + i / 20}
            found.append(Outcome(cell, f"{i}", side, {**side, "sharpe": 0.2 * i} if after else None))
    return found


def page(**more: object) -> Page:
    """Give the page of such a sweep."""
    made = outcomes(**more)  # type: ignore[arg-type]  # passed on
    return Page(sweep_html(made, title=HOSTILE, source="bars.parquet", command="trimtab sweep"))


def test_the_page_tells_surface_picks_luck_and_failures() -> None:
    """Each in its section, in sample beside out of sample."""
    titles = ["Mind the many", "Surface", "In sample beside out of sample", "Picks", "Combinations", "Failed"]
    found = page()
    assert [title for title in found.titles if title in titles] == titles
    assert "Bailey and López de Prado" in found.text
    assert "the best of 11 tries" in found.text
    heat = [tag for tag in found.tags if tag[1].get("class") in {"up", "down"}]
    assert len(heat) == 2 * 11


def test_without_sessions_to_judge_by_the_page_says_so() -> None:
    """No scatter, one surface."""
    found = page(after=False)
    assert "In sample beside out of sample" not in found.titles
    assert "nothing was kept to judge by" in found.text


def test_nothing_in_a_sweep_becomes_markup_or_a_request() -> None:
    """Hostile params, messages and titles stay text; nothing is loaded from anywhere."""
    found = page()
    kinds = {tag for tag, _ in found.tags}
    assert not kinds & {"img", "link", "iframe", "object", "base", "form"}
    assert [tag for tag, _ in found.tags].count("script") == 1
    assert SCRIPT in sweep_html(outcomes(), title="x", source="x", command="x")
    assert not any(
        name in {"src", "href"} or name.startswith("on") for _, given in found.tags for name in given
    )
    assert re.search(r"<img src=x onerror=alert\(1\)>", found.text)
