"""Mutate: changes plan, risk and execute one small thing at a time, and sees whether a test notices.

    python tests/mutation/mutate.py                       # everything
    python tests/mutation/mutate.py --sample 15 --seed 1 --only core/sizing.py
    python tests/mutation/mutate.py --again               # recorded survivors once more

Why no library: cosmic-ray starts a pytest process a mutant, and starting ours takes longer than the tests
that kill. mutmut 3 keeps the process, but finds no test here (the package lies in layers/trimtab and is
installed editable), and it leaves out decorated functions: the properties that do execute's arithmetic. Here
the tests are collected once, and each mutant is one fork whose functions get the mutated code objects, so
that every module that imported them meets the mutant. The parent never runs a test, because a thread pool
that polars started would not survive the fork.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.runner import runtestprotocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "layers/trimtab"))
sys.path.insert(0, str(ROOT / "tests"))

from mutation.mutants import Mutant, mutants_of, transplant  # noqa: E402 - its own tree's, not the installed

TARGETS = ("core/sizing.py", "core/plan.py", "core/risk.py", "execute/*.py")
ROOMS = {"core": "tests/core", "execute": "tests/line"}
"""The tests that are to notice: what only a whole run would see is not tested where it is decided."""
SLOWEST_S = 3.0
"""A test that takes longer is not asked: hundreds of mutants would wait for it."""
GRACE_S = 3
"""CPU seconds that a test may take on top of ten times its usual."""
WALL_S = 900.0
"""Seconds after which a fork is ended undecided: it waits for something, or for its turn."""
UNDECIDED = "undecided"
"""What the fork's end does not tell: it counts as survived, and is tried again."""
ALIVE = ("survived", UNDECIDED)
KNOWN = Path(__file__).with_name("survivors.txt")


@dataclass(slots=True)
class Baseline:
    """The tests on the unchanged code: CPU seconds of each, and by file and line those that run it."""

    seconds: dict[str, float] = field(default_factory=dict)
    lines: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    def tests(self, mutant: Mutant) -> list[str]:
        """Give its room's tests that run a mutant's lines (for a constant: its file), quickest first."""
        lines = self.lines.get(mutant.file, {})
        names = {
            name
            for line, names in lines.items()
            if not mutant.lines or int(line) in mutant.lines
            for name in names
        }
        room = ROOMS[mutant.file.split("/")[0]]
        own = [name for name in names if name in self.seconds and name.startswith(room)]
        return sorted(own, key=self.seconds.__getitem__)


def known_survivors() -> dict[str, str]:
    """Give the explained survivors: id → the class of docs/mutation.md."""
    rows = [row.split("\t", 1) for row in KNOWN.read_text().splitlines() if row] if KNOWN.exists() else []
    return {name: reason for reason, name in rows}


