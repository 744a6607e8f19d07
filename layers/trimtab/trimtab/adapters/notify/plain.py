"""Plain: a message as JSON that most receivers take, and as text for those that take nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.adapters.notify.text import clean, cut, flat

if TYPE_CHECKING:
    from trimtab.core.message import Message
    from trimtab.core.record import Document

__all__ = ["plain_payload", "plain_text"]

CONTENT, TEXT = 2000, 10_000


def plain_payload(message: Message) -> Document:
    """Give the JSON: `content` is short, `text` the same at length."""
    whole = f"{flat(message.title)}\n{plain_text(message)}"
    return {
        "content": cut(whole, CONTENT),
        "text": cut(whole, TEXT),
        "outcome": message.outcome,
        "run_id": message.run_id,
        "events": list(message.events),
        "portfolio": message.portfolio,
        "session": message.session,
    }


def plain_text(message: Message) -> str:
    """Give all but the title as lines."""
    facts = [f"{flat(name)}: {flat(value)}" for name, value in message.facts]
    lists = [
        f"{flat(name)}:\n" + "\n".join(f"  {flat(line)}" for line in lines) for name, lines in message.lists
    ]
    parts = [clean(message.text), "\n".join(facts), *lists, message.foot]
    return "\n\n".join(part for part in parts if part)
