"""Workers: processes that play tasks side by side, one a core, and die with the one that started them.

They are forked from a server that has imported what they need and started no thread (`forkserver`), so that
a worker is there in milliseconds and no lock of the parent's is copied. Each has a pipe of its own. A worker
that finds its parent gone ends at once, in the middle of a task: it waits for that in a thread.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import connection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess
    from types import TracebackType
    from typing import Self

    Play = Callable[[Any], bytes]

__all__ = ["Lost", "Workers"]

ONE_THREAD = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"),
    *("POLARS_MAX_THREADS", "RAYON_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"),
)
"""What keeps a worker's libraries to the one core that it has."""
AHEAD = 2
"""Tasks that a worker has at a time: one to play and one that waits, so that it never does."""
LIVES = 2
"""Workers that one task may take with it before it is lost."""
ENDING_S = 5.0


class Lost(Exception):  # noqa: N818 - what became of a task
    """A task took every worker down that played it; `args` are the last one's exit status."""


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    pipe: Connection
    tasks: deque[int] = field(default_factory=deque)


class Workers:
    """So many processes, each with what `prepare` gives there. Use it as a context: its end ends them.

    `prepare` and every task are pickled; `preload` is the module that the server imports beforehand.
    """

    def __init__(self, count: int, prepare: Callable[[], Play], *, preload: str) -> None:
        self._prepare, self._count = prepare, count
        methods = multiprocessing.get_all_start_methods()
        self._context: Any = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
        self._workers: list[_Worker] = []
        warm_up(preload)

    def play(self, tasks: Iterable[Any]) -> Iterator[tuple[int, bytes | Lost]]:
        """Give each task's place and result, as they come.

        A worker that dies is replaced, and its tasks are played again; one that kills `LIVES` is lost.
        """
        all_tasks, deaths = list(tasks), dict[int, int]()
        waiting, left = deque(range(len(all_tasks))), len(all_tasks)
        while left:
            self._hand_out(all_tasks, waiting)
            for worker in self._with_news():
                place, found = self._heard(worker, waiting, deaths)
                if place is not None and found is not None:
                    left -= 1
                    yield place, found

    def _hand_out(self, tasks: list[Any], waiting: deque[int]) -> None:
        wanted = min(self._count, len(waiting) + sum(len(worker.tasks) for worker in self._workers))
        while len(self._workers) < wanted:
            self._workers.append(self._started())
        for ahead in range(1, AHEAD + 1):  # each one's first before anyone's second
            for worker in self._workers:
                if waiting and len(worker.tasks) < ahead:
                    place = waiting.popleft()
                    worker.tasks.append(place)
                    with suppress(OSError):  # it died: hearing it will say so
                        worker.pipe.send(tasks[place])

    def _started(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, self._prepare), daemon=True)
        with one_thread():
            process.start()
        theirs.close()
        return _Worker(process, ours)

    def _with_news(self) -> list[_Worker]:
        ready = connection.wait([worker.pipe for worker in self._workers])
        return [worker for worker in self._workers if worker.pipe in ready]

    def _heard(
        self, worker: _Worker, waiting: deque[int], deaths: dict[int, int]
    ) -> tuple[int | None, bytes | Lost | None]:
        try:
            found = worker.pipe.recv_bytes()
        except (EOFError, OSError):
            return self._buried(worker, waiting, deaths)
        return worker.tasks.popleft(), found

    def _buried(
        self, worker: _Worker, waiting: deque[int], deaths: dict[int, int]
    ) -> tuple[int | None, Lost | None]:
        """Take a dead worker out, and put its tasks back but the one that it died of twice."""
        self._workers.remove(worker)
        worker.pipe.close()
        worker.process.join(ENDING_S)
        for place in reversed(worker.tasks):
            waiting.appendleft(place)
        if not worker.tasks:
            return None, None
        first = worker.tasks[0]
        deaths[first] = deaths.get(first, 0) + 1
        if deaths[first] < LIVES:
            return None, None
        waiting.popleft()
        return first, Lost(worker.process.exitcode)

    def close(self) -> None:
        """End every worker, in the middle of what it plays."""
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join(ENDING_S)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.pipe.close()
        self._workers.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def warm_up(preload: str) -> None:
    """Start the server that workers are forked from, and let it import a module while others work."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return
    from multiprocessing import forkserver  # noqa: PLC0415 - not every system has one

    multiprocessing.get_context("forkserver").set_forkserver_preload([preload])
    with one_thread():
        forkserver.ensure_running()


@contextmanager
def one_thread() -> Iterator[None]:
    """Let what is started here begin with libraries that use one thread; this process keeps its own."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _serve(pipe: Connection, prepare: Callable[[], Play]) -> None:
    """Play what comes through the pipe until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    play = prepare()
    while True:
        try:
            task = pipe.recv()
        except EOFError:
            return
        pipe.send_bytes(play(task))


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
