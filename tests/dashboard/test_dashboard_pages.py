"""Pages: each of them in this process, on stores in every state."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from streamlit import cache_resource

from dashboard.looks import SCRIPT
from dashboard_kit import HOSTILE, PAGES, at_page, decade, season, sheets, texts, write_config
from line_kit import make_lab
from trimtab.adapters.directory import DirectoryStore
from trimtab.adapters.sqlite import SqliteTrades
from trimtab.evidence.explain import explain
from trimtab.evidence.prune import look, remove
from trimtab.evidence.taxes import lots_document
from trimtab.stations.past import read_record, rebuild
from trimtab.switch import raise_flag

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest

SESSIONS = 30
TAGS = {
    *("style", "div", "span", "ul", "li", "i", "b", "p", "pre", "abbr", "figure", "img"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td"),
}
"""What a page draws with."""
CORPUS = Path(__file__).parents[1] / "corpus/momentum-weekly"


class Tags(HTMLParser):
    """The elements of a page, as a browser reads them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note one."""
        self.found.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a store of real runs: trades, partial fills, halts, missing days, a deposit, a change."""
    root = tmp_path_factory.mktemp("lived") / "store"
    season(root, SESSIONS)
    return root


@pytest.fixture
def store(lived: Path, tmp_path: Path) -> Path:
    """Give a copy of it to spoil."""
    return shutil.copytree(lived, tmp_path / "store")


def clean(app: AppTest) -> AppTest:
    """Hold that nothing escaped from a page."""
    assert not app.exception, app.exception[0].stack_trace
    return app


