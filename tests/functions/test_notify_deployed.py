"""The function that tells alarms as it is deployed: built layers, Lambda's Python and emulator, SSM."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import botocore.session
import pytest

from lambda_kit import EVENTS, ROOT, Runtime, emulator, event, runtime
from layers_kit import lambda_path, lambda_python, layers
from s3_kit import ENVIRONMENT, moto_s3
from scripted_http import Reply, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Iterator

HOOK = "/in/canary-plain-token-77aa"
PARAMETER = "/notify-deployed/TRIMTAB_ALERT_URLS"
MEMORY_KB = 256 * 1024
"""What the template gives it."""


@dataclass(frozen=True)
class Deployed:
    """The function, and the webhook that it finds in SSM."""

    function: Runtime
    chat: ScriptedServer


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """One for all tests: it starts once."""
    program = emulator()
    if isinstance(program, str):
        pytest.skip(program)
    folder, task = tmp_path_factory.mktemp("notify"), ROOT / "functions/notify"
    with moto_s3() as origin, ScriptedServer() as chat:
        chat.on("POST", HOOK, Reply(200))
        session = botocore.session.get_session()
        session.set_credentials(ENVIRONMENT["AWS_ACCESS_KEY_ID"], ENVIRONMENT["AWS_SECRET_ACCESS_KEY"])
        ssm = session.create_client("ssm", "us-east-1", endpoint_url=origin)
        ssm.put_parameter(Name=PARAMETER, Value=chat.url + HOOK, Type="SecureString", Overwrite=True)
        ssm.close()
        found = {"AWS_ENDPOINT_URL": origin, "TRIMTAB_ALERT_URLS_PARAMETER": PARAMETER}
        environ = ENVIRONMENT | lambda_path(layers(folder), task) | found
        with runtime(program, folder, environ, python=lambda_python(), task=task) as running:
            yield Deployed(running, chat)


@pytest.mark.parametrize("name", sorted(path.stem for path in (EVENTS / "notify").iterdir()))
def test_every_event_is_told(deployed: Deployed, name: str) -> None:
    """What is in the layers is enough, and the webhook is found by its parameter."""
    before = deployed.chat.count("POST", HOOK)
    assert deployed.function.invoke(event(f"notify/{name}")) == {"messages": 1, "receivers": 1}
    assert deployed.chat.count("POST", HOOK) == before + 1
    assert json.loads(deployed.chat.asked[-1].body)["content"].startswith("trimtab-paper-")


def test_what_nobody_took_is_an_error_for_lambda(deployed: Deployed) -> None:
    """So that it calls again; neither answer nor log has the webhook's address."""
    deployed.chat.on("POST", HOOK, Reply(404))
    answer = deployed.function.invoke(event("notify/alarm"))
    deployed.chat.on("POST", HOOK, Reply(200))
    assert answer["errorType"] == "Undelivered"
    assert answer["errorMessage"] == "nobody took 1 of 1 messages"
    assert HOOK.rpartition("/")[2] not in json.dumps(answer) + deployed.function.log()


def test_it_fits_into_its_memory(deployed: Deployed) -> None:
    """At its peak the process has taken less than the template gives it."""
    deployed.function.invoke(event("notify/over"))
    (pid,) = deployed.function.handlers()
    status = Path(f"/proc/{pid}/status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0])
    assert 0 < peak < MEMORY_KB, peak
