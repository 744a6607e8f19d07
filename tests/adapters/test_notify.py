"""Every message, in every form, over real HTTP: within the services' limits, whatever stands in it."""

from __future__ import annotations

import importlib.util
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scripted_http import Asked, Reply, ScriptedServer
from telling_kit import check_discord, check_slack
from trimtab.adapters.clock import SystemClock
from trimtab.adapters.notify import kind_of, notifiers
from trimtab.adapters.notify.apprise import AppriseChannel
from trimtab.adapters.notify.discord import discord_payload
from trimtab.adapters.notify.plain import plain_payload
from trimtab.adapters.notify.slack import slack_payload
from trimtab.adapters.webhook import Wire
from trimtab.core.message import Message
from trimtab.errors import Misconfigured
from trimtab.ports import Undelivered
from trimtab.show.alert import GRAVITY, TONES, Occasion, message_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from trimtab.core.record import Document

HOSTILE = {
    "a mention of everyone": "@everyone @here <@123> <@&456> <#789>",
    "a mention of the channel": "<!channel> <!here> <!subteam^S1> <https://evil.example|click>",
    "backticks": "```\nrm -rf\n``` `x` *bold* _it_ ~s~ ||spoiler|| [a](https://evil.example)",
    "entities": "&lt;!channel&gt; &amp;amp; a&b<c>d",
    "lines": "\n\n\r\n\ta\x00b\x1b[31mred\u202egnihsif",
    "very long": "x" * 10_000,
    "very long marks": "<`*&>" * 2_000,
    "beyond the plane": "\U0001f4a9" * 5_000,
    "half of a character": "\ud800 lone \udfff",
    "blank": " ",
}
OUTCOMES = ("traded", "in_band", "closed", "not_due", "dry_run", "halted", "interrupted")
APPRISE = importlib.util.find_spec("apprise") is not None
ITS_OWN = pytest.mark.filterwarnings("ignore:.*(imghdr|cgi).*:DeprecationWarning")


def needs_apprise(test: Callable[..., None]) -> Callable[..., None]:
    """Skip a test where Apprise is not installed; what it imports that is old is its own matter."""
    skipping = pytest.mark.skipif(not APPRISE, reason="Apprise is not installed")
    return skipping(ITS_OWN(test))


def order(symbol: str, reason: str) -> Document:
    """An order as a record keeps it."""
    return {
        "client_order_id": f"tt1-0-{symbol}",
        "symbol": symbol,
        "side": "buy",
        "qty": "12.5",
        "status": "filled",
        "filled_qty": "12.5",
        "filled_avg_price": "402.11",
        "reason": reason,
        "ended": reason,
        "sent": True,
    }


def record(outcome: str, text: str, orders: int = 3) -> Document:
    """A run's record with a text wherever a text can stand."""
    return {
        "run_id": f"20210301T150000Z-{text}",
        "portfolio": "main",
        "session": "2021-03-01",
        "mode": "paper",
        "dry_run": False,
        "outcome": outcome,
        "stage": "risk",
        "code": "code",
        "reason": f"code: {text}",
        "error": {"hint": text},
        "finished_at": "2021-03-01T15:01:00.000000Z",
        "equity": "100000.00",
        "cash": "1.50",
        "fills": [{"qty": "12.5", "price": "402.11"}],
        "orders": [order(f"{text}{n}", text) for n in range(orders)],
        "events": [{"code": text, "message": text, "level": "warning"}],
    }


