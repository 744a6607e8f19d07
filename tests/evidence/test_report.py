from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field, replace
from datetime import date
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import numpy as np
import pytest

import trimtab as tt
from backtesting.small import always, bars_of
from trimtab.evidence.looks import STYLE
from trimtab.evidence.report import report_html
from trimtab.evidence.script import SCRIPT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.backtesting.result import Result

HOSTILE = "</script></style><img src=x onerror=alert(1)>\"'&amp;\x00\ud800{{7*7}}"
CONFIG = {"strategy": {"name": "fixed_weights"}, "execution": {"band": 0.005}}
SECTIONS = [
    "In short",
    "Growth",
    "Drawdown",
    "Years",
    "Months",
    "Weights",
    "Figures",
    "Deepest drawdowns",
    "Trades",
    "Notes",
    "How it was made",
    "Definitions",
]
VOID = {"meta", "input"}
TAGS = VOID | set(
    re.findall(
        r"\w+",
        "html head title style body script main header section div p span h1 h2 h3 b i abbr dl dt dd ul li "
        "pre figure label svg desc path line rect table caption thead tbody tr th td",
    )
)


@dataclass
class Page(HTMLParser):
    """A page taken apart; it refuses a tag that nothing closes."""

    open: list[str] = field(default_factory=list)
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin to read."""
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the last open tag: it must be this one."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note a text with the tag it stands in."""
        self.texts.append((self.open[-1] if self.open else "", data))

    def inside(self, tag: str) -> list[str]:
        """Give the texts that stand in a tag."""
        return [text for place, text in self.texts if place == tag]

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Give the attributes of every such tag."""
        return [attributes for name, attributes in self.tags if name == tag]


def read(html: str) -> Page:
    """Take a page apart, and see that it is whole and asks for nothing outside."""
    html.encode()
    page = Page()
    page.feed(html)
    page.close()
    assert page.open == []
    assert {tag for tag, _ in page.tags} <= TAGS
    for _tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]
        assert not attributes.keys() & {"src", "href", "action", "formaction", "srcdoc", "xlink:href"}
    assert page.inside("script") == [SCRIPT]
    assert page.inside("style") == [STYLE]
    return page


def walk(count: int, names: Sequence[str] = ("A", "B"), seed: int = 1, drift: float = 3e-4) -> tt.Bars:
    """Give bars of so many sessions that walk."""
    rng = np.random.default_rng(seed)
    closes = 100 * np.exp(np.cumsum(rng.normal(drift, 0.01, (count, len(names))), axis=0))
    days = np.busday_offset("1994-01-03", np.arange(count))
    return tt.Bars(days, tuple(sorted(names)), *([closes] * 4), np.full(closes.shape, 1e9), closes)


def played(count: int = 600, names: Sequence[str] = ("A", "B"), **terms: object) -> Result:
    """Play equal weights."""
    weights = {name: 1 / len(names) for name in names}
    prices = walk(count, names, drift=float(terms.pop("drift", 3e-4)))  # type: ignore[arg-type]  # a float
    return tt.backtest(lambda _history, _equity: weights, prices, **terms)  # type: ignore[arg-type]  # any


def beside(result: Result, name: str = "A") -> Result:
    """Give the result with a symbol as its benchmark."""
    column = result.symbols.index(name)
    curve = result.bars.close[result.first : result.first + len(result.value), column]
    return replace(result, benchmark=curve, benchmark_name=name, _memo={})


def page_of(result: Result, **more: object) -> Page:
    """Make the page of a result, and take it apart."""
    told = {"title": "A title", "config": CONFIG, "command": None, **more}
    return read(report_html(result, **told))  # type: ignore[arg-type]  # as given


def test_the_page_has_everything() -> None:
    """Every section, the charts with what they show in words, the configuration, the command."""
    result = beside(played())
    page = page_of(result, command="trimtab backtest --report out.html")
    assert page.inside("h2") == SECTIONS
    assert page.inside("h1") == page.inside("title")[:1] == ["A title"]
    assert len(page.all("svg")) >= 4
    described = {
        identity["id"] for tag in ("title", "desc") for identity in page.all(tag) if "id" in identity
    }
    for svg in page.all("svg"):
        assert svg["role"] == "img"
        assert set((svg["aria-labelledby"] or "").split()) <= described
    assert all(head["scope"] in {"col", "row"} for head in page.all("th"))
    assert all(short["title"] for short in page.all("abbr"))
    made = page.inside("pre")
    assert made[0] == "trimtab backtest --report out.html"
    assert json.loads(made[1]) == CONFIG
    years = [text for text in page.inside("th") if text in {"1994", "1995", "1996"}]
    assert len(years) == 3


def test_identities_are_unique() -> None:
    """No two elements share an id, also with all charts there."""
    page = page_of(beside(played(contributions=100.0)))
    named = [attributes["id"] for _tag, attributes in page.tags if "id" in attributes]
    assert len(named) == len(set(named)) > 8


def test_no_text_becomes_markup() -> None:
    """Hostile symbols, notes, configuration, title, command and benchmark are shown as the texts they are."""
    shown = HOSTILE.replace("\x00", "\ufffd").replace("\ud800", "\ufffd")
    prices = walk(400, [HOSTILE.replace("\ud800", ""), "B"])
    symbol = next(name for name in prices.symbols if name != "B")
    result = tt.backtest(lambda _history, _equity: {symbol: 0.9}, prices)
    result = replace(
        beside(result, symbol), notes=((5, HOSTILE, HOSTILE),), terms={HOSTILE: HOSTILE}, _memo={}
    )
    page = page_of(result, title=HOSTILE, config={HOSTILE: [HOSTILE]}, command=HOSTILE)
    assert page.inside("h1") == [shown]
    assert page.inside("title")[0] == shown
    assert page.inside("td").count(shown) == 2
    assert page.inside("pre")[0] == shown
    assert any("onerror=alert(1)" in text for text in page.inside("td"))


def test_nothing_is_asked_of_a_network() -> None:
    """No address, no import, no font: and the page's own policy forbids every request and foreign script."""
    html = report_html(beside(played()), title="A", config={}, command=None)
    assert not re.search(r"https?:|//[a-z]|url\(|@import|@font-face|<link|<iframe", html)
    policy = next(meta["content"] for meta in read(html).all("meta") if "http-equiv" in meta)
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def test_the_figures_are_the_statistics() -> None:
    """The headline shows the statistics with their units, the benchmark's below."""
    result = beside(played())
    page, stats = page_of(result), result.stats
    shown = [text.replace("\N{NARROW NO-BREAK SPACE}", " ") for text in page.inside("dd")]
    growth, other = (
        f"{stats[name]:,.2f} %".replace("-", "\N{MINUS SIGN}") for name in ("cagr_pct", "benchmark_cagr_pct")
    )
    assert shown[:2] == [growth, f"A {other}"]
    assert f"{stats['final_equity_usd']:,.0f} USD" in shown


