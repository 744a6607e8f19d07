"""Discord: a message as the body of a webhook, within Discord's limits, in which nobody is mentioned.

Limits (Discord, "Webhook resource" and "Message resource", embed limits): title 256, description 4096,
25 fields of name 256 and value 1024, footer 2048, 6000 characters in all embeds together.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from trimtab.adapters.notify.text import block, clean, cut, flat, size

if TYPE_CHECKING:
    from trimtab.core.message import Message
    from trimtab.core.record import Document

__all__ = ["discord_payload"]

TITLE, DESCRIPTION, FIELDS, NAME, VALUE, FOOTER, TOTAL = 256, 4096, 25, 256, 1024, 2048, 6000
TEXT = 2000
"""Of the description, so that orders find room in the total, too."""
COLOURS = {"good": 0x2E7D32, "warning": 0xF9A825, "bad": 0xC62828}
_MARKS = re.compile(r"([\\`*_~|<>@#:\[\]()\-])")


def discord_payload(message: Message) -> Document:
    """Give the webhook's JSON: one embed, coloured by tone."""
    embed: Document = {
        "title": cut(flat(message.title), TITLE, escaped),
        "description": cut(clean(message.text), min(TEXT, DESCRIPTION), escaped),
        "color": COLOURS[message.tone],
        "footer": {"text": cut(flat(message.foot), 256)},
    }
    used = size(embed["title"]) + size(embed["description"]) + size(embed["footer"]["text"])
    embed["fields"] = _fields(message, TOTAL - used)
    if message.at is not None:
        embed["timestamp"] = message.at
    return {"embeds": [embed], "allowed_mentions": {"parse": []}}


def escaped(text: str) -> str:
    """Give a text in which no character means markup, a mention or a link."""
    return _MARKS.sub(r"\\\1", text)


def _fields(message: Message, room: int) -> list[Document]:
    """Give facts, side by side, and lists, as far as there is room."""
    every = [(cut(flat(name), NAME), cut(flat(value), VALUE, escaped), True) for name, value in message.facts]
    every += [
        (cut(flat(name), NAME), block(lines, VALUE, escaped), False) for name, lines in message.lists if lines
    ]
    fields: list[Document] = []
    for name, value, inline in every[:FIELDS]:
        room -= size(name) + size(value)
        if room < 0:
            break
        if name.strip() and value.strip():
            fields.append({"name": name, "value": value, "inline": inline})
    return fields
