"""Cold start: what the deployed function takes to begin, to run, and at most of memory, on one CPU.

The built layers run under Lambda's Python with its runtime client, held to CPU 0, against S3, SSM and a
sandbox exchange on loopback, which this process serves from the other CPUs. A runtime API of our own stands
in for Lambda's: the time from the start of the process to its first question for an event is the init time.
Beside the time on the clock stands the CPU time, which other work on the machine disturbs less.
"""

from __future__ import annotations

import argparse
import os
import queue
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "layers/trimtab")]

from lambda_kit import lambda_environment, portfolio, sandbox  # noqa: E402 - the path comes first
from layers_kit import keep, lambda_path, lambda_python, layers, task_folder  # noqa: E402 - as above
from s3_kit import BUCKET, ENVIRONMENT, make_bucket, moto_s3  # noqa: E402 - as above

STARTS, RUNS = 7, 7
ANSWER_S = 120.0
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Spent:
    """Milliseconds on the clock and of CPU (user and system)."""

    clock_ms: float
    cpu_ms: float

    def __str__(self) -> str:
        return f"{self.clock_ms:,.0f} ms, {self.cpu_ms:,.0f} ms of CPU"


@dataclass(slots=True)
class Api:
    """The runtime API: events out, answers in; `asked` says when the handler asked for its next event."""

    events: queue.Queue[bytes] = field(default_factory=queue.Queue)
    answers: queue.Queue[bytes] = field(default_factory=queue.Queue)
    asked: queue.Queue[float] = field(default_factory=queue.Queue)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    api: Api


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Give the next event, once there is one."""
        api = cast("_Server", self.server).api
        api.asked.put(time.perf_counter())
        body = api.events.get()
        self._answer(200, body)

    def do_POST(self) -> None:
        """Take an answer, or an error."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        cast("_Server", self.server).api.answers.put(body)
        self._answer(202, b"{}")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response_only(status)
        self.send_header("Lambda-Runtime-Aws-Request-Id", "00000000-0000-0000-0000-000000000000")
        self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time.time() + 600) * 1000)))
        self.send_header(
            "Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:1:function:rebalance"
        )
        self.send_header("Lambda-Runtime-Trace-Id", "Root=1-00000000-000000000000000000000000")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@dataclass(slots=True)
class Function:
    """A started function: what its start took, and its process."""

    start: Spent
    process: subprocess.Popen[bytes]
    api: Api

    def run(self, event: bytes) -> tuple[Spent, bytes]:
        """Send an event, and give what it took and its answer."""
        before, began = cpu_ms(self.process.pid), time.perf_counter()
        self.api.events.put(event)
        body = self.api.answers.get(timeout=ANSWER_S)
        ended = self.api.asked.get(timeout=ANSWER_S)
        return Spent((ended - began) * 1000, cpu_ms(self.process.pid) - before), body

    def peak_mb(self) -> float:
        """Give the most memory that it held at a time, MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024


def cpu_ms(pid: int) -> float:
    """Give the CPU time of a process so far, milliseconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / TICKS


@contextmanager
def started(environ: dict[str, str], task: Path) -> Iterator[Function]:
    """Start the function on CPU 0 and wait until it asks for its first event."""
    api = Api()
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.api = api
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        where = {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_address[1]}"}
        command = ["taskset", "-c", "0", *lambda_python(), "-m", "awslambdaric", "app.handler"]
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=task, env=environ | where, stdout=subprocess.DEVNULL)
        try:
            asked = api.asked.get(timeout=ANSWER_S)
            yield Function(Spent((asked - began) * 1000, cpu_ms(process.pid)), process, api)
        finally:
            process.kill()
            process.wait()
            server.shutdown()


@contextmanager
def stack(folder: Path) -> Iterator[tuple[dict[str, str], Path]]:
    """Give the environment and the folder of a function: store, configuration in S3, keys in SSM."""
    with moto_s3() as origin, sandbox() as served:
        make_bucket(origin, BUCKET)
        environ = portfolio(folder, served.url)
        keep(origin, "main", Path(environ["TRIMTAB_CONFIG"]).read_bytes(), environ)
        task = task_folder(folder)
        environ |= lambda_environment() | ENVIRONMENT | lambda_path(layers(folder), task)
        environ |= {"AWS_ENDPOINT_URL": origin, "TRIMTAB_STORE__URL": f"s3://{BUCKET}/main"}
        yield environ | {"TRIMTAB_CONFIG": f"s3://{BUCKET}/main/config/main.json"}, task


def median(spent: list[Spent]) -> Spent:
    """Give the median of each."""
    return Spent(statistics.median(s.clock_ms for s in spent), statistics.median(s.cpu_ms for s in spent))


def demand(outcome: str, body: bytes) -> None:
    """Refuse an answer with another outcome: what did something else was not measured."""
    if f'"outcome": "{outcome}"'.encode() not in body:
        raise SystemExit(f"the run was to be {outcome}: {body.decode()[:2000]}")


def measure(starts: int, runs: int) -> Iterator[str]:
    """Give the figures, a line each."""
    with tempfile.TemporaryDirectory() as name, stack(Path(name)) as (environ, task):
        inits = []
        for _ in range(starts):
            with started(environ, task) as function:
                inits.append(function.start)
        yield f"init, median of {starts}: {median(inits)}"
        with started(environ, task) as function:
            idle = function.peak_mb()
            spent, body = function.run(b'{"portfolio": "main"}')
            demand("traded", body)
            yield f"first run, which trades: {spent}"
            warm = [function.run(b'{"portfolio": "main"}') for _ in range(runs)]
            for _, body in warm:
                demand("in_band", body)
            yield f"later run, done already, median of {runs}: {median([spent for spent, _ in warm])}"
            yield f"memory: {idle:.0f} MB after init, {function.peak_mb():.0f} MB at most"


def main() -> None:
    """Print what the function takes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--starts", type=int, default=STARTS, help="cold starts to measure (default: %(default)s)"
    )
    parser.add_argument("--runs", type=int, default=RUNS, help="later runs to measure (default: %(default)s)")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, set(range(1, os.cpu_count() or 2)) or {0})
    for line in measure(arguments.starts, arguments.runs):
        print(line, flush=True)


if __name__ == "__main__":
    main()
