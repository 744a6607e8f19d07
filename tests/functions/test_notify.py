"""The function that tells alarms, on real receivers of loopback."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_kit import EVENTS, Context
from script_kit import load_script
from scripted_http import Reply, ScriptedServer
from telling_kit import check_discord, check_slack
from trimtab.adapters.notify.discord import discord_payload
from trimtab.adapters.notify.plain import plain_payload
from trimtab.adapters.notify.slack import slack_payload
from trimtab.errors import Misconfigured
from trimtab.ports import Undelivered
from trimtab.settings import redactor
from trimtab.show.alarm import alarm_message

if TYPE_CHECKING:
    from collections.abc import Iterator

app = load_script("functions/notify/app.py")

DISCORD = "/api/webhooks/1/canary-Discord-token-4f0b77"
SLACK = "/services/T0CANARY1/B0CANARY2/canarySlackToken9d1e"
PLAIN = "/in/canary-plain-token-77aa"
CANARIES = [path.rpartition("/")[2] for path in (DISCORD, SLACK, PLAIN)]
TOLD = {
    "alarm": ("trimtab-paper-missing-run: alarm", "No run ended well for 26 hours."),
    "over": ("trimtab-paper-missing-run: well again", "was not less than the threshold"),
    "dead_letter": ("trimtab-paper-undelivered: alarm", "waits in the queue UndeliveredEvents"),
}
KEYS = ("AlarmName", "AlarmDescription", "NewStateValue", "NewStateReason", "StateChangeTime", "Region")
HOSTILE = "<!channel> <@U1> &amp; [a](https://example.com) @everyone `x` *y* \u202e\x00\ud800" + 9000 * '"}]z'


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """Slack, Discord and a plain receiver, which take everything, and which the environment names."""
    for name in os.environ:
        if name.startswith(("TRIMTAB_", "APCA_")):
            monkeypatch.delenv(name)
    with ScriptedServer() as scripted:
        for path in (DISCORD, SLACK, PLAIN):
            scripted.on("POST", path, Reply(200))
        monkeypatch.setenv("TRIMTAB_ALERT_URLS", ",".join(scripted.url + p for p in (DISCORD, SLACK, PLAIN)))
        yield scripted


def sns(message: object, subject: str | None = None) -> dict[str, Any]:
    """An event of SNS with one message."""
    return {"Records": [{"EventSource": "aws:sns", "Sns": {"Subject": subject, "Message": message}}]}


def bodies(chat: ScriptedServer, path: str) -> list[dict[str, Any]]:
    """What a receiver was sent, oldest first."""
    return [json.loads(asked.body) for asked in chat.asked if asked.path == path]


def test_every_event_of_the_folder_is_told() -> None:
    """An event that nothing tries is an event that nobody can trust."""
    assert {path.stem for path in (EVENTS / "notify").iterdir()} == set(TOLD)


@pytest.mark.parametrize("name", TOLD)
def test_an_alarm_reaches_every_receiver(chat: ScriptedServer, name: str) -> None:
    """Each gets it once, in its own form: which alarm, what it means, why it was raised."""
    title, text = TOLD[name]
    event = json.loads((EVENTS / f"notify/{name}.json").read_text())
    assert app.handler(event, Context()) == {"messages": 1, "receivers": 3}
    assert sorted(asked.path for asked in chat.asked) == sorted((DISCORD, SLACK, PLAIN))
    (plain,) = bodies(chat, PLAIN)
    assert plain["content"].startswith(title)
    assert text in plain["text"]
    assert plain["text"].endswith("Amazon CloudWatch")
    assert plain["outcome"] == ("alarm_over" if name == "over" else "alarm")
    (discord,) = bodies(chat, DISCORD)
    check_discord(discord)
    assert discord["embeds"][0]["timestamp"].endswith("Z")
    (slack,) = bodies(chat, SLACK)
    check_slack(slack)
    assert title in slack["text"]


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        (sns("the disk is full", "a machine of mine"), "notice: a machine of mine"),
        (sns("no subject"), "notice: without a subject"),
        (sns('["AlarmName"]'), "notice: without a subject"),
        (sns(None), "notice: an event that SNS does not send"),
        ({"Records": []}, "notice: an event that SNS does not send"),
        ({"Records": {"a": 1}}, "notice: an event that SNS does not send"),
        ({"detail": "EventBridge"}, "notice: an event that SNS does not send"),
        (["a list"], "notice: an event that SNS does not send"),
        (None, "notice: an event that SNS does not send"),
    ],
)
def test_what_is_no_alarm_is_told_as_it_stands(chat: ScriptedServer, event: object, shown: str) -> None:
    """Whatever arrives was meant to be heard: nothing is dropped for its form."""
    app.handler(event, Context())
    (told,) = bodies(chat, PLAIN)
    assert told["content"].startswith(shown)


def test_every_record_is_told(chat: ScriptedServer) -> None:
    """SNS sends one a call, and may send more."""
    event = {"Records": sns("first")["Records"] + sns("second")["Records"]}
    assert app.handler(event, Context())["messages"] == 2
    texts = [told["text"] for told in bodies(chat, PLAIN)]
    assert ["first" in texts[0], "second" in texts[1]] == [True, True]


def test_one_receiver_is_enough(chat: ScriptedServer, capsys: pytest.CaptureFixture[str]) -> None:
    """Where one took it, it is not sent again to all; the log says who did not, and quotes no address."""
    chat.on("POST", DISCORD, Reply(404))
    chat.on("POST", SLACK, Reply(403))
    (handler,) = app.logger.handlers
    before, handler.stream = handler.stream, sys.stdout
    try:
        assert app.handler(sns("heard by one"), Context()) == {"messages": 1, "receivers": 3}
    finally:
        handler.stream = before
    (line,) = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert len(bodies(chat, PLAIN)) == 1
    assert line["refused"] == ["discord: answered 404", "slack: answered 403"]
    assert not [canary for canary in CANARIES if canary in json.dumps(line)]


def test_what_nobody_took_is_an_error(chat: ScriptedServer) -> None:
    """Lambda calls again, and at last keeps the event; the error quotes no address."""
    for path in (DISCORD, SLACK, PLAIN):
        chat.on("POST", path, Reply(404))
    event = {"Records": sns("first")["Records"] + sns("second")["Records"]}
    with pytest.raises(Undelivered, match="nobody took 2 of 2 messages") as refused:
        app.handler(event, Context())
    assert len(bodies(chat, PLAIN)) == 2
    assert not [canary for canary in CANARIES if canary in str(refused.value)]


def test_without_a_receiver_nothing_is_lost(chat: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an error that says what is missing, so that Lambda keeps the event."""
    monkeypatch.delenv("TRIMTAB_ALERT_URLS")
    with pytest.raises(Misconfigured) as refused:
        app.handler(sns("lost?"), Context())
    assert refused.value.code == "no_receiver"
    assert not chat.asked


