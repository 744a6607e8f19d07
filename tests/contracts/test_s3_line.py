from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from line_kit import Kill, Killed, Lab, make_lab
from trimtab.adapters.stores import open_store

if TYPE_CHECKING:
    from pathlib import Path

    from trimtab.adapters.directory import DirectoryStore
    from trimtab.adapters.sqlite import SqliteTrades


@dataclass(slots=True)
class S3Lab(Lab):
    """A lab whose store is in S3, at `url`."""

    url: str = ""

    @property
    def store(self) -> DirectoryStore:
        """The store, without anything between."""
        return open_store(self.url)[0]  # type: ignore[return-value]  # what a lab does with it, any store can

    @property
    def trades(self) -> SqliteTrades:
        """The store's trades.db."""
        return open_store(self.url)[1]  # type: ignore[return-value]  # as above


@pytest.fixture
def lab(url: str, tmp_path: Path) -> S3Lab:
    """Give an exchange whose portfolio keeps its records in S3."""
    made = make_lab(tmp_path)
    return S3Lab(made.root, made.exchange, made.mandate, url=url)


def test_a_run_with_its_store_in_s3_trades_once(lab: S3Lab) -> None:
    """The first run trades and leaves plan, record and rows; a second finds it done and sends nothing."""
    first = lab.run()
    assert first["outcome"] == "traded"
    posts = lab.posts()
    second = lab.run()
    assert second["outcome"] == "in_band"
    assert lab.posts() == posts
    session = first["session"]
    assert lab.store.list("plans/") == (f"plans/main/{session}.json",)
    folder = f"runs/main/{session}/{first['run_id']}"
    names = ("SHA256SUMS", "inputs.parquet", "record.json")
    assert lab.store.list(f"{folder}/") == tuple(f"{folder}/{name}" for name in names)
    rows = lab.trades.query("SELECT client_order_id FROM orders ORDER BY 1")
    assert [row["client_order_id"] for row in rows] == sorted(posts)
    assert lab.trades.query("SELECT outcome FROM runs ORDER BY started_at, run_id") == [
        {"outcome": "traded"},
        {"outcome": "in_band"},
    ]
    assert not (lab.root / "trades.db").exists()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_run_that_dies_as_it_stores_its_plan_is_resumed(lab: S3Lab, after: bool) -> None:  # noqa: FBT001 - a parameter
    """Killed before or after the plan's object is there: the next run trades it once, and the books agree."""
    puts: list[str] = []

    def count(name: str, key: str) -> None:
        puts.extend([key] if name == "put" else [])

    lab.watch = count
    with pytest.raises(Killed):
        lab.run(store=Kill(at=2, after=after, only="put"))
    assert puts[-1].startswith("plans/main/")
    record = lab.run()
    assert record["outcome"] == "traded"
    assert len(lab.posts()) == len(set(lab.posts())) == len(record["orders"])
    assert len(lab.trades.query("SELECT * FROM orders")) == len(lab.posts())
