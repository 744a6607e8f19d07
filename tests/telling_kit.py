"""Telling kit: receivers of alerts and pings, in this process or over HTTP, as strict as the real ones."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from scripted_http import Asked, Reply
from trimtab.adapters.healthchecks import Healthchecks
from trimtab.adapters.notify import notifiers
from trimtab.adapters.webhook import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.core.record import Document
    from trimtab.ports import Clock, Heartbeat, Notifier

DISCORD = "https://discord.com/api/webhooks/123456789012345678/canary-Discord-token-4f0b77"
SLACK = "https://hooks.slack.com/services/T0CANARY1/B0CANARY2/canarySlackToken9d1e"
PLAIN = "https://alerts.example.com/in?token=canary-plain-token-77aa"
CHECK = "https://hc-ping.com/ca0a4e00-1111-4222-8333-444455556666"
URLS = (DISCORD, SLACK, PLAIN)
EVENTS = frozenset(
    {"traded", "halted", "interrupted", "latched", "recovered", "missed", "outside_hours"},
)


@dataclass(frozen=True, slots=True)
class Posted:
    """One request as a receiver saw it."""

    url: str
    body: bytes

    @property
    def document(self) -> Document:
        """The JSON it carries."""
        found: Document = json.loads(self.body)
        return found


@dataclass(slots=True)
class Receiver:
    """Every receiver at once, in this process: `answer` says what a URL is answered, 200 by default."""

    posts: list[Posted] = field(default_factory=list)
    answer: Callable[[str], Answer] = lambda _url: Answer(200)

    def __call__(self, url: str, body: bytes, kind: str, seconds: float) -> Answer:
        """Take a request."""
        assert seconds > 0
        assert kind.startswith(("application/json", "text/plain"))
        self.posts.append(Posted(url, body))
        return self.answer(url)

    def told(self, url: str = PLAIN) -> list[Document]:
        """Give what was told at one URL, oldest first; the plain one says it shortest."""
        return [posted.document for posted in self.posts if posted.url == url]

    def events(self) -> list[list[str]]:
        """Give the events of each message, oldest first."""
        return [document["events"] for document in self.told()]

    def pings(self) -> list[str]:
        """Give the verbs of the pings, oldest first: start, success, fail."""
        return [verb_of(posted.url) for posted in self.posts if posted.url.startswith(CHECK)]

    def outlets(self, clock: Clock) -> tuple[tuple[Notifier, ...], Heartbeat]:
        """Give the real notifiers and heartbeat that lead here."""
        channels = notifiers(URLS, clock, self, where="alert URLs", allow_private=False)
        return channels, Healthchecks(CHECK, clock, self, where="ping URL", allow_private=False)


def verb_of(url: str) -> str:
    """Name a ping by its URL."""
    last = urlsplit(url).path.rpartition("/")[2]
    return last if last in {"start", "fail"} else "success"


@dataclass(slots=True)
class Watcher:
    """A check as Healthchecks keeps it: `timeout_s` between successes, `grace_s` on top; `now` is its clock.

    It is `new` until its first ping, `started` or `up`, and `down` after a fail, a start without an end
    within the grace, or no success in time.
    """

    timeout_s: float = 86_400.0
    grace_s: float = 3_600.0
    now: float = 0.0
    pings: list[tuple[str, str, str]] = field(default_factory=list)
    _last: float | None = None
    _started: dict[str, float] = field(default_factory=dict)
    _failed: bool = False

    def __call__(self, asked: Asked) -> Reply:
        """Take a ping over HTTP; 400 for what the service would not take."""
        rid = parse_qs(asked.target.partition("?")[2]).get("rid", [""])[0]
        try:
            canonical = str(UUID(rid)) == rid
        except ValueError:
            canonical = False
        if not canonical or len(asked.body) > 100_000:
            return Reply(400, b"invalid uuid format")
        verb = verb_of(asked.path)
        self.pings.append((verb, rid, asked.body.decode()))
        if verb == "start":
            self._started[rid] = self.now
        else:
            self._started.pop(rid, None)
            self._failed = verb == "fail"
            self._last = self.now
        return Reply(200, b"OK")

    @property
    def status(self) -> str:
        """How the check stands now."""
        if self._failed or any(self.now - at > self.grace_s for at in self._started.values()):
            return "down"
        if self._last is not None and self.now - self._last > self.timeout_s + self.grace_s:
            return "down"
        if self._started:
            return "started"
        return "new" if self._last is None else "up"


def length(text: str) -> int:
    """Give a text's length in UTF-16 units: no service counts more."""
    return len(text.encode("utf-16-le")) // 2


def check_discord(body: Document) -> None:
    """Hold a webhook's body against what Discord takes; nobody is mentioned."""
    assert body["allowed_mentions"] == {"parse": []}
    assert length(body.get("content", "")) <= 2000
    assert 1 <= len(body["embeds"]) <= 10
    total = 0
    for embed in body["embeds"]:
        texts = [(embed["title"], 256), (embed.get("description", ""), 4096), (embed["footer"]["text"], 2048)]
        assert len(embed["fields"]) <= 25
        for entry in embed["fields"]:
            assert entry["name"].strip()
            assert entry["value"].strip()
            texts += [(entry["name"], 256), (entry["value"], 1024)]
        assert embed["title"].strip()
        assert "\n" not in embed["title"]
        assert 0 <= embed["color"] <= 0xFFFFFF
        assert all(length(text) <= limit for text, limit in texts), texts
        total += sum(length(text) for text, _ in texts)
        unescaped = re.compile(r"(?<!\\)(?:\\\\)*[<@`*]")  # a footer renders nothing
        shown = [embed["title"], embed.get("description", ""), *(f["value"] for f in embed["fields"])]
        assert not [text for text in shown if unescaped.search(text)], shown
    assert total <= 6000


def check_slack(body: Document) -> None:
    """Hold a webhook's body against what Slack takes; no text is a mention, a link or an entity."""
    assert 1 <= length(body["text"]) <= 40_000
    assert 1 <= len(body["blocks"]) <= 50
    for text in [body["text"], *texts_of(body["blocks"])]:
        assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", text), text
    for block in body["blocks"]:
        match block["type"]:
            case "header":
                assert block["text"]["type"] == "plain_text"
                assert 1 <= length(block["text"]["text"]) <= 150
            case "section":
                assert length(block.get("text", {"text": ""})["text"]) <= 3000
                assert len(block.get("fields", ())) <= 10
                assert all(1 <= length(entry["text"]) <= 2000 for entry in block.get("fields", ()))
                assert block.get("text", {"text": "x"})["text"].strip()
            case other:
                assert other == "context"
                assert len(block["elements"]) <= 10


def texts_of(value: Any) -> list[str]:  # noqa: ANN401 - any JSON
    """Give every text that stands under a `text` key."""
    if isinstance(value, list):
        return [text for inner in value for text in texts_of(inner)]
    if isinstance(value, dict):
        own = [value["text"]] if isinstance(value.get("text"), str) else []
        return own + [text for inner in value.values() for text in texts_of(inner)]
    return []
