"""Alarm: what CloudWatch says of an alarm, or anybody else on its topic, as the message that the owner gets.

The keys are those of the notice that CloudWatch publishes (user guide, "Notifying users on alarm changes").
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from trimtab.core.message import Message

if TYPE_CHECKING:
    from trimtab.core.message import Tone

__all__ = ["alarm_message"]

TONES: dict[str, Tone] = {"ALARM": "bad", "OK": "good"}
SAID = {"ALARM": "alarm", "OK": "well again", "INSUFFICIENT_DATA": "too little is known"}
SOURCE = "Amazon CloudWatch"


def alarm_message(notice: str, subject: str = "") -> Message:
    """Give the message of a notice: of an alarm in its own words, of anything else as it stands."""
    alarm = _alarm(notice)
    if alarm is None:
        return _message("notice", "warning", f"notice: {subject or 'without a subject'}", notice)
    name, state = _text(alarm, "AlarmName"), _text(alarm, "NewStateValue")
    title = f"{name or 'an alarm'}: {SAID.get(state, state or 'unknown')}"
    lines = (_text(alarm, "AlarmDescription"), _text(alarm, "NewStateReason"))
    text = "\n".join(line for line in lines if line)
    facts = tuple((label, value) for label, key in _FACTS if (value := _text(alarm, key)))
    outcome = "alarm" if state == "ALARM" else "alarm_over" if state == "OK" else "notice"
    return _message(outcome, TONES.get(state, "warning"), title, text, _moment(alarm), facts)


_FACTS = (("State before", "OldStateValue"), ("Region", "Region"), ("Account", "AWSAccountId"))


def _message(
    outcome: str,
    tone: Tone,
    title: str,
    text: str,
    at: str | None = None,
    facts: tuple[tuple[str, str], ...] = (),
) -> Message:
    return Message((outcome,), title, text, tone, outcome, "", None, None, at, facts, source=SOURCE)


def _alarm(notice: str) -> dict[str, object] | None:
    """Give the notice of an alarm; None for what is none."""
    try:
        document = json.loads(notice)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) and "AlarmName" in document else None


def _text(alarm: dict[str, object], key: str) -> str:
    value = alarm.get(key)
    return value if isinstance(value, str) else ""


def _moment(alarm: dict[str, object]) -> str | None:
    """Give when the state changed (UTC ISO 8601), where the notice says so in a way that can be read."""
    try:
        moment = datetime.fromisoformat(_text(alarm, "StateChangeTime"))
        return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
