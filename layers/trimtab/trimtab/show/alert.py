"""Alert: a run's record as the message that its owner gets: what happened, how much, why, what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trimtab.core.message import Message
from trimtab.show.page import number, percent, usd
from trimtab.show.run import turnover

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from trimtab.core.message import Tone
    from trimtab.core.record import Document

__all__ = ["GRAVITY", "Occasion", "events_of", "message_of", "ping_text"]

GRAVITY = ("latched", "interrupted", "halted", "missed", "outside_hours", "recovered", "traded")
"""What an owner can be told of, the gravest first: the first of a message gives it its title."""
TONES: dict[str, Tone] = {
    **dict.fromkeys(("latched", "interrupted", "halted"), "bad"),
    **dict.fromkeys(("missed", "outside_hours"), "warning"),
    **dict.fromkeys(("recovered", "traded"), "good"),
}


@dataclass(frozen=True, slots=True)
class Occasion:
    """What is to be told beside a run's own outcome: known from other runs, the calendar and the flags.

    `latched` and `recovered` say why, `missed` are sessions, `outside` says that a session has no good run
    yet. `repeated` says that the outcome itself was told before, `late` that another run is told of.
    """

    latched: str = ""
    recovered: str = ""
    missed: tuple[str, ...] = ()
    outside: bool = False
    repeated: bool = False
    late: bool = False


def events_of(record: Document, occasion: Occasion) -> tuple[str, ...]:
    """Give what a run is to be told of, the gravest first."""
    outcome = record["outcome"]
    found = {
        "latched": bool(occasion.latched),
        "missed": bool(occasion.missed),
        "outside_hours": occasion.outside and not occasion.repeated,
        "recovered": bool(occasion.recovered),
        outcome: outcome in GRAVITY and not occasion.repeated,
    }
    return tuple(event for event in GRAVITY if found.get(event))


def message_of(record: Document, occasion: Occasion, wanted: Collection[str]) -> Message | None:
    """Give the message of a run, with those of its events that are wanted; None where there is none."""
    events = tuple(event for event in events_of(record, occasion) if event in wanted)
    if not events:
        return None
    return Message(
        events=events,
        title=f"{record['portfolio']} ({record['mode']}): {_title(events, record, occasion)}",
        text="\n".join(_text(record, occasion)),
        tone=TONES[events[0]],
        outcome=record["outcome"],
        portfolio=record["portfolio"],
        session=record["session"],
        run_id=record["run_id"],
        at=record["finished_at"],
        facts=tuple(_facts(record)),
        lists=(("Orders", tuple(_orders(record))), ("Warnings", tuple(_warnings(record)))),
    )


def _title(events: tuple[str, ...], record: Document, occasion: Occasion) -> str:
    """Say the gravest, and that it is good again where it is."""
    count = sum(1 for order in record["orders"] if not order.get("session"))
    traded = "traded 1 order" if count == 1 else f"traded {count} orders"
    missed = (
        "a session was missed" if len(occasion.missed) == 1 else f"{len(occasion.missed)} sessions missed"
    )
    titles = {
        "latched": "latched, nothing trades until trimtab resume",
        "interrupted": f"interrupted at {record['stage']}, orders may be out",
        "halted": f"halted at {record['stage']}, nothing was sent",
        "missed": missed,
        "outside_hours": "woke outside trading hours",
        "recovered": "recovered" + (f", {traded}" if record["outcome"] == "traded" else ""),
        "traded": traded,
    }
    return titles[events[0]] + (", and all is well again" if occasion.recovered and occasion.missed else "")


def _text(record: Document, occasion: Occasion) -> Iterator[str]:
    """Say why, what else there is, and what to do."""
    yield str(record["reason"])
    if occasion.latched:
        yield f"latched: {occasion.latched}"
    if occasion.missed:
        yield f"missed: no run ended well in {', '.join(occasion.missed)}"
    if occasion.outside:
        yield "outside_hours: this session has no run that ended well yet"
    if occasion.recovered:
        yield f"recovered: {occasion.recovered}"
    if occasion.late:
        yield "This run was not told of when it ended."
    hint = record["error"] and record["error"]["hint"]
    if hint:
        yield f"What to do: {hint}"


def _facts(record: Document) -> Iterator[tuple[str, str]]:
    yield "Outcome", str(record["outcome"])
    if record["session"]:
        yield "Session", str(record["session"])
    if number(record["equity"]) is not None:
        yield "Equity", f"{usd(record['equity'])} USD"
    if number(record["cash"]) is not None:
        yield "Cash", f"{usd(record['cash'])} USD"
    if record["fills"] and turnover(record) is not None:
        yield "Turnover", percent(turnover(record))


def _orders(record: Document) -> Iterator[str]:
    """Give a line an order: what was wanted, what was filled, for how much, and how it ended."""
    for order in record["orders"]:
        price = number(order["filled_avg_price"])
        value = "" if price is None else f" at {order['filled_avg_price']}, {usd(_moved(order, price))} USD"
        filled = f"{order['filled_qty']} of {order['qty'] or '?'}{value}"
        ended = order.get("ended") or order["status"]
        of = f" (session {order['session']})" if order.get("session") else ""
        yield f"{order['side']} {order['symbol']}: {filled}, {ended}{of}"


def _moved(order: Document, price: float) -> float:
    return float(order["filled_qty"]) * price


def _warnings(record: Document) -> Iterator[str]:
    """Give what was noted on the way, but for what stopped the run, which the text says."""
    for event in record["events"]:
        if event["code"] != record["code"]:
            yield f"{event['code']}: {event['message']}"


def ping_text(record: Document, occasion: Occasion) -> str:
    """Give the few lines that a watcher keeps of a run."""
    head = f"{record['portfolio']}: {record['outcome']} in session {record['session'] or 'unknown'}"
    missed = f"missed: {', '.join(occasion.missed)}" if occasion.missed else ""
    lines = (head, str(record["reason"])[:1000], missed, f"run {record['run_id'] or 'not recorded'}")
    return "\n".join(line for line in lines if line)
