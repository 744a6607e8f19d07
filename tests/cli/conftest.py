from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from trimtab.adapters.exchange import Exchange
from trimtab.adapters.sample import synthetic
from trimtab.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trimtab.adapters.exchange.tape import Tape

SYMBOLS = ("AAA", "BBB", "CCC")
STRATEGY = {"name": "equal_weight", "params": {"symbols": list(SYMBOLS)}}


@dataclass(frozen=True)
class Done:
    """What a command left: its exit status and what it printed."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:  # noqa: ANN401 - any JSON
        """The one document on stdout; fails where stdout holds anything else."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Desk:
    """A folder with a configuration, and the program in it."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    def write(self, **changes: object) -> None:
        """Write config.json: a simulated, trading portfolio, with these keys changed."""
        config: dict[str, object] = {"strategy": STRATEGY, "dry_run": False} | changes
        (self.folder / "config.json").write_text(json.dumps(config))

    def __call__(self, *arguments: str) -> Done:
        """Run one command in this process."""
        self.capsys.readouterr()
        status = main(arguments)
        captured = self.capsys.readouterr()
        return Done(status, captured.out, captured.err)

    def files(self) -> set[str]:
        """Every file below the folder."""
        return {str(p.relative_to(self.folder)) for p in self.folder.rglob("*") if p.is_file()}

    def records(self, store: str) -> list[dict[str, Any]]:
        """Every complete record of a store."""
        sums = sorted((self.folder / store / "runs").rglob("SHA256SUMS"))
        return [json.loads((path.parent / "record.json").read_text()) for path in sums]


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Give a folder with a configuration, without anything of this machine's environment."""
    for name in [name for name in os.environ if name.startswith(("TRIMTAB_", "APCA_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)
    made = Desk(tmp_path, capsys)
    made.write()
    return made


@pytest.fixture(scope="session")
def tape() -> Tape:
    """Give a made-up market."""
    return synthetic(SYMBOLS)


@pytest.fixture
def exchange(tape: Tape) -> Iterator[Exchange]:
    """Give a simulated exchange in memory."""
    made = Exchange.open(tape)
    yield made
    made.close()
