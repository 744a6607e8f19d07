"""Year: many recorded runs, replayed to the byte; and bytes flipped in every file, each of which is noticed.

python tests/evidence/year.py [--sessions N] [--flips N] [--store FOLDER]    a year, 4 flips a file
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab.adapters.directory import DirectoryStore
from trimtab.adapters.inputs import read_inputs
from trimtab.adapters.sqlite import SqliteTrades
from trimtab.desk import on_loopback
from trimtab.evidence.books import audited, loose
from trimtab.evidence.replay import Decider, Replayer

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIG = {
    "dry_run": False,
    "strategy": {"name": "inverse_volatility", "params": {"symbols": ["AAA", "BBB", "CCC", "DDD", "EEE"]}},
    "store": {"url": "kept"},
}
"""A portfolio that trades on most days, on made-up prices."""


def trimtab(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the program in a folder, as a person does, without this machine's settings."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("TRIMTAB_", "APCA_"))}
    command = [sys.executable, "-m", "trimtab", *words]
    return subprocess.run(
        command, cwd=folder, env=environ, check=False, capture_output=True, text=True, timeout=3600
    )


def lived(folder: Path, sessions: int) -> Path:
    """Let a simulated portfolio run for so many sessions, halt and resume it once; give its store."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    for words in (
        ("run", "--sessions", str(sessions)),
        ("halt", "a drill"),
        ("run",),
        ("resume",),
        ("run",),
    ):
        done = trimtab(folder, *words)
        assert done.returncode in {0, 3}, done.stderr
    return folder / "kept"


def files(store: Path) -> list[Path]:
    """Give every file that can be vouched for: plans, records, inputs, sums, events, the binding."""
    parts = ("plans", "runs", "events", "portfolios")
    return sorted(path for part in parts for path in (store / part).rglob("*") if path.is_file())


def found(store: Path, path: Path) -> list[str]:
    """Verify what a file touches, and give what is said to be wrong."""
    kept = DirectoryStore(store)
    replayer = Replayer(kept, read_inputs, lambda _config: Decider(None, ""), on_loopback)
    name = path.relative_to(store).parts
    if name[0] in {"runs", "plans"}:
        session = name[2].removesuffix(".json")
        folders = sorted((store / "runs" / name[1] / session).iterdir())
        runs = [replayer.verify(folder.relative_to(store).as_posix()) for folder in folders]
        return [run.detail for run in runs if not run.stands]
    folders = sorted((store / "runs/main").glob("*/*"))
    for folder in folders[:1]:
        replayer.verify(folder.relative_to(store).as_posix())
    said = [text for text in loose(kept, "main", replayer.witnessed) if not text.startswith("plans/")]
    if not said and name[0] == "events":  # the moment of a word stands in trades.db, too
        with tempfile.TemporaryDirectory() as folder:
            made = SqliteTrades(Path(folder) / "made.db")
            said = [f"{text} ({path.name})" for text in _books(kept, store, made) if path.stem in text]
    return said


def _books(kept: DirectoryStore, store: Path, made: SqliteTrades) -> tuple[str, ...]:
    return audited(kept, SqliteTrades(store / "trades.db"), made).differences


def flips(store: Path, each: int, seed: int = 0) -> Iterator[tuple[str, int, list[str]]]:
    """Flip bytes of every file, one at a time: its name, the place, and what is said to be wrong."""
    rng = random.Random(seed)
    for path in files(store):
        whole = path.read_bytes()
        for _ in range(each):
            place = rng.randrange(len(whole))
            path.write_bytes(
                whole[:place] + bytes([whole[place] ^ rng.randrange(1, 256)]) + whole[place + 1 :]
            )
            try:
                yield path.relative_to(store).as_posix(), place, found(store, path)
            finally:
                path.write_bytes(whole)


def unnoticed(store: Path, each: int) -> tuple[int, list[str]]:
    """Count the flips, and give those that nothing was said of, or that were put down to another file."""
    count, missed = 0, []
    for name, place, said in flips(store, each):
        count += 1
        # A record, or a plan, whose digests no longer fit is told by its own name.
        if not any(name.rsplit("/", 1)[1] in text for text in said):
            missed.append(f"{name} at {place}: {said}")
    return count, missed


def rows(path: Path) -> list[str]:
    """Give a database as SQL."""
    with closing(sqlite3.connect(path)) as base:
        return sorted(base.iterdump())


def overlooked(store: Path, folder: Path, times: int) -> tuple[int, int]:
    """Flip bytes of trades.db: count those that verify tells, and those that changed rows without a word."""
    rng, path, told, missed = random.Random(1), folder / "flipped.db", 0, 0
    whole, good = (store / "trades.db").read_bytes(), rows(store / "trades.db")
    for n in range(times):
        place = rng.randrange(len(whole))
        path.write_bytes(whole[:place] + bytes([whole[place] ^ rng.randrange(1, 256)]) + whole[place + 1 :])
        books = audited(DirectoryStore(store), SqliteTrades(path), SqliteTrades(folder / f"made-{n}.db"))
        told += not books.stands
        missed += books.stands and rows(path) != good
    return told, missed


def replayed(folder: Path) -> tuple[dict[str, Any], float, float]:
    """Replay every run as a person does: the document, seconds that passed, and seconds of the processor."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = trimtab(folder, "replay", "--all", "--json")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    document: dict[str, Any] = json.loads(done.stdout)
    return document, time.monotonic() - began, used


def main() -> int:
    """Make the year, and tell what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=250)
    parser.add_argument("--flips", type=int, default=4, help="a file")
    parser.add_argument("--store", type=Path, help="the folder of a year that was made before")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = given.store or Path(place)
        store = folder / "kept"
        if not store.is_dir():
            store = lived(folder, given.sessions)
        document, passed, used = replayed(folder)
        results = [run["result"] for run in document["runs"]]
        counts = {result: results.count(result) for result in sorted(set(results))}
        say(f"replay --all: {counts}, {passed:.1f} s, {used:.1f} s of the processor")
        count, missed = unnoticed(store, given.flips)
        say(f"{count} flips in {len(files(store))} files: {len(missed)} unnoticed")
        for text in missed:
            say(text)
        told, silent = overlooked(store, Path(place), 50)
        say(f"50 flips in trades.db: {told} told, {silent} changed a row without a word")
        verified = trimtab(folder, "verify").returncode
    return 1 if missed or silent or verified or not document["stands"] else 0


def say(text: str) -> None:
    """Print a line, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
