"""Lambda kit: the real runtime emulator, and a portfolio on a sandbox for it to trade."""

from __future__ import annotations

import json
import os
import platform
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import date, datetime
from functools import cache
from http.client import HTTPConnection
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab.adapters.exchange import Behaviour, Exchange
from trimtab.adapters.files import read_tape
from trimtab.adapters.sample import synthetic
from trimtab.adapters.sandbox import serve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from trimtab.adapters.exchange.tape import Tape
    from trimtab.adapters.sandbox import Sandbox

ROOT = Path(__file__).resolve().parents[1]
EVENTS = ROOT / "events"
TASK = ROOT / "functions/rebalance"
PRICES = ROOT.parent / "shared/data/canonical_etf_daily.parquet"
ETFS = ("DBC", "EEM", "EFA", "GLD", "IEF", "IWM", "LQD", "QQQ", "SPY", "TLT")
START = date(2020, 2, 18)
KEYS = ("key-of-tests", "secret-of-tests")

INVOKE = "/2015-03-31/functions/function/invocations"
ANSWER_S = 60.0
READY_S = 10.0
ATTEMPTS = 3


@cache
def tape() -> Tape:
    """Real prices of ten ETFs where they are, else made-up ones."""
    return read_tape(PRICES) if PRICES.is_file() else synthetic(ETFS)


def sandbox(at: datetime | None = None) -> Sandbox:
    """A sandbox on a frozen clock, the same each time: at 10:00 of `START`, else at a later instant."""
    exchange = Exchange.open(tape(), START, seed=7, behaviour=Behaviour(latency_s=0.0))
    if at is not None:
        exchange.move(at)
    return serve(exchange, speed=0.0, keys=KEYS, rate_limit=None)


def portfolio(folder: Path, url: str, **changes: object) -> dict[str, str]:
    """Write a paper portfolio's config.json to `folder`, and give the environment that trades it at `url`."""
    strategy = {"name": "momentum", "params": {"symbols": ETFS, "top_n": 5}}
    config = {"mode": "paper", "dry_run": False, "strategy": strategy} | changes
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    key_id, secret = KEYS
    return {
        "TRIMTAB_CONFIG": str(path),
        "APCA_API_KEY_ID": key_id,
        "APCA_API_SECRET_KEY": secret,
        "APCA_API_BASE_URL": url,
        "APCA_API_DATA_URL": url,
    }


def event(name: str) -> Any:  # noqa: ANN401 - any JSON
    """The event of a file in events/."""
    return json.loads((EVENTS / f"{name}.json").read_text())


class Context:
    """What Lambda tells a handler of its invocation."""

    function_name = "rebalance"
    function_version = "$LATEST"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:rebalance"
    aws_request_id = "00000000-0000-0000-0000-000000000000"

    def __init__(self, milliseconds: int = 60_000) -> None:
        self._milliseconds = milliseconds

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds left."""
        return self._milliseconds


def emulator() -> Path | str:
    """The runtime interface emulator for this machine, or why there is none."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return f"the emulator needs Linux on x86_64, this is {sys.platform} on {platform.machine()}"
    spec = find_spec("samcli")
    found = Path(spec.origin).parent / "local/rapid/aws-lambda-rie-x86_64" if spec and spec.origin else None
    if found is None or not os.access(found, os.X_OK):
        return "aws-sam-cli, which brings the emulator, is not installed"
    return found if find_spec("awslambdaric") else "awslambdaric is not installed"


class Runtime:
    """A handler in the emulator. One request at a time: two at once end it."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self._port = port
        self._log = log

    def invoke(self, event: object) -> Any:  # noqa: ANN401 - any JSON
        """Send an event, and give what the handler answered or what the runtime made of its error."""
        status, body = self.ask(event)
        assert status == 200, (status, body, self.log())
        return json.loads(body)

    def ask(self, event: object) -> tuple[int, bytes]:
        """Send an event, and give the emulator's status and answer, also where the handler's process died."""
        connection = HTTPConnection("127.0.0.1", self._port, timeout=ANSWER_S)
        try:
            connection.request("POST", INVOKE, json.dumps(event).encode())
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def handlers(self) -> list[int]:
        """The ids of the processes that the handler runs in: none before the first event, then one."""
        return children(self.process.pid)

    def log(self) -> str:
        """What the handler and the emulator wrote so far."""
        return self._log.read_text()

    def lines(self) -> list[dict[str, Any]]:
        """The JSON lines of the log."""
        return [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]

    def listening(self) -> bool:
        """Whether requests are taken by now."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0


@contextmanager
def runtime(
    program: Path,
    folder: Path,
    environ: Mapping[str, str],
    *,
    python: Sequence[str] = (sys.executable, "-W", "error"),
    task: Path = TASK,
) -> Iterator[Runtime]:
    """Run the handler in the emulator on free ports of loopback; warnings are errors in it."""
    log = folder / "runtime.log"
    whole = {**lambda_environment(), "LAMBDA_TASK_ROOT": str(task), **environ}
    started = next((r for _ in range(ATTEMPTS) if (r := _start(program, log, whole, python, task))), None)
    assert started is not None, log.read_text()
    try:
        yield started
    finally:
        stop(started.process)


def _start(
    program: Path, log: Path, environ: Mapping[str, str], python: Sequence[str], task: Path
) -> Runtime | None:
    """Start the emulator; None where it does not listen, perhaps because its port was taken meanwhile."""
    port, api = free_ports(2)
    address, interface = f"127.0.0.1:{port}", f"127.0.0.1:{api}"
    command = [str(program), "--log-level", "error", "--runtime-interface-emulator-address", address]
    command += ["--runtime-api-address", interface]
    command += [*python, "-m", "awslambdaric", "app.handler"]
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=task, env=environ, stdout=out, stderr=subprocess.STDOUT)
    started = Runtime(process, port, log)
    due = time.monotonic() + READY_S
    while time.monotonic() < due and process.poll() is None:
        if started.listening():
            return started
        time.sleep(0.02)
    stop(process)
    return None


def lambda_environment() -> dict[str, str]:
    """What Lambda puts into a function's environment, as far as it matters here."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_LAMBDA_FUNCTION_NAME": "rebalance",
        "AWS_LAMBDA_FUNCTION_TIMEOUT": "60",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python3.{sys.version_info.minor}",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "_HANDLER": "app.handler",
    }


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nothing listens on now."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the emulator and the runtime that it started, each by its id."""
    runtimes = children(process.pid)
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=5)
    for pid in runtimes:
        if Path(f"/proc/{pid}").exists():
            os.kill(pid, signal.SIGKILL)


def children(pid: int) -> list[int]:
    """The ids of the processes that a process started."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]
