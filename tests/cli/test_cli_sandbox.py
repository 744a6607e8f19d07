from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import requests

from trimtab.adapters.exchange import Exchange

if TYPE_CHECKING:
    from pathlib import Path

    from cli.conftest import Desk
    from trimtab.adapters.exchange.tape import Tape

BARS = "symbol,date,open,high,low,close,volume\n" + "".join(
    f"SPY,2020-03-{day:02d},100,101,99,{100 + day},1000\n" for day in (2, 3, 4, 5, 6)
)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_sandbox_serves_a_file_until_it_is_told_to_stop(tmp_path: Path, number: int) -> None:
    """One line of JSON says where; it answers on loopback; both signals end it with 0."""
    (tmp_path / "bars.csv").write_text(BARS)
    flags = (
        "--data",
        "bars.csv",
        "--start",
        "2020-03-04",
        "--time",
        "11:30",
        "--port",
        "0",
        "--cash",
        "5000",
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "trimtab", "sandbox", "--json", *flags],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )
    try:
        assert process.stdout is not None
        facts = json.loads(process.stdout.readline())
        keys = {"APCA-API-KEY-ID": "any", "APCA-API-SECRET-KEY": "any"}
        account = requests.get(f"{facts['url']}/v2/account", headers=keys, timeout=10).json()
        moved = requests.post(f"{facts['url']}/sandbox/clock", json={"sessions": 1}, timeout=10).json()
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait(timeout=20)
    assert process.returncode == 0, err
    assert out == ""
    assert facts["session"] == "2020-03-04"
    assert facts["now"].startswith("2020-03-04T16:30")
    assert facts["data"] == "bars.csv"
    assert any("split" in caveat for caveat in facts["caveats"])
    assert account["cash"] == "5000"
    assert moved["session"] == "2020-03-05"
    assert "export APCA_API_BASE_URL=" in err
    assert "/sandbox/clock" in err


def test_a_port_in_use_is_refused(desk: Desk) -> None:
    """Two sandboxes on one port: exit 2, with what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = desk("sandbox", "--synthetic", "--port", str(taken.getsockname()[1]), "--json")
    assert done.status == 2
    assert done.document["error"]["code"] == "port"


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        (("--data", "none.csv"), "data_file"),
        (("--synthetic", "--start", "1990-01-01"), "exchange_start"),
        (("--synthetic", "--time", "09:00"), "sandbox_time"),
    ],
)
def test_what_cannot_be_replayed_is_refused(desk: Desk, flags: tuple[str, ...], code: str) -> None:
    """No such file, a start outside the data, a time before the clock's: exit 2."""
    done = desk("sandbox", *flags, "--port", "0", "--json")
    assert done.status == 2
    assert done.document["error"]["code"] == code


def test_the_tape_of_the_tests_is_made_up(tape: Tape) -> None:
    """The exchange of these tests needs no file."""
    with Exchange.open(tape).work() as world:
        assert world.book.orders == {}