def occasions(text: str) -> Occasion:
    """Everything at once."""
    return Occasion(latched=text, recovered=text, missed=(text, text), outside=True, late=True)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A receiver that takes everything."""
    with ScriptedServer() as scripted:
        for path in ("/services/T0/B0/x", "/api/webhooks/1/x", "/in"):
            scripted.on("POST", path, Reply(200, b"ok"))
        yield scripted


def body_of(asked: Asked) -> Document:
    """The JSON that arrived."""
    assert asked.headers["Content-Type"] == "application/json"
    found: Document = json.loads(asked.body)
    return found


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_every_message_keeps_the_services_limits(text: str, server: ScriptedServer) -> None:
    """For all outcomes and occasions, with few orders and many: what arrives is what the services take."""
    urls = [f"{server.url}{path}" for path in ("/services/T0/B0/x", "/api/webhooks/1/x", "/in")]
    told = notifiers(urls, SystemClock(), Wire(allow_private=False), where="urls", allow_private=False)
    assert [notifier.name for notifier in told] == ["slack", "discord", "plain"]
    sent = 0
    for outcome in OUTCOMES:
        for occasion, orders in ((Occasion(), 3), (occasions(text), 80)):
            message = message_of(record(outcome, text, orders), occasion, frozenset(GRAVITY))
            assert (message is None) == (outcome not in GRAVITY and not occasion.latched)
            if message is not None and (outcome == "traded" or orders > 3):
                sent += 1
                for notifier in told:
                    notifier.tell(message, 5.0)
    asked = {path: [a for a in server.asked if a.path == path] for path in {a.path for a in server.asked}}
    assert [len(some) for some in asked.values()] == [sent] * 3
    for one in asked["/services/T0/B0/x"]:
        check_slack(body_of(one))
    for one in asked["/api/webhooks/1/x"]:
        check_discord(body_of(one))
    for one in asked["/in"]:
        body = body_of(one)
        assert {"content", "text", "outcome", "run_id"} <= set(body)
        assert len(body["content"]) <= 2000


texts = st.text(max_size=400) | st.sampled_from(sorted(HOSTILE.values()))
messages = st.builds(
    Message,
    events=st.just(("halted",)),
    title=texts,
    text=texts,
    tone=st.sampled_from(sorted({*TONES.values()})),
    outcome=st.just("halted"),
    portfolio=st.just("main"),
    session=st.none(),
    run_id=st.none() | texts,
    at=st.none(),
    facts=st.lists(st.tuples(st.sampled_from(["Equity", "Cash"]), texts), max_size=30).map(tuple),
    lists=st.lists(st.tuples(st.just("Orders"), st.lists(texts, max_size=60).map(tuple)), max_size=60).map(
        tuple
    ),
)


FULL = Message(
    events=("halted",),
    title="t" * 500,
    text="x" * 5_000,
    tone="bad",
    outcome="halted",
    portfolio="main",
    session=None,
    run_id=None,
    at=None,
    facts=tuple((f"Fact {n}", "v" * 2_000) for n in range(30)),
    lists=tuple((f"List {n}", ("line " * 500,) * 100) for n in range(60)),
)


@settings(max_examples=25, deadline=None)
@example(FULL)
@given(messages)
def test_no_message_leaves_the_limits(message: Message) -> None:
    """Any texts, any number of facts and lists."""
    titled = discord_payload(message)
    if titled["embeds"][0]["title"].strip():
        check_discord(titled)
    check_slack(slack_payload(message))
    assert len(plain_payload(message)["text"]) <= 10_000


def test_a_message_says_what_where_how_much_and_why() -> None:
    """An owner who reads only this knows what became of the money."""
    message = message_of(record("traded", "band"), Occasion(), frozenset(GRAVITY))
    assert message is not None
    whole = json.dumps([discord_payload(message), slack_payload(message)], ensure_ascii=False)
    for said in ("main", "paper", "traded 3 orders", "100,000.00 USD", "5,026.38 USD", "2021-03-01"):
        assert whole.replace("\\\\", "").count(said) >= 2, said


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://hooks.slack.com/services/T0/B0/x", "slack"),
        ("https://hooks.slack.com/triggers/T0/1/x", "plain"),
        ("https://discord.com/api/webhooks/1/x", "discord"),
        ("https://discordapp.com/api/v10/webhooks/1/x", "discord"),
        ("https://discord.com.evil.example/api/webhooks/1/x", "plain"),
        ("https://example.com/services/T0", "plain"),
        ("http://127.0.0.1:8000/services/T0", "slack"),
        ("http://localhost:8000/api/webhooks/1/x", "discord"),
        ("ntfys://ntfy.sh/topic", "apprise"),
    ],
)
def test_a_url_is_told_in_its_own_form(url: str, kind: str) -> None:
    """The vendors' hosts, their paths on loopback, schemes of Apprise's; everything else is plain."""
    assert kind_of(url) == kind


@pytest.mark.skipif(APPRISE, reason="Apprise is installed")
def test_without_apprise_its_urls_say_what_to_install() -> None:
    """The error names the extra, and nothing of the URL but its scheme."""
    with pytest.raises(Misconfigured, match="Apprise") as refused:
        AppriseChannel("ntfys://canary-token@ntfy.sh/topic", "TRIMTAB_ALERT_URLS", allow_private=False)
    assert "trimtab[alerts]" in refused.value.hint
    assert "canary" not in str(refused.value.document())


@needs_apprise
def test_apprise_delivers_and_follows_nothing(server: ScriptedServer) -> None:
    """A message arrives; a redirect, a 500 and a silence are no delivery."""
    host = server.url.removeprefix("http://")
    message = message_of(record("halted", "<!channel>"), Occasion(), frozenset(GRAVITY))
    assert message is not None
    channel = AppriseChannel(f"json://{host}/in", "urls", allow_private=False)
    channel.tell(message, 5.0)
    assert "halted" in server.asked[-1].body.decode()
    for reply in (Reply(302, b"", {"Location": f"{server.url}/in"}), Reply(500), Reply(fault="hang")):
        server.on("POST", "/bad", reply)
        before = server.count("POST", "/in")
        with pytest.raises(Undelivered):
            AppriseChannel(f"json://{host}/bad", "urls", allow_private=False).tell(message, 1.0)
        assert server.count("POST", "/in") == before


@needs_apprise
@pytest.mark.parametrize(
    "url",
    ["json://example.com/x", "file:///tmp/x", "syslog://", "nonsense://x", "gotify://10.0.0.4/token12345"],
)
def test_apprise_urls_keep_the_rules(url: str) -> None:
    """No plain http beyond loopback, nothing that only this machine hears, nothing unknown."""
    with pytest.raises(Misconfigured) as refused:
        AppriseChannel(url, "TRIMTAB_ALERT_URLS", allow_private=False)
    assert refused.value.code == "url_not_allowed"


@needs_apprise
def test_apprise_reaches_nothing_private_unless_allowed() -> None:
    """A private or link-local host is refused before anything is sent."""
    message = message_of(record("halted", "x"), Occasion(), frozenset(GRAVITY))
    assert message is not None
    for url, allowed in (("jsons://10.0.0.4/x", False), ("jsons://169.254.169.254/x", True)):
        with pytest.raises(Undelivered, match="nothing is sent"):
            AppriseChannel(url, "urls", allow_private=allowed).tell(message, 2.0)