def in_fork(work: Callable[[], object], out: Path, wall_s: float = 600.0) -> Any:  # noqa: ANN401 - what `work` gives
    """Do work in a fork and give its JSON result; None if it took too long or crashed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer Pythons warn of forks beside threads
        pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        try:
            out.write_text(json.dumps(work()))
        except BaseException:  # noqa: BLE001 - a fork must not go on in its parent's code
            traceback.print_exc()
        finally:
            os._exit(0)
    end, late = time.monotonic() + wall_s, False
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        if not late and time.monotonic() > end:
            late = True
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.002)
    text = out.read_text() if out.exists() and not late else "null"
    out.unlink(missing_ok=True)
    return json.loads(text)


def measure(items: Sequence[pytest.Item], files: Sequence[str]) -> dict[str, object]:
    """Run every test once: its seconds, and the lines it runs."""
    import coverage  # noqa: PLC0415 - only the fork that measures is to load it

    paths = {file: str(ROOT / "layers/trimtab/trimtab" / file) for file in files}
    cover = coverage.Coverage(data_file=None, config_file=False, include=list(paths.values()))
    seconds: dict[str, float] = {}
    cover.start()
    for item in items:
        cover.switch_context(item.nodeid)
        started = time.process_time()
        reports = runtestprotocol(item, log=False, nextitem=None)
        took = time.process_time() - started
        if all(report.passed for report in reports) and took < SLOWEST_S:
            seconds[item.nodeid] = took
    cover.stop()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tests that never meet the targets leave no data
        data = cover.get_data()
    lines = {file: data.contexts_by_lineno(path) for file, path in paths.items()}
    return {"seconds": seconds, "lines": lines}


def attack(mutant: Mutant, items: Sequence[pytest.Item], seconds: dict[str, float], out: Path) -> str:
    """Apply a mutant and run its tests up to the first that fails; name it."""
    module = importlib.import_module("trimtab." + mutant.file.removesuffix(".py").replace("/", "."))
    try:
        transplant(module, mutant.code(module))
    except Exception as error:  # noqa: BLE001 - a module that can't be loaded is a dead mutant
        return f"import: {error!r}"[:80]
    for item in items:
        out.write_text(json.dumps(f"timeout: {item.nodeid}"))  # what is known if this test never ends
        used = time.process_time()
        limit = int(used + GRACE_S + 10 * seconds[item.nodeid])
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))
        if any(report.failed for report in runtestprotocol(item, log=False, nextitem=None)):
            return item.nodeid
    return "survived"


@dataclass(slots=True)
class Campaign:
    """A pytest plugin that attacks mutants where the tests would run."""

    options: argparse.Namespace
    results: dict[str, str] = field(default_factory=dict)
    mutants: list[Mutant] = field(default_factory=list)

    def pytest_configure(self) -> None:
        """Let properties try the same few examples each time, and not shrink what fails."""
        from hypothesis import Phase, settings  # noqa: PLC0415 - not before its pytest plugin

        phases, examples = (Phase.explicit, Phase.generate), self.options.examples
        settings.register_profile(
            "mutation", max_examples=examples, phases=phases, derandomize=True, deadline=None
        )
        settings.load_profile("mutation")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Measure the tests, then attack mutant after mutant."""
        items = {item.nodeid: item for item in session.items}
        self.mutants = self._chosen()
        files = sorted({m.file for m in self.mutants})
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "result.json"
            base = Baseline(**in_fork(lambda: measure(session.items, files), out))
            say(f"{len(base.seconds)} of {len(items)} tests, {sum(base.seconds.values()):.0f} s CPU")
            self._resume()
            for mutant in self.mutants:
                if mutant.id not in self.results:
                    names = base.tests(mutant)
                    work = partial(attack, mutant, [items[name] for name in names], base.seconds, out)
                    given = in_fork(work, out, WALL_S)
                    self._note(mutant, str(given or UNDECIDED))
        return True

    def _chosen(self) -> list[Mutant]:
        """Give the mutants to attack: all, or a sample of those that are not known to survive."""
        source = ROOT / "layers/trimtab/trimtab"
        paths = [p for t in self.options.only or TARGETS for p in sorted(source.glob(t))]
        mutants = [m for p in paths for m in mutants_of(p, p.relative_to(source).as_posix())]
        if not self.options.sample:
            return mutants
        known = known_survivors()
        able = [m for m in mutants if m.id not in known]
        return Random(self.options.seed).sample(able, min(self.options.sample, len(able)))

    def _resume(self) -> None:
        state = self.options.state
        rows = [json.loads(row) for row in state.read_text().splitlines()] if state and state.exists() else []
        current = {(m.id, digest(m)) for m in self.mutants}
        for name, mark, result in rows:
            if (name, mark) in current:
                self.results[name] = result
        if self.options.again:
            self.results = {name: result for name, result in self.results.items() if result not in ALIVE}

    def _note(self, mutant: Mutant, result: str) -> None:
        self.results[mutant.id] = result
        if result in ALIVE:
            say(f"{result}  {mutant.id}  (line {mutant.lines.start})")
        if self.options.state:
            self.options.state.parent.mkdir(parents=True, exist_ok=True)
            with self.options.state.open("a") as lines:
                lines.write(json.dumps([mutant.id, digest(mutant), result]) + "\n")

    def report(self) -> int:
        """Print the score by file; give the exit status: 0 when every survivor is a known one."""
        known = known_survivors()
        alive = [m for m in self.mutants if self.results.get(m.id) in ALIVE]
        everything = Counter(m.file for m in self.mutants)
        left = Counter(m.file for m in alive)
        for name in sorted(everything):
            n, s = everything[name], left[name]
            say(f"{name:24} {n:5} mutants {n - s:5} killed {s:4} survived {(n - s) / n:7.1%}")
        n, s = len(self.mutants), len(alive)
        timeouts = sum(r.startswith("timeout") for r in self.results.values())
        say(f"{'all':24} {n:5} mutants {n - s:5} killed {s:4} survived {(n - s) / n:7.1%}")
        say(f"{timeouts} of the killed never ended")
        new = [m for m in alive if m.id not in known]
        for m in new:
            say(f"not explained: {m.id}")
        return 1 if new else 0


def digest(mutant: Mutant) -> str:
    """Give what a stored result hangs on: the source of the target."""
    return hashlib.sha256(mutant.source.encode()).hexdigest()[:12]


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="*", help=f"targets below trimtab/, default {' '.join(TARGETS)}")
    parser.add_argument("--tests", nargs="*", default=ROOMS.values())
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--examples", type=int, default=15, help="of each property")
    parser.add_argument("--state", type=Path, help="file in which results are kept, to go on later")
    parser.add_argument("--again", action="store_true", help="attack recorded survivors once more")
    campaign = Campaign(parser.parse_args())
    shm = Path("/dev/shm")  # noqa: S108 - stores are fsynced; memory makes them fast where there is some
    with tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None) as folder:
        quiet = ["-qs", "-pno:cacheprovider", "-pno:xdist", "-otmp_path_retention_policy=none"]
        quiet += ["--basetemp", f"{folder}/pytest", "--rootdir", str(ROOT)]
        tests = [str(ROOT / test) for test in campaign.options.tests]
        status = pytest.main([*quiet, *tests], [campaign])
    return int(status) or campaign.report()


if __name__ == "__main__":
    sys.exit(main())