def test_the_trades_shown_are_the_last_and_counted() -> None:
    """Fifty rows, the newest first, under a note that says how many there are."""
    result = played(1_200)
    page = page_of(result)
    count = len(result.trades)
    assert f"The last 50 of {count}, the newest first." in page.inside("p")
    assert page.inside("td").count("buy") + page.inside("td").count("sell") == 50
    newest = str(result.trades["session"][-1])
    assert newest in page.inside("th")


@pytest.mark.parametrize("count", [3, 30, 300, 3_000])
def test_any_length_can_be_shown(count: int) -> None:
    """Three sessions, a month and a half, a year, a dozen years."""
    page = page_of(beside(played(count, rebalance="daily")))
    assert page.inside("h2") == SECTIONS


def test_one_symbol_without_a_benchmark() -> None:
    """Without a benchmark nothing is said of one."""
    page = page_of(played(names=["A"]))
    assert "Against the benchmark" not in page.inside("h3")
    assert not [text for _, text in page.texts if "compared with" in text]


def test_nothing_was_traded() -> None:
    """A strategy that wants nothing: a flat curve, all cash, and it is said."""
    result = tt.backtest(always(), bars_of({"A": [100.0] * 40}))
    page = page_of(result)
    assert "Nothing was traded." in page.inside("p")
    assert "The curve never closed below its highest close so far." in page.inside("p")
    assert "Nothing went otherwise than asked." in page.inside("p")
    assert any("Cash 100.0" in text for text in page.inside("desc"))
    assert "not yet" not in page.inside("td")


