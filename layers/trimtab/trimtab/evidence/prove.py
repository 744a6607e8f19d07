"""Prove: a strategy tried on the data itself: is it a pure function of what it is shown?

It finds what honest code does by mistake; code that means to hide can. It can't change what a strategy took
from a file or a frame beforehand (it names such data), sees no clock that C alone calls, as in
`map(time.time, ...)`, and looks into no thread that a strategy starts.
"""

from __future__ import annotations

import functools
import inspect
import pickle
import reprlib
import sys
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass
from types import FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING

import numpy as np

from trimtab.backtesting.scene import Scene
from trimtab.core.bars import FIELDS, Bars
from trimtab.evidence.watch import LIBRARIES, Watch, watched

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from numpy.typing import NDArray

    from trimtab.core.mandate import Rule
    from trimtab.core.record import Document

    Array: TypeAlias = NDArray[np.float64]
    Progress: TypeAlias = Callable[[float], None]

CHECKS = {
    "future": ("looks_ahead", "use only `history`, which ends at the decision: no other array, no `.base`"),
    "state": ("keeps_state", "work everything out from `history` each time; keep nothing between decisions"),
    "clock": ("reads_clock", "take the date from `history.sessions[-1]`: a backtest decides in the past"),
    "chance": ("uses_chance", "make the generator in the strategy, from a seed: numpy.random.default_rng(0)"),
    "outside": ("reads_outside", "read files and settings before the strategy is made; hand it the values"),
}
"""What is tried, the code of what it may find, and what to do then."""
SAME = 1e-9
"""Weights, fractions of equity, this near are the same: the order of a sum follows the memory's layout."""

_TWICE, _REORDERED = (f"asked {how}, it answers otherwise" for how in ("twice in a row", "in another order"))


@dataclass(frozen=True, slots=True)
class Finding:
    """One way in which a strategy is no pure function: a code of `CHECKS`, a session, what was seen there."""

    code: str
    session: str
    message: str
    seen: str


@dataclass(frozen=True, slots=True)
class Proof:
    """What was tried: `decisions`, `futures` of them with another future; what was found; what untried."""

    decisions: int
    findings: tuple[Finding, ...]
    futures: int = 0
    unchecked: tuple[str, ...] = ()

    def document(self) -> Document:
        """Give the proof as JSON holds it: each check, each finding with a hint."""
        found, hints = {finding.code for finding in self.findings}, dict(CHECKS.values())
        return {
            "decisions": self.decisions,
            "futures": self.futures,
            "checks": [{"check": k, "code": v[0], "passed": v[0] not in found} for k, v in CHECKS.items()],
            "findings": [asdict(finding) | {"hint": hints[finding.code]} for finding in self.findings],
            "unchecked": list(self.unchecked),
        }


def prove(  # noqa: PLR0913 - what is tried, then how
    strategy: Rule,
    bars: Bars,
    rows: Sequence[int] | NDArray[np.int64],
    *,
    lookback: int | None = None,
    equity: float = 100_000.0,
    seed: int = 0,
    most: int = 16,
    progress: Progress | None = None,
) -> Proof:
    """Try a strategy at the decisions `rows`, with `lookback` sessions of history (None: all), `equity` USD.

    At `most` decisions, the first and the last among them, it is also asked with the later sessions cut off,
    and with other later prices in the very arrays of `bars`, which are put back as they were: nobody else may
    read them meanwhile. What its functions keep by `functools.cache` is forgotten before each question.

    Raises:
        Halted: the strategy's weights are not acceptable.
        Exception: what the strategy raises, with a note of the session.
    """
    random, decisions = np.random.default_rng(seed), [int(row) for row in rows]
    opened, arrays, copied = _opened(bars)
    chosen = _sample(decisions, most, random)
    scene = Scene(opened, strategy, np.asarray(decisions), "close", fractional=True, lookback=lookback)
    trial = _Trial(scene, equity, 3 * len(decisions) + 6 * len(chosen), progress)
    _in_any_order(trial, decisions, random)
    for row in chosen:
        _in_any_future(trial, arrays, row, random)
    trial.look_for_changes()
    unchecked = [f"{name} itself, read-only, shared or a file's: a copy was changed" for name in copied]
    unchecked += _own_data(trial.held, bars, len(decisions))
    if trial.unsteady:
        unchecked.append("looking ahead, as the same question is not answered the same each time")
    return Proof(len(decisions), trial.findings(), len(chosen), tuple(unchecked))


def _sample(rows: list[int], most: int, random: np.random.Generator) -> list[int]:
    """Give the first, the last and some other rows, in their order; all of them if they are few."""
    if len(rows) <= max(most, 2):
        return rows
    inner = random.choice(rows[1:-1], size=max(most, 2) - 2, replace=False)
    return [rows[0], *sorted(inner.tolist()), rows[-1]]


