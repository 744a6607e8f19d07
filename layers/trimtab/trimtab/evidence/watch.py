"""Watch: what a strategy does while it decides, beside computing: clocks, chance, files, the environment.

Python tells of it in two ways: `sys.setprofile` hears every call, an audit hook what leaves the process.
"""

from __future__ import annotations

import datetime as dt
import functools
import gc
import inspect
import reprlib
import sys
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType
from typing import TYPE_CHECKING, Any

from trimtab.backtesting.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType, FrameType

__all__ = ["LIBRARIES", "Watch", "watched"]

LIBRARIES = {"cvxpy", "joblib", "numpy", "pandas", "polars", "scipy", "skfolio", "sklearn"}
"""They take their settings from the environment and time themselves, which moves no weight."""
_PYTHON_ITSELF = ("importlib._bootstrap", "linecache", "logging", "warnings", "zoneinfo")
"""How modules begin that read files and clocks to import, warn and log, not to decide."""
_CALLS = {
    **dict.fromkeys(("time.time", "time.monotonic", "time.perf_counter", "time.process_time"), "reads_clock"),
    **dict.fromkeys(("time.time_ns", "time.monotonic_ns", "time.perf_counter_ns"), "reads_clock"),
    **dict.fromkeys(("time.process_time_ns", "time.thread_time", "time.thread_time_ns"), "reads_clock"),
    **dict.fromkeys(("time.clock_gettime", "time.clock_gettime_ns", "time.localtime"), "reads_clock"),
    **dict.fromkeys(("time.gmtime", "time.ctime", "date.now", "date.today", "date.utcnow"), "reads_clock"),
    **dict.fromkeys(("os.getrandom", "os.urandom"), "uses_chance"),
    **dict.fromkeys(("os.access", "os.getcwd", "os.lstat", "os.stat"), "reads_outside"),
}
"""Functions made of C, and what calling one is."""
_CALLED = {name.partition(".")[2] for name in _CALLS}
_OUTSIDE = ("builtins.input", "open", "os.", "socket.", "sqlite3.", "subprocess.")
"""How the audit events begin of what leaves the process: https://docs.python.org/3/library/audit_events.html"""
_NOW, _NOW_READERS = {"now", "today"}, {"Timestamp", "datetime64", "to_datetime"}


class Watch:
    """What a strategy does while it decides, beside computing: each told as code, message, what was seen."""

    def __init__(self, find: Callable[[str, str, str], None]) -> None:
        self._find, self._known = find, set["CodeType"]()

    def profile(self, frame: FrameType, event: str, arg: Any) -> None:  # noqa: ANN401 - sys.setprofile's
        """Take an event of the profiler: a function of Python's or of C's was called."""
        if event == "c_call":
            if arg.__name__ in _CALLED and (name := _name_of(arg)) in _CALLS:
                self.tell(_CALLS[name], name, frame)
        elif event == "call":
            code, module = frame.f_code, frame.f_globals.get("__name__")
            if module == "os" and code.co_name == "__getitem__":
                self.tell("reads_outside", "os.environ", frame, f" {frame.f_locals.get('key')!r}")
            elif module == "random" and code.co_name == "__init__" and frame.f_locals.get("x") is None:
                self.tell("uses_chance", "random.Random without a seed", frame)
            elif code not in self._known:
                self._known.add(code)
                if _NOW_READERS & set(code.co_names) and _NOW & set(code.co_consts):
                    self.tell("reads_clock", "'now' as a date", frame)
                elif code.co_name.startswith(("read_", "scan_")) and str(module).startswith("polars"):
                    self.tell("reads_outside", f"polars.{code.co_name}", frame)  # which Python does not hear

    def tell(self, code: str, what: str, frame: FrameType | None, about: str = "") -> None:
        """Tell of something, unless Python or a library does it to its own ends."""
        place, root = _place(frame)
        own_ends = root in LIBRARIES and (code == "reads_clock" or what == "os.environ")
        if place and not own_ends:
            self._find(code, f"while it decides, it uses {what}", f"{what}{about}, {place}")


def _name_of(function: Any) -> str:  # noqa: ANN401 - whatever C calls a function
    """Give a C function's module and name; a date's makers, in subclasses too, are `date`'s."""
    owner = getattr(function, "__self__", None)
    if isinstance(owner, type) and issubclass(owner, dt.date):
        return f"date.{function.__name__}"
    module = owner.__name__ if isinstance(owner, ModuleType) else ""
    return f"{'os' if module in {'posix', 'nt'} else module}.{function.__name__}"


def _place(frame: FrameType | None) -> tuple[str, str]:
    """Give the innermost line that is no library's own, and its package; nothing where Python itself acts."""
    place = root = ""
    while frame is not None and frame.f_globals.get("__name__") != Scene.__module__:
        module = str(frame.f_globals.get("__name__"))
        package = module.partition(".")[0]
        if module.startswith(_PYTHON_ITSELF):
            return "", ""
        root = root or package * (package not in sys.stdlib_module_names)
        if not place and package not in {*LIBRARIES, *sys.stdlib_module_names}:
            file = frame.f_code.co_filename.replace("\\", "/").rpartition("/")[2]
            place = f"{file} line {frame.f_lineno}"
        frame = frame.f_back
    return place or "in a library", root


_WATCHING: ContextVar[Watch | None] = ContextVar("_WATCHING", default=None)
"""Each thread has its own context: what the others do meanwhile is not heard."""


@contextmanager
def watched(watch: Watch) -> Iterator[None]:
    """Hear what this thread does for as long as the context lasts; no garbage is collected meanwhile.

    Finalisers and collection callbacks, which may read a clock, would seem to be the strategy's doing.
    """
    _listen()
    before, token, collects = sys.getprofile(), _WATCHING.set(watch), gc.isenabled()
    gc.disable()
    sys.setprofile(watch.profile)
    try:
        yield
    finally:
        sys.setprofile(before)
        _WATCHING.reset(token)
        if collects:
            gc.enable()


@functools.cache
def _listen() -> None:
    """Hear Python's audit events, once and for good: a hook can't be taken off."""
    watching = _WATCHING  # when Python ends, a module's names go before its hook does

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        watch = watching.get()
        if watch is not None and event.startswith(_OUTSIDE):
            frame, about = inspect.currentframe(), " ".join(map(reprlib.repr, arguments[:1]))
            watch.tell("reads_outside", event, frame and frame.f_back, f" {about}")

    sys.addaudithook(hook)
