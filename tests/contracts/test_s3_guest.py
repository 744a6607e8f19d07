"""Guest: the dashboard's reading of a store in S3, over HTTP, by ETag, and without a single write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import streamlit as st

from dashboard_kit import PAGES, at_page, season, sheets, texts, write_config
from s3_kit import ENVIRONMENT, Fault, put_raw
from trimtab.adapters.s3 import S3GuestTrades, S3Store, S3Trades
from trimtab.adapters.sqlite import SqliteTrades
from trimtab.adapters.stores import open_guest
from trimtab.errors import Halted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streamlit.testing.v1 import AppTest

    from s3_kit import Wire

SESSIONS = 6
COUNT = "SELECT COUNT(*) FROM targets"


def target(n: int) -> dict[str, list[dict[str, object]]]:
    """Give one row."""
    return {"targets": [{"run_id": f"run-{n:03d}", "symbol": "SPY", "weight": "0.6"}]}


def count(guest: S3GuestTrades) -> object:
    """Give how many rows a guest sees; None without a database."""
    guest.stamp()
    with guest.sight() as view:
        return None if view is None else view.rows(COUNT)[0][0]


def test_a_guest_sees_each_version_and_is_sent_it_once(url: str, wire: Wire, tmp_path: Path) -> None:
    """Unchanged it costs one conditional request; changed, removed and made anew it is seen at once."""
    guest = S3GuestTrades(url, tmp_path / "copies")
    assert (guest.stamp(), count(guest)) == ((), None)
    S3Trades(url).add(target(1))
    assert count(guest) == 1
    first = guest.stamp()
    asked = len(wire.seen)
    assert guest.stamp() == first
    assert [passed.method for passed in wire.seen[asked:]] == ["GET"]
    changed = [path.stat().st_mtime_ns for path in tmp_path.rglob("trades.db")]
    S3Trades(url).add(target(2))
    assert count(guest) == 2
    assert guest.stamp() != first
    S3Store(url).delete("trades.db")
    assert (guest.stamp(), count(guest)) == ((), None)
    for n in range(3, 6):
        S3Trades(url).add(target(n))
        count(guest)
    assert count(guest) == 3
    assert len(changed) == 1
    assert len(list(tmp_path.rglob("trades.db"))) == 2  # the newest two versions


def test_a_read_that_goes_on_keeps_its_version(url: str, tmp_path: Path) -> None:
    """A run that writes meanwhile changes nothing of what a guest is reading."""
    guest = S3GuestTrades(url, tmp_path)
    S3Trades(url).add(target(1))
    guest.stamp()
    with guest.sight() as view:
        assert view is not None
        for n in (2, 3):
            S3Trades(url).add(target(n))
            guest.stamp()
        assert view.rows(COUNT) == [(1,)]
    assert count(guest) == 3


def test_damage_and_silence_are_told(url: str, wire: Wire, tmp_path: Path) -> None:
    """What is no database is named as on a disk; a bucket that refuses is an OSError without a secret."""
    guest = S3GuestTrades(url, tmp_path)
    put_raw(url, "trades.db", b"garbage" * 1_000)
    guest.stamp()
    with pytest.raises(Halted, match="not a sound SQLite database"), guest.sight():
        pass
    wire.judge = lambda _: Fault(status=403, code="AccessDenied")
    with pytest.raises(OSError, match="AccessDenied") as refused:
        guest.stamp()
    assert not [secret for secret in ENVIRONMENT.values() if secret in str(refused.value)]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a store of a few real runs in a directory."""
    root = tmp_path_factory.mktemp("lived") / "store"
    season(root, SESSIONS)
    return root


@pytest.fixture
def bucket(lived: Path, url: str) -> str:
    """Give the same store in S3, uploaded once."""
    del url  # its environment comes first
    name = "s3://records/lived"
    store = S3Store(name)
    if store.get("trades.db") is None:
        for path in sorted(lived.rglob("*"), reverse=True):
            if path.is_file():
                store.put_if_absent(path.relative_to(lived).as_posix(), path.read_bytes())
    return name


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Forget what was read, and how the store was reached: each test has a wire of its own."""
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


def shown(app: AppTest) -> tuple[object, ...]:
    """Give what a page tells."""
    assert not app.exception, app.exception[0].stack_trace
    return [(metric.label, metric.value) for metric in app.metric], sheets(app)


def test_every_page_of_a_bucket_is_that_of_a_directory(
    lived: Path, bucket: str, wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every figure and table is the same; it is read with GET and HEAD alone, so that no run ever waits."""
    pages = {}
    for place in (str(lived), bucket):
        st.cache_resource.clear()
        app = at_page(write_config(tmp_path, place), "now", monkeypatch)
        pages[place] = [shown(app)]
        for page in PAGES[1:]:
            pages[place].append(shown(app.switch_page(f"views/{page}.py").run()))
    assert pages[bucket] == pages[str(lived)]
    assert set(wire.methods()) == {"GET"}


def test_a_bucket_that_can_not_be_read_is_told(
    bucket: str, wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page says what S3 answered and what to do; no credential is on it."""
    wire.judge = lambda _: Fault(status=403, code="AccessDenied")
    app = at_page(write_config(tmp_path, bucket), "now", monkeypatch)
    assert not app.exception
    said = texts(app)
    assert "store can't be read" in said
    assert "AccessDenied" in said
    assert not [name for name, value in ENVIRONMENT.items() if "KEY" in name and value in said]


def test_a_directory_is_opened_as_before(tmp_path: Path) -> None:
    """The same function opens both."""
    store, guest = open_guest(str(tmp_path), tmp_path / "unused")
    assert store.get("HALT") is None
    assert guest.stamp() == ()
    assert not (tmp_path / "unused").exists()


def test_a_page_follows_the_bucket_by_its_etag(
    lived: Path, bucket: str, wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unchanged, trades.db is asked for and not sent; what a run wrote is on the next page."""
    config = write_config(tmp_path, bucket)
    app = at_page(config, "health", monkeypatch)
    before = dict(shown(app)[0])["Runs"]  # type: ignore[call-overload]  # pairs
    bodies: list[int] = []
    seen = len(wire.seen)
    wire.after = lambda passed: bodies.append(passed.number) if "trades.db" in passed.target else None
    st.cache_resource.clear()
    shown(app.run())
    asked = [passed for passed in wire.seen[seen:] if "trades.db" in passed.target]
    assert len(asked) == len(bodies) == 1
    (run,) = SqliteTrades(lived / "trades.db").query("SELECT * FROM latest_run")
    S3Trades(bucket).add({"runs": [run | {"run_id": "20300102T150000Z-00000001"}]})
    st.cache_resource.clear()
    assert dict(shown(app.run())[0])["Runs"] == str(int(before) + 1)  # type: ignore[call-overload]  # as above