def test_a_losing_curve() -> None:
    """A portfolio that loses nearly all has its drawdown not yet recovered."""
    page = page_of(played(600, drift=-0.008))
    assert "not yet" in page.inside("td")


def test_flows_are_kept_out_of_growth() -> None:
    """Where money came in, growth is of 100 USD, and the account has a chart of its own."""
    page = page_of(played(contributions=250.0))
    assert page.inside("h2") == [*SECTIONS[:2], "Equity", *SECTIONS[2:]]
    assert any(text.startswith("What 100 USD became") for text in page.inside("p"))


def test_an_account_that_opens_with_nothing() -> None:
    """No cash at first: the curve begins with the first contribution."""
    page = page_of(played(cash=0.0, contributions=250.0))
    assert "Equity" in page.inside("h2")


def test_sixty_symbols_are_seven_and_the_others() -> None:
    """The largest have colours of their own; the rest are one area, and cash is told apart."""
    page = page_of(played(names=[f"S{i:02d}" for i in range(60)]))
    looks = {text for text in page.inside("span") if text.startswith("S")}
    assert len(looks) == 7
    assert "53 others" in page.inside("span")


def test_thirty_years_stay_small() -> None:
    """Curves are thinned to what a screen can show, their extremes kept: below 500 kB."""
    result = beside(played(7_800, [f"S{i:02d}" for i in range(20)]), "S00")
    html = report_html(result, title="A", config=CONFIG, command=None)
    assert len(html.encode()) < 500_000
    lowest = round(float(result.stats["max_drawdown_pct"] or 0.0), 1)
    reads = [json.loads(chart["data-hover"] or "") for chart in read(html).all("figure")]
    assert lowest in [min(part for part in read["values"][0]) for read in reads if read["unit"].endswith("%")]


def colours(block: str) -> dict[str, str]:
    """Give the custom properties that a block of the style sets."""
    return dict(re.findall(r"--([\w-]+): ([^;]+);", block))


def rgb(value: str) -> np.ndarray:
    """Give a colour's three parts, 0 to 1."""
    if value.startswith("#"):
        return np.array([int(value[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.array([int(part) for part in value.split()]) / 255


def contrast(one: np.ndarray, other: np.ndarray) -> float:
    """Give the contrast ratio of two colours (WCAG 2.2, 1.4.3)."""
    linear = [np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) for c in (one, other)]
    bright, dark = sorted((float(c @ [0.2126, 0.7152, 0.0722]) for c in linear), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(scheme: str) -> None:
    """In both schemes texts have a contrast of 4.5 to what lies behind, the heat map's strongest included."""
    light, dark = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    assert "@media screen and (prefers-color-scheme: dark)" in STYLE
    set_here = colours(light) | (colours(dark) if scheme == "dark" else {})
    paper, ink = rgb(set_here["paper"]), rgb(set_here["ink"])
    assert contrast(ink, paper) > 7
    assert contrast(rgb(set_here["quiet"]), paper) > 4.5
    assert contrast(rgb(set_here["own"]), paper) > 4.5
    for name in ("up", "down"):
        assert contrast(ink, 0.55 * rgb(set_here[name]) + 0.45 * paper) > 4.5, name
    assert colours(dark).keys() >= {"paper", "ink", "own", "up", "down", *(f"s{i}" for i in range(8))}


def test_the_page_is_the_same_every_time() -> None:
    """The same result gives the same page, byte for byte: it holds no clock and no chance."""
    result = beside(played())
    first = report_html(result, title="A", config=CONFIG, command=None)
    assert report_html(replace(result, _memo={}), title="A", config=CONFIG, command=None) == first


def test_days_stand_where_they_are() -> None:
    """The legend's data begin and end with the first and the last session."""
    result = played(3_000)
    chart = json.loads(page_of(result).all("figure")[0]["data-hover"] or "")
    first, last = (date(1970, 1, 1).toordinal() + chart["days"][i] for i in (0, -1))
    assert [str(date.fromordinal(day)) for day in (first, last)] == [
        str(result.sessions[0]),
        str(result.sessions[-1]),
    ]
