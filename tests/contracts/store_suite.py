"""Store suite: the laws that every store keeps. An adapter's test inherits it and says how one is opened."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from trimtab.ports import Store

if TYPE_CHECKING:
    from multiprocessing.queues import Queue
    from multiprocessing.synchronize import Barrier

OpenStore = Callable[[], Store]
"""Opens the same store anew; can be pickled, so that other processes can open it too."""

RACERS = 16
"""Writers that race: threads, shared out among as many processes as the store's test says."""

NO_KEYS = [
    *("", "/", "/etc/x", "a//b", "a/", "../a", "a/../b", "a/..", ".", "./a", ".hidden", "a/.b"),
    *("a b", "é", "a\nb", "a\\b", "a\0", "HALT\n", "a:b", "~", "*"),
]


PLANTED = [
    *(
        "portfolios/main.json~",
        "portfolios/#main.json#",
        "portfolios/main (copy).json",
        "portfolios/größe.json",
    ),
    *("portfolios/.main.json.swp", "portfolios/.git/config", "portfolios/my folder/main.json"),
]
"""Names that an editor, a desktop or another program leaves beside the blobs."""


def _race(open_store: OpenStore, barrier: Barrier, results: Queue[tuple[int, bool]], numbers: range) -> None:
    def put(number: int) -> None:
        store = open_store()
        store.get("HALT")  # what a first call prepares is prepared
        barrier.wait()
        results.put((number, store.put_if_absent("plans/main/2020-03-16.json", _blob(number))))

    with ThreadPoolExecutor(len(numbers)) as pool:
        list(pool.map(put, numbers))


def _blob(number: int) -> bytes:
    return bytes([number]) * 200_000


class StoreLaws:
    """Inherit, and give the fixtures `open_store` and `plant`, which writes a name past the store."""

    processes = RACERS
    """In how many processes the racers are."""

    @pytest.fixture
    def store(self, open_store: OpenStore) -> Store:
        """Give an empty store."""
        return open_store()

    @pytest.mark.parametrize("data", [b"", b"{}", bytes(range(256)) * 20_000], ids=["empty", "small", "5 MB"])
    def test_gives_back_exactly_what_was_put(self, store: Store, data: bytes) -> None:
        """A blob comes back byte for byte."""
        assert store.put_if_absent("plans/main/2020-03-16.json", data) is True
        assert store.get("plans/main/2020-03-16.json") == data

    def test_an_absent_key_is_none(self, store: Store) -> None:
        """Absent is None, before and after anything was stored, also beside a key."""
        assert store.get("HALT") is None
        store.put_if_absent("halts/main", b"why")
        assert store.get("halts/other") is None
        assert store.get("plans/main/2020-03-16.json") is None

    def test_a_second_put_changes_nothing(self, store: Store) -> None:
        """The first blob stays; the second writer is told."""
        store.put_if_absent("plans/main/2020-03-16.json", b"first")
        assert store.put_if_absent("plans/main/2020-03-16.json", b"second") is False
        assert store.put_if_absent("plans/main/2020-03-16.json", b"first") is False
        assert store.get("plans/main/2020-03-16.json") == b"first"

    def test_a_deleted_key_is_absent_and_can_be_put_again(self, store: Store) -> None:
        """Delete removes; deleting what is absent is fine."""
        store.delete("HALT")
        store.put_if_absent("HALT", b"why")
        store.delete("HALT")
        store.delete("HALT")
        assert store.get("HALT") is None
        assert store.put_if_absent("HALT", b"again") is True
        assert store.get("HALT") == b"again"

    def test_lists_what_is_under_a_prefix_in_ascending_order(self, store: Store) -> None:
        """Every key under the prefix, none beside it, ordered as strings."""
        keys = [
            "runs/main/b/1",
            "runs/main/a-b/1",
            "runs/main/a/2",
            "runs/main/a/10",
            "runs/main2/a/1",
            "HALT",
        ]
        for key in keys:
            store.put_if_absent(key, b"")
        assert store.list("runs/main/") == (
            "runs/main/a-b/1",
            "runs/main/a/10",
            "runs/main/a/2",
            "runs/main/b/1",
        )
        assert store.list("runs/main/a/") == ("runs/main/a/10", "runs/main/a/2")
        assert store.list("events/") == ()

    def test_lists_no_name_that_it_would_refuse(self, store: Store, plant: Callable[[str], object]) -> None:
        """Whoever goes through a list can read and delete all of it, whatever others left there."""
        store.put_if_absent("portfolios/main.json", b"{}")
        for name in PLANTED:
            plant(name)
        assert store.list("portfolios/") == ("portfolios/main.json",)

    def test_lists_nothing_in_an_empty_store(self, store: Store) -> None:
        """A store that was never written to has no keys."""
        assert store.list("plans/") == ()

    @pytest.mark.parametrize(
        "key",
        NO_KEYS,
    )
    def test_refuses_what_is_no_key(self, store: Store, key: str) -> None:
        """A key is a relative path of plain parts: nothing can point out of the store."""
        with pytest.raises(ValueError, match="key"):
            store.get(key)
        with pytest.raises(ValueError, match="key"):
            store.put_if_absent(key, b"")
        with pytest.raises(ValueError, match="key"):
            store.delete(key)
        with pytest.raises(ValueError, match="key"):
            store.list(key + "/")

    def test_a_prefix_ends_in_a_slash(self, store: Store) -> None:
        """`runs/main` would mean `runs/main2` too on some stores, so it is refused on all."""
        with pytest.raises(ValueError, match="prefix"):
            store.list("runs/main")

    def test_two_openings_see_each_other(self, open_store: OpenStore) -> None:
        """What one has written the other sees at once."""
        one, other = open_store(), open_store()
        one.put_if_absent("HALT", b"why")
        assert other.get("HALT") == b"why"
        assert other.put_if_absent("HALT", b"mine") is False
        other.delete("HALT")
        assert one.get("HALT") is None

    def test_of_racing_writers_exactly_one_stores(self, open_store: OpenStore) -> None:
        """Sixteen writers in several processes put one key at once: one did, and the blob is its, whole."""
        spawn = multiprocessing.get_context("spawn")
        barrier, results = spawn.Barrier(RACERS), spawn.Queue()
        shares = [range(n, RACERS, self.processes) for n in range(self.processes)]
        racers = [spawn.Process(target=_race, args=(open_store, barrier, results, n)) for n in shares]
        for racer in racers:
            racer.start()
        outcomes = dict(results.get(timeout=120) for _ in range(RACERS))
        for racer in racers:
            racer.join(timeout=60)
        winners = [number for number, stored in outcomes.items() if stored]
        assert len(outcomes) == RACERS
        assert len(winners) == 1
        assert open_store().get("plans/main/2020-03-16.json") == _blob(winners[0])