class _Trial:
    """A strategy under trial: asks it, watched, and gathers what is found; of the same message, the first."""

    def __init__(self, scene: Scene, equity: float, questions: int, progress: Progress | None) -> None:
        self.scene, self.equity, self.watch = scene, equity, Watch(self.find)
        self.held = _held(scene.strategy)
        self._caches = [v.cache_clear for v in self.held.values() if hasattr(v, "cache_clear")]
        self._before = {name: (_state(value), reprlib.repr(value)) for name, value in self.held.items()}
        self._day, self._asked, self._questions, self._progress = "", 0, questions, progress
        self._found: dict[str, Finding] = {}

    def ask(self, row: int, scene: Scene | None = None) -> Array:
        """Ask at a decision, the first time around watched, and give the weights (m,)."""
        scene = scene or self.scene
        self._day = str(scene.bars.sessions[row])
        for forget in self._caches:
            forget()
        with watched(self.watch) if self._asked < len(scene.rows) else nullcontext():
            weights = scene.ask(row, self.equity)
        scene.asked.clear()
        self._asked += 1
        if self._progress is not None:
            self._progress(self._asked / self._questions)
        return weights

    def attempt(self, row: int, scene: Scene | None = None) -> Array | str:
        """Ask as `ask` does; give the text of what it raised where it did."""
        try:
            return self.ask(row, scene)
        except Exception as error:  # noqa: BLE001 - it did not raise on the same past: that is the finding
            return f"{type(error).__name__}: {error}"

    def find(self, code: str, message: str, seen: str) -> None:
        """Keep a finding at the decision that was asked last."""
        self._found.setdefault(message, Finding(code, self._day, message, seen))

    def compare(self, code: str, message: str, one: Array, other: Array | str) -> bool:
        """Say whether two answers to the same question are the same; keep a finding where not."""
        if not isinstance(other, str):
            apart = np.abs(one - other)
            if (apart <= SAME).all():
                return True
            i = int(apart.argmax())
            other = f"{self.scene.bars.symbols[i]} {one[i]:.6g}, then {other[i]:.6g}"
        self.find(code, message, other)
        return False

    def look_for_changes(self) -> None:
        """Find what the strategy keeps that is not as it was before it was asked."""
        for name, value in _held(self.scene.strategy).items():
            state, was = self._before.get(name, (None, "nothing"))
            changed = state != _state(value)
            if changed and hasattr(value, "random"):
                self.find("uses_chance", f"it draws from a generator it keeps: {name}", "its state went on")
            elif changed:
                seen = f"{was} before, {reprlib.repr(value)} after all questions"
                self.find("keeps_state", f"it changes what it keeps: {name}", seen)

    @property
    def unsteady(self) -> bool:
        """Say whether the same question was answered otherwise: then nothing tells who looks ahead."""
        return not {_TWICE, _REORDERED}.isdisjoint(self._found)

    def findings(self) -> tuple[Finding, ...]:
        """Give what was found, in the order of the checks; a new answer only where nothing explains it."""
        order, found = list(dict(CHECKS.values())), list(self._found.values())
        if self.unsteady:
            found = [f for f in found if f.code != "looks_ahead"]
        if not {f.code for f in found} <= {"keeps_state", "looks_ahead"}:
            found = [f for f in found if f.message not in {_TWICE, _REORDERED}]
        return tuple(sorted(found, key=lambda finding: order.index(finding.code)))


def _in_any_order(trial: _Trial, rows: list[int], random: np.random.Generator) -> None:
    """Ask every decision in order, then in another order, each twice in a row."""
    given = [trial.ask(row) for row in rows]
    for i in random.permutation(len(rows)).tolist():
        first, shared = trial.ask(rows[i]), _shared_chance()
        again = trial.ask(rows[i])
        if shared != _shared_chance():  # seeded anew by each call, it would stand where it stood
            trial.find("uses_chance", "it draws from a generator that all share", "its state went on")
        if trial.compare("keeps_state", _TWICE, first, again):
            trial.compare("keeps_state", _REORDERED, given[i], first)


def _shared_chance() -> tuple[object, ...]:
    """Give where Python's and numpy's shared generators stand."""
    python = sys.modules.get("random")
    _, key, *rest = np.random.get_state()  # noqa: NPY002 - it is what is looked at
    return python.getstate() if python else None, np.asarray(key).tobytes(), *rest


def _in_any_future(trial: _Trial, arrays: list[Array], row: int, random: np.random.Generator) -> None:
    """Ask at `row` without a future, with others, and again with the true one."""
    want = trial.ask(row)
    cut = trial.attempt(row, _cut(trial.scene, row))
    others = _futures(trial, arrays, row, random)
    trial.compare("keeps_state", _TWICE, want, trial.ask(row))
    trial.compare("looks_ahead", "without the later sessions it answers otherwise", want, cut)
    for other in others:
        trial.compare("looks_ahead", "with other later prices it answers otherwise", want, other)


def _cut(scene: Scene, row: int) -> Scene:
    """Give the scene of a copy of the bars up to `row`, in memory of its own."""
    whole = scene.bars
    arrays = (np.array(getattr(whole, name)[: row + 1], order="K") for name in (*FIELDS, "raw_close"))
    bars = Bars(whole.sessions[: row + 1].copy(), whole.symbols, *arrays)
    return Scene(bars, scene.strategy, scene.rows, "close", fractional=True, lookback=scene.lookback)


