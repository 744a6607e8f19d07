"""Canaries: storms and cells in which every secret is a canary that whatever fails quotes; none may pass.

The owner is told of everything, by receivers that fail as `requests` fails: with their URL in the error. A
secret is quoted by the broker's refusals, by connections, the store, the database, a strategy, and by errors
that nobody expected: whole, as a part of a URL, percent-encoded, in JSON, in capitals, cut short. It counts
as seen wherever the first letters of one stand (I12).
"""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import requests

from faults.ablations import Between
from faults.simulation import KEY, SECRET, Ablation
from telling_kit import CHECK, DISCORD, EVENTS, PLAIN, SLACK, URLS, Receiver
from trimtab.adapters.webhook import Answer, Wire
from trimtab.settings import redactor

if TYPE_CHECKING:
    from collections.abc import Callable

    from faults.schedules import Play
    from faults.simulation import Process
    from trimtab.adapters.sandbox import Face
    from trimtab.adapters.sandbox.wire import Request, Response
    from trimtab.core.record import Document

ENVIRON = {
    "APCA_API_KEY_ID": KEY,
    "APCA_API_SECRET_KEY": SECRET,
    "TRIMTAB_ALERT_URLS": ", ".join((*URLS, "tgram://123456789:canary_telegram_token_AbCdEf/987654321")),
    "TRIMTAB_HEARTBEAT_URL": CHECK,
    "AWS_SECRET_ACCESS_KEY": "canaryAwsSecret/with+odd=characters0000",
    "AWS_SESSION_TOKEN": "canaryAwsSession//////////token+of=a/role",
}
"""Every setting that holds a secret. (The name of an SSM parameter is none.)"""
TELLTALES = (
    *(b"akcanarykeyoft", b"canary-secret-", b"canary-discord", b"canaryslacktok", b"canary-plain-t"),
    *(b"canary_telegra", b"ca0a4e00-1111", b"canaryawssecre", b"canaryawssessi"),
)
"""How each secret begins, in small letters: nothing longer may stand anywhere."""
QUOTED = (
    *(KEY, SECRET, DISCORD, SLACK, PLAIN, CHECK, f"{CHECK}/start"),
    *(urlsplit(url).path for url in (DISCORD, SLACK, CHECK)),
    *(ENVIRON["TRIMTAB_ALERT_URLS"], "canary_telegram_token_AbCdEf"),
    *(value for name, value in ENVIRON.items() if name.startswith("AWS_")),
)
"""What an error may quote."""
FORMS: tuple[Callable[[str], str], ...] = (
    str,
    str.upper,
    quote,
    lambda text: quote(text, safe=""),
    json.dumps,
    lambda text: f"HTTPSConnectionPool: Max retries exceeded with url: {text}",
    lambda text: text[: max(20, 2 * len(text) // 3)],
)
"""How it may quote it."""
CLOSED = "http://127.0.0.1:1"
"""Where nobody listens."""
WIRE = Wire(allow_private=True)
LEAKY = 0.2
"""The part of the storms in which the strategy quotes its environment."""


@dataclass(slots=True)
class Cage:
    """Puts canaries into a play; `redact` is what stands before the ways out, `paths` the play's own count.

    Its chances are of a seed of their own.
    """

    seed: int
    redact: Callable[[Document], Document] = redactor(ENVIRON).value
    paths: Counter[str] = field(default_factory=Counter)

    def __call__(self, drama: Play) -> None:
        """Give the owner receivers, and let everything that fails quote a secret."""
        chance, simulation = random.Random(f"canary/{self.seed}"), drama.simulation
        paths = self.paths = simulation.paths

        def whisper(text: str) -> str:
            paths["canary: quoted"] += 1
            return f"{text} [{chance.choice(FORMS)(chance.choice(QUOTED))}]"

        def leaky(_history: object, _equity: float) -> dict[str, float]:
            raise ValueError(whisper("no weights:"))

        def calm() -> None:
            drama.mandate = replace(drama.mandate, rule=honest)

        honest = drama.mandate.rule
        simulation.whisper, simulation.redact, simulation.laws.secrets = whisper, self.redact, TELLTALES
        simulation.receiver = Receiver(answer=lambda url: _answered(url, chance, paths))
        simulation.ablation = Echo(whisper)
        drama.mandate = replace(drama.mandate, alerts=EVENTS)
        drama.ends.append(calm)
        if chance.random() < LEAKY:
            drama.mandate = replace(drama.mandate, rule=leaky)


def _answered(url: str, chance: random.Random, paths: Counter[str]) -> Answer:
    """Answer a message or a ping, or fail; nobody listens at one in four: the real error of a real socket.

    Raises:
        requests.ConnectionError: as no sender of ours raises it, with the URL.
    """
    dice = chance.random()
    if dice < 0.5:
        return Answer(200)
    paths["canary: a receiver failed"] += 1
    if dice < 0.75:
        return WIRE(CLOSED + urlsplit(url).path, b"{}", "application/json", 4.0)
    if dice < 0.9:
        return Answer(chance.choice([302, 404, 429, 500]), wait_s=chance.choice([None, 1.0]))
    raise requests.ConnectionError(
        f"HTTPSConnectionPool: Max retries exceeded with url: {urlsplit(url).path}"
    )


class Echo(Ablation):
    """A broker whose errors repeat what the request carried."""

    name = "errors that echo secrets"

    def __init__(self, whisper: Callable[[str], str]) -> None:
        self.whisper = whisper

    def face(self, face: Face, process: Process) -> Any:  # noqa: ANN401 - what the transport takes for a face
        """Give what the process talks to."""
        return _Echoing(face, process, self.whisper)


@dataclass(slots=True)
class _Echoing(Between):
    """Writes a secret into every error's body."""

    whisper: Callable[[str], str]

    def handle(self, request: Request) -> Response:
        """Hand a request on."""
        answer = self.face.handle(request)
        if answer.status < 400 or answer.broken or not answer.body:
            return answer
        try:
            document = json.loads(answer.body)
        except ValueError:
            return replace(answer, body=answer.body + self.whisper("").encode())
        document["message"] = self.whisper(str(document.get("message", "")))
        return replace(answer, body=json.dumps(document).encode())