def metrics(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


@pytest.mark.parametrize("page", PAGES)
def test_an_empty_store_says_what_to_do(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first run every page says that there is none, and how to make one; it makes no file."""
    app = clean(at_page(write_config(tmp_path / "c", tmp_path / "store"), page, monkeypatch))
    assert "trimtab run" in texts(app)
    assert not (tmp_path / "store").exists()


def test_now_tells_the_last_run(lived: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outcome, the line of stations, equity, next run, holdings with targets and bands."""
    app = clean(at_page(write_config(tmp_path, lived), "now", monkeypatch))
    (last,) = SqliteTrades(lived / "trades.db").query("SELECT * FROM latest_run")
    assert str(last["run_id"]) in texts(app).replace("\\", "")
    assert {"Equity", "Cash", "Last run", "Next run"} <= set(metrics(app))
    held = sheets(app)["Holdings"]
    assert held[-1]["Symbol"] == "cash"
    assert sum(float(row["Held, %"]) for row in held) == pytest.approx(100.0, abs=0.05)


def test_now_tells_of_the_halt_flag(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who, why, and what lifts it."""
    raise_flag(DirectoryStore(store), "HALT", who="owner", at="2020-07-14T12:00:00Z", why="a *bold* reason")
    said = texts(clean(at_page(write_config(tmp_path / "c", store), "now", monkeypatch)))
    assert "Halted: no order is sent" in said
    assert r"\*bold\*" in said
    assert "trimtab resume" in said


def test_now_says_where_it_can_not_tell_of_a_halt(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flag that can't be read is no flag that is absent; the rest of the page is there."""
    config = write_config(tmp_path / "c", store)
    (store / "HALT").mkdir()
    app = clean(at_page(config, "now", monkeypatch))
    assert "Can't tell whether it is halted" in texts(app)
    assert "Is a directory" in texts(app)
    assert sheets(app)["Holdings"]
    (store / "HALT").rmdir()
    assert "halted" not in texts(clean(app.run()))


def test_now_tells_the_band_of_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two weights that leave no cash are traded to what the buffer leaves, and that is in their bands."""
    lab = make_lab(tmp_path / "store", {"AAA": 0.6, "BBB": 0.4}, max_order_size=0.9, max_turnover=1.0)
    assert lab.run()["outcome"] == "traded"
    app = clean(at_page(write_config(tmp_path / "c", tmp_path / "store"), "now", monkeypatch))
    rows = {row["Symbol"]: row for row in sheets(app)["Holdings"]}
    assert float(rows["AAA"]["Target, %"]) == 60.0
    assert float(rows["AAA"]["Held, %"]) == pytest.approx(59.4, abs=0.1)
    assert [rows[symbol]["Note"] for symbol in ("AAA", "BBB")] == ["in its band"] * 2


@pytest.mark.parametrize("page", ["now", "runs"])
def test_a_record_that_can_not_be_read_just_now_is_tried_again(
    page: str, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is neither called damaged nor kept as missing: the next look has it."""
    config = write_config(tmp_path / "c", store)
    (last,) = SqliteTrades(store / "trades.db").query("SELECT * FROM latest_run")
    path = store / f"runs/main/{last['session']}/{last['run_id']}/record.json"
    path.rename(aside := path.with_name("aside"))
    path.mkdir()
    app = clean(at_page(config, page, monkeypatch))
    assert "can't be read just now" in texts(app)
    assert "damaged" not in texts(app)
    path.rmdir()
    aside.rename(path)
    assert "can't be read" not in texts(clean(app.run()))


@pytest.mark.parametrize(("page", "shown"), [("health", "Prices"), ("performance", "Statistics")])
def test_prices_that_can_not_be_read_just_now_are_tried_again(
    page: str, shown: str, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page says so, shows the rest, and has them at the next look."""
    config = write_config(tmp_path / "c", store)
    files = sorted(store.rglob("inputs.parquet"))
    for path in files:
        path.rename(path.with_name("aside"))
        path.mkdir()
    app = clean(at_page(config, page, monkeypatch))
    assert "can't be read just now" in texts(app)
    assert metrics(app)
    for path in files:
        path.rmdir()
        path.with_name("aside").rename(path)
    clean(app.run())
    assert "can't be read just now" not in texts(app)
    assert shown in sheets(app)
    assert page == "health" or app.selectbox(key="benchmark")


def test_what_people_said_is_not_called_nothing_where_it_can_not_be_read(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list of halts and resumes is missing, and the page says why."""
    shutil.rmtree(store / "events")
    (store / "events").write_bytes(b"")
    app = clean(at_page(write_config(tmp_path / "c", store), "health", monkeypatch))
    assert "can't be read just now" in texts(app)
    assert "Halts and resumes" not in sheets(app)


def test_records_that_can_not_be_read_just_now_are_not_called_damaged(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither where they are replayed nor where they stand in for trades.db; the next look has them."""
    config = write_config(tmp_path / "c", store)
    (last,) = SqliteTrades(store / "trades.db").query("SELECT * FROM latest_run")
    folder = store / f"runs/main/{last['session']}/{last['run_id']}"
    folder.rename(aside := tmp_path / "aside")
    folder.write_bytes(b"")
    app = clean(at_page(config, "health", monkeypatch))
    clean(app.button(key="replay").click().run())
    assert "20 are left" in texts(app)
    assert "Not a directory" in texts(app)
    assert "Nothing speaks against" not in texts(app)
    folder.unlink()
    aside.rename(folder)
    (store / "trades.db").write_bytes(b"garbage" * 1_000)
    (folder / "record.json").rename(aside)
    (folder / "record.json").mkdir()
    clean(app.run())
    assert "The store can't be read" in texts(app)
    (folder / "record.json").rmdir()
    aside.rename(folder / "record.json")
    clean(app.run())
    assert "records hold" in texts(app)
    assert "more are damaged" not in texts(app)


def test_a_store_that_can_not_be_listed_shows_no_other_portfolio(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who looks at one portfolio is told, and never shown the configuration's own in its place."""
    app = at_page(write_config(tmp_path / "c", store, portfolio="other"), "now", monkeypatch)
    clean(app.selectbox[0].select("main").run())
    shutil.rmtree(store / "portfolios")
    (store / "portfolios").write_bytes(b"")
    cache_resource.clear()
    clean(app.run())
    assert "The store can't be read" in texts(app)
    assert not app.metric


def test_performance_takes_the_deposit_out(
    lived: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """15,000 USD came in; the return is that of the holdings, and benchmark and backtest stand beside it."""
    app = clean(at_page(write_config(tmp_path, lived), "performance", monkeypatch))
    shown = metrics(app)
    assert abs(float(shown["Return"].split("\u202f")[0].replace("\N{MINUS SIGN}", "-"))) < 12
    assert "deposits" in texts(app)
    assert "No backtest here" not in texts(app)
    app.toggle(key="backtest").set_value(False).run()
    clean(app.selectbox(key="benchmark").select("none").run())


def test_runs_shows_missing_days_and_one_run_in_full(
    lived: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The calendar counts what nobody ran; a filter filters; a run named in the address is shown in full."""
    config = write_config(tmp_path, lived)
    app = clean(at_page(config, "runs", monkeypatch))
    assert "missing" in texts(app)
    halted = SqliteTrades(lived / "trades.db").query(
        "SELECT run_id, reason FROM runs WHERE outcome = 'halted'"
    )
    clean(app.selectbox(key="year").select("2020").run())
    clean(app.pills(key="outcomes").select("halted").run())
    assert len(sheets(app)["Runs of the range"]) == len(halted)
    app.query_params["run"] = str(halted[0]["run_id"])
    clean(app.run())
    assert str(halted[0]["reason"]) in texts(app)
    app.session_state["part"] = "As text"
    assert "Halted: nothing was sent" in texts(clean(app.run()))  # the words of `trimtab show`


def test_a_run_is_explained_and_compared(
    lived: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each symbol's chain, as `trimtab explain` tells it; what changed, as `trimtab diff` does."""
    app = at_page(write_config(tmp_path, lived), "runs", monkeypatch)
    traded = SqliteTrades(lived / "trades.db").query(
        "SELECT run_id, session FROM runs WHERE outcome = 'traded' ORDER BY run_id DESC LIMIT 1"
    )[0]
    app.query_params["run"] = str(traded["run_id"])
    app.session_state["part"] = "Explanation"
    clean(app.run())
    record = read_record(DirectoryStore(lived), f"runs/main/{traded['session']}/{traded['run_id']}")
    chains = explain(record)
    assert len(sheets(app)["What bound each symbol"]) == len(chains)
    clean(app.selectbox(key="explained").select(chains[-1].symbol).run())
    told = sheets(app)[f"Chain of {chains[-1].symbol}"]
    assert [(row["Step"], row["What it came to"]) for row in told] == [
        (s.name, s.says) for s in chains[-1].steps
    ]
    app.session_state["part"] = "Comparison"
    assert "what is not the same" in texts(clean(app.run()))


def test_the_newest_runs_are_replayed_when_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole records come out equal, one whose prices were pruned does not; one that was changed is named."""
    root = shutil.copytree(CORPUS / "kept", tmp_path / "store")
    rebuild(DirectoryStore(root), SqliteTrades(root / "trades.db"))
    config = write_config(
        tmp_path, root, strategy=json.loads((CORPUS / "config.json").read_text())["strategy"]
    )
    app = clean(at_page(config, "health", monkeypatch))
    assert "Replayed runs" not in sheets(app)
    clean(app.button(key="replay").click().run())
    rows = sheets(app)["Replayed runs"]
    assert {row["Run"] for row in rows} == {path.name for path in root.glob("runs/main/*/*")}
    assert {row["Result"] for row in rows} == {"equal", "no plan"}
    assert "Nothing speaks against these records" in texts(app)
    last, other = [row for row in rows if row["Result"] == "equal"][:2]
    kept = DirectoryStore(root)
    old = look(kept, f"runs/main/{other['Session']}/{other['Run']}")
    assert old is not None
    remove(kept, old, at="2020-01-01T00:00:00Z", who="owner")
    clean(app.button(key="replay").click().run())
    assert "Not every plan can be worked out again" in texts(app)
    assert "1 pruned" in texts(app)
    (root / f"runs/main/{last['Session']}/{last['Run']}/inputs.parquet").write_bytes(b"other prices")
    clean(app.button(key="replay").click().run())
    assert "A record does not stand" in texts(app)
    assert [row["Run"] for row in sheets(app)["Replayed runs"] if row["Result"] == "damaged"] == [last["Run"]]


def test_trading_tells_what_fell_short(lived: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Partial orders are listed as trades.db has them; without arrival prices their figures are left out."""
    app = clean(at_page(write_config(tmp_path, lived), "trading", monkeypatch))
    short = SqliteTrades(lived / "trades.db").query(
        "SELECT symbol FROM orders WHERE CAST(filled_qty AS REAL) < CAST(qty AS REAL)"
    )
    assert metrics(app)["Against arrival"].endswith(" bps")
    assert short
    assert len(sheets(app)["Orders that fell short"]) == len(short)


def test_trading_tells_lots_when_it_is_asked_for(
    lived: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gains by year and lots as `trimtab lots` has them."""
    app = clean(at_page(write_config(tmp_path, lived), "trading", monkeypatch))
    assert "Lots" not in sheets(app)
    app.session_state["lots"] = True
    shown = sheets(clean(app.run()))
    document = lots_document(DirectoryStore(lived), SqliteTrades(lived / "trades.db"), "main")
    assert [row["Term"] for row in shown["Realised"]] == [row["term"] for row in document["years"][::-1]]
    assert len(shown["Lots"]) == min(60, len(document["lots"]))
    assert [row["Bought"] for row in shown["Lots"]] == [lot["acquired"] for lot in document["lots"][:60]]


def test_trading_holds_fills_against_arrival_prices_where_they_are_kept(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every fill ten basis points worse than its arrival price is a cost of ten, bought or sold."""
    with closing(sqlite3.connect(store / "trades.db")) as base:
        worse = "CASE side WHEN 'buy' THEN 1.001 ELSE 0.999 END"
        base.execute(f"UPDATE orders SET arrival_price = CAST(filled_avg_price AS REAL) / {worse}")  # noqa: S608 - our own words
        base.commit()
    app = clean(at_page(write_config(tmp_path / "c", store), "trading", monkeypatch))
    assert metrics(app)["Against arrival"] == "10.0 bps"


def test_health_tells_errors_checks_prices_and_changes(
    lived: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every part is there on a store that has lived, with the changed key of the configuration."""
    app = clean(at_page(write_config(tmp_path, lived), "health", monkeypatch))
    heads = [head.value for head in app.subheader]
    assert heads == ["Errors and warnings", "Halts and resumes", "Records", "Checks", "Prices", "Changes"]
    assert {row["What changed"] for row in sheets(app)["Changes"]} >= {"configuration", "version"}
    (changed,) = [row for row in sheets(app)["Changes"] if row["What changed"] == "configuration"]
    app.session_state[f"change {changed['Run']}"] = True
    assert "execution.band" in {row["Key"] for row in sheets(clean(app.run()))["What changed"]}


@pytest.mark.parametrize("page", PAGES)
def test_a_damaged_database_is_told_and_the_records_shown(
    page: str, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The remedy in words, and every page as the records have it; the store is left as it is."""
    (store / "trades.db").write_bytes(b"garbage" * 1_000)
    before = sorted(path for path in store.rglob("*"))
    app = clean(at_page(write_config(tmp_path / "c", store), page, monkeypatch))
    said = texts(app).replace("\\", "")
    assert "not a sound SQLite database" in said
    assert "trimtab rebuild" in said
    assert "records hold" in said
    assert app.metric
    assert sorted(path for path in store.rglob("*")) == before


@pytest.mark.parametrize("page", PAGES)
def test_a_page_damaged_deep_inside_is_told(
    page: str, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Damage behind a sound first page is met while a page is laid out."""
    blob = bytearray((store / "trades.db").read_bytes())
    blob[8_192:] = b"\xff" * (len(blob) - 8_192)
    (store / "trades.db").write_bytes(blob)
    app = clean(at_page(write_config(tmp_path / "c", store), page, monkeypatch))
    assert "not a sound SQLite database" in texts(app).replace("\\", "")
    assert app.metric


def test_a_damaged_record_leaves_the_rest(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a record.json is told of, and the list of runs stays."""
    (last,) = SqliteTrades(store / "trades.db").query("SELECT * FROM latest_run")
    path = store / f"runs/main/{last['session']}/{last['run_id']}/record.json"
    path.write_bytes(path.read_bytes()[:100])
    app = clean(at_page(write_config(tmp_path / "c", store), "runs", monkeypatch))
    assert "can't be read" in texts(app)
    clean(app.selectbox(key="year").select("2020").run())
    assert sheets(app)["Runs of the range"]
    clean(at_page(write_config(tmp_path / "c", store), "now", monkeypatch))


@pytest.mark.parametrize("page", PAGES)
def test_hostile_texts_stay_texts(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Markup, images, links and formulas in reasons and messages never reach a place that renders them."""
    decade(tmp_path / "store", years=1, width=3)
    app = clean(at_page(write_config(tmp_path / "c", tmp_path / "store"), page, monkeypatch))
    rendered = [
        e for kind in ("markdown", "caption", "error", "warning", "info", "success") for e in app.get(kind)
    ]
    for element in rendered:
        assert "<img" not in element.value.replace("\\<", "")
        assert "**bold**" not in element.value
        assert "[link](" not in element.value
    assert not [e for e in app.get("markdown") if e.proto.allow_html]
    drawn = [e.proto for e in app.get("html")]
    assert [proto.body for proto in drawn if proto.unsafe_allow_javascript] == [SCRIPT]
    tags = Tags()
    tags.feed("".join(proto.body for proto in drawn if proto.body != SCRIPT))
    assert {tag for tag, _ in tags.found} <= TAGS
    for tag, attributes in tags.found:
        assert not [name for name in attributes if name.startswith("on") or name == "href"]
        assert tag != "img" or str(attributes["src"]).startswith("data:image/svg+xml;base64,")
    assert HOSTILE  # what the store is full of


def test_several_portfolios_are_chosen_from(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The configuration's own comes first; another one is shown without this configuration's schedule."""
    config = write_config(tmp_path / "c", store, portfolio="other")
    app = clean(at_page(config, "now", monkeypatch))
    assert app.selectbox[0].options == ["other", "main"]
    assert "No run of the portfolio other" in texts(app)
    clean(app.selectbox[0].select("main").run())
    assert "Equity" in metrics(app)
    assert "Next run" not in metrics(app)


def test_a_live_portfolio_is_looked_at_without_the_flag_of_real_money(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What only reads must not be given what lets it trade."""
    monkeypatch.delenv("TRIMTAB_LIVE", raising=False)
    app = clean(at_page(write_config(tmp_path / "c", tmp_path / "store", mode="live"), "now", monkeypatch))
    assert "The configuration is not usable" not in texts(app)


def test_a_broken_configuration_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong and what to do, instead of a traceback."""
    config = write_config(tmp_path, tmp_path / "store", portfolio="NOT ALLOWED")
    app = clean(at_page(config, "now", monkeypatch))
    assert "The configuration is not usable" in texts(app)