def _futures(trial: _Trial, arrays: list[Array], row: int, random: np.random.Generator) -> list[Array | str]:
    """Ask with other prices after `row`, thrice; the true ones are put back, to the byte.

    Some at least double and the rest halve, then the reverse: no sign and no rank stays. Then some end.
    """
    later = [array[row + 1 :] for array in arrays]
    kept = [part.copy() for part in later]
    sign = random.choice([-1.0, 1.0], size=arrays[0].shape[1])
    steps = sign * (1.0 + random.random(later[0].shape))
    answers = []
    try:
        for way in (1.0, -1.0, 0.0):
            factor = 2.0 ** (way * steps)
            for part, true in zip(later, kept, strict=True):
                np.multiply(true, factor, out=part)
                part[np.isnan(true)] = 100.0  # USD or shares, where no bar was
                part[:, (sign == sign[:1]) & (way == 0.0)] = np.nan
            answers.append(trial.attempt(row))
    finally:
        for part, true in zip(later, kept, strict=True):
            part[...] = true
    return answers


def _opened(bars: Bars) -> tuple[Bars, list[Array], list[str]]:
    """Give the bars on memory that can be written, its arrays, each once, and what was copied for that."""
    fields: dict[str, Array] = {}
    arrays: dict[object, Array] = {}
    copied = []
    for name in (*FIELDS, "raw_close"):
        field = getattr(bars, name)
        array, place = _writable(field), (field.ctypes.data, field.strides)
        others = () if place in arrays else arrays.values()
        if array is None or any(np.may_share_memory(array, other) for other in others):
            array, place = np.array(field, order="K"), (name, "copied")
            copied.append(name)
        fields[name] = arrays[place] = array
    return Bars(bars.sessions, bars.symbols, **fields), list(arrays.values()), copied


def _writable(field: Array) -> Array | None:
    """Give a view that writes where this one reads; None where cells share memory, or it is a file's."""
    owner = field
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    if not (owner.flags.owndata and owner.flags.writeable) or 0 in field.strides:
        return None
    view = field.view()
    view.flags.writeable = True
    return view


def _held(thing: object, prefix: str = "", seen: set[int] | None = None) -> dict[str, object]:
    """Give by name what a strategy can keep: what its functions close over, use, default to and carry."""
    seen = set() if seen is None else seen
    seen.add(id(thing))
    found: dict[str, object] = {}
    for key, value in _parts(thing).items():
        own = _is_own(value, thing)
        if own and id(value) not in seen:
            found |= _held(value, f"{prefix}{key}.", seen)
        if not own or hasattr(value, "cache_clear"):
            found[prefix + key] = value
    return found


def _is_own(value: object, holder: object) -> bool:
    """Say whether to look into it: a function that no library made, an object of its holder's module."""
    home = str(getattr(value, "__module__", ""))
    if isinstance(value, FunctionType | MethodType):
        return home.partition(".")[0] not in {*LIBRARIES, *sys.stdlib_module_names}
    return home == getattr(holder, "__module__", None) or isinstance(value, functools.partial)


def _parts(thing: object) -> dict[str, object]:
    if isinstance(thing, FunctionType):
        known = inspect.getclosurevars(thing)
        given = {name: given.default for name, given in inspect.signature(thing).parameters.items()}
        parts = {**known.globals, **known.nonlocals, **given, **vars(thing)}
    else:
        names = ("func", "keywords", "__self__", "__func__", *getattr(thing, "__slots__", ()))
        parts = {name: getattr(thing, name) for name in names if hasattr(thing, name)}
        parts |= {f"args[{i}]": value for i, value in enumerate(getattr(thing, "args", ()))}
        parts |= {"__call__": vars(type(thing)).get("__call__"), **getattr(thing, "__dict__", {})}
    return {name: value for name, value in parts.items() if not isinstance(value, type | ModuleType)}


def _state(value: object) -> object:
    """Give what differs when a value has changed."""
    if hasattr(value, "random"):
        with suppress(NotImplementedError):  # random.SystemRandom has none
            return pickle.dumps(value)
    return hash(value.tobytes()) if isinstance(value, np.ndarray) else repr(value)


def _own_data(held: dict[str, object], bars: Bars, decisions: int) -> list[str]:
    """Name the data that a strategy holds which is not that of `bars`: no other future can be put there."""
    found, least = [], max(decisions, len(bars.symbols) + 1)
    for name, value in held.items():
        data = value.close if isinstance(value, Bars) else value
        rows = len(data) if isinstance(data, dict | list | tuple) else (*getattr(data, "shape", ()), 0)[0]
        if rows >= least and not (isinstance(data, np.ndarray) and np.may_share_memory(data, bars.close)):
            found.append(f"{name}, a {type(value).__name__} of its own, which may hold later prices")
    return found