def test_a_url_that_is_not_allowed_is_refused_without_being_quoted(
    chat: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address where a cloud keeps credentials gets nothing."""
    monkeypatch.setenv("TRIMTAB_ALERT_URLS", "https://169.254.169.254/canary-plain-token-77aa")
    with pytest.raises(Misconfigured) as refused:
        app.handler(sns("secret?"), Context())
    assert refused.value.code == "url_not_allowed"
    assert CANARIES[2] not in str(refused.value.document())
    assert not chat.asked


UNFIT = {
    "private": ("https://10.1.2.3/canary-plain-token-77aa", "private address"),
    "no https": ("http://example.com/canary-plain-token-77aa", "not this machine"),
    "unreadable": ("https://[canary-plain-token-77aa/x", "can't be read"),
    "unknown": ("nosuch://canary-plain-token-77aa", "nosuch://"),
    "no scheme": ("example.com/canary-plain-token-77aa;https://x", "seen"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_a_url_that_is_not_usable_silences_no_other(
    chat: ScriptedServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    """Such a URL may be why no run begins: who can hear of it does, and the log says which is not usable."""
    url, why = UNFIT[case]
    monkeypatch.setenv("TRIMTAB_ALERT_URLS", f"{url},{chat.url}{PLAIN}")
    (handler,) = app.logger.handlers
    before, handler.stream = handler.stream, sys.stdout
    try:
        assert app.handler(sns("no run ended well"), Context()) == {"messages": 1, "receivers": 2}
    finally:
        handler.stream = before
    (line,) = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert len(bodies(chat, PLAIN)) == 1
    (refused,) = line["refused"]
    assert refused.startswith("TRIMTAB_ALERT_URLS, entry 1: ")
    assert why in refused or case == "no scheme" or "apprise_missing" in refused
    assert CANARIES[2] not in refused


def test_no_secret_is_told_or_raised(chat: ScriptedServer) -> None:
    """A notice that quotes a webhook is told without it, and so is any error."""
    url = os.environ["TRIMTAB_ALERT_URLS"].split(",")[2]
    app.handler(sns(f"could not reach {url}", url), Context())
    (told,) = bodies(chat, PLAIN)
    assert "could not reach ***" in told["text"]
    assert not [canary for canary in CANARIES if canary in json.dumps(told)]
    bug = redactor(os.environ).error(KeyError(f"POST {url}"))
    assert not [canary for canary in CANARIES if canary in str(bug)]


@pytest.mark.parametrize("key", KEYS)
def test_a_hostile_text_is_only_text(chat: ScriptedServer, key: str) -> None:
    """Nobody is mentioned, nothing is a link, and it fits, whichever part of the alarm it is."""
    alarm = {"AlarmName": "a", "NewStateValue": "ALARM", "StateChangeTime": HOSTILE} | {key: HOSTILE}
    app.handler(sns(json.dumps(alarm), HOSTILE), Context())
    app.handler(sns(HOSTILE.encode(errors="replace").decode(), HOSTILE), Context())
    for body in bodies(chat, DISCORD):
        check_discord(body)
    for body in bodies(chat, SLACK):
        check_slack(body)
    assert len(bodies(chat, PLAIN)) == 2


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.text() | st.dictionaries(st.sampled_from(KEYS), VALUES).map(json.dumps), st.text())
@settings(max_examples=200, deadline=None)
def test_any_notice_makes_a_message_that_every_service_takes(notice: str, subject: str) -> None:
    """No notice, however odd, is an error or breaks a service's limits."""
    message = alarm_message(notice, subject)
    check_discord(discord_payload(message))
    check_slack(slack_payload(message))
    assert plain_payload(message)["content"].strip()
