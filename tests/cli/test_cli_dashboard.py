from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

if TYPE_CHECKING:
    from cli.conftest import Desk


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7"])  # noqa: S104 - it is refused
def test_an_address_of_the_network_needs_a_login(desk: Desk, host: str) -> None:
    """Without one it is refused before anything listens."""
    desk.write()
    done = desk("dashboard", "--host", host, "--json")
    assert done.status == 2
    assert done.document["error"]["code"] == "exposed"


def test_a_port_in_use_is_refused(desk: Desk) -> None:
    """Exit 2, with what to do."""
    desk.write()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = desk("dashboard", "--port", str(taken.getsockname()[1]), "--json")
    assert done.status == 2
    assert done.document["error"]["code"] == "port"


def test_a_broken_configuration_serves_nothing(desk: Desk) -> None:
    """It is told like any other verb's."""
    desk.write(portfolio="NOT ALLOWED")
    assert desk("dashboard", "--port", "0").status == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_stop(desk: Desk, number: int) -> None:
    """One line of JSON says where; it answers there; both signals end it, and its server, with 0."""
    desk.write()
    process = subprocess.Popen(
        [sys.executable, "-m", "trimtab", "dashboard", "--json", "--port", "0"],
        cwd=desk.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        facts = json.loads(process.stdout.readline())
        with urlopen(f"{facts['url']}/_stcore/health", timeout=60) as answer:  # noqa: S310 - our own http address
            assert answer.status == 200
        with urlopen(facts["url"], timeout=60) as answer:  # noqa: S310 - as above
            assert b"<title>" in answer.read()
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait(timeout=20)
    assert process.returncode == 0, err
    assert out == ""
    assert "stopped" in err
    with socket.socket() as free:
        assert free.connect_ex(("127.0.0.1", int(facts["url"].rsplit(":", 1)[1]))) != 0
    assert not (desk.folder / "trimtab-data").exists()
