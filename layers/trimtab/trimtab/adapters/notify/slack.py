"""Slack: a message as the body of an incoming webhook, in blocks, within Slack's limits.

Limits (Slack, "Block Kit", "Formatting text for app surfaces"): 50 blocks, header 150, section text 3000,
10 fields of 2000 a section; &, < and > are escaped, so that no text can become a mention or a link.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.adapters.notify.text import block, clean, cut, flat

if TYPE_CHECKING:
    from trimtab.core.message import Message
    from trimtab.core.record import Document

__all__ = ["slack_payload"]

BLOCKS, HEADER, TEXT, FIELDS, FIELD, FALLBACK = 50, 150, 3000, 10, 2000, 3000
SIGNS = {"good": "\N{WHITE HEAVY CHECK MARK}", "warning": "\N{WARNING SIGN}", "bad": "\N{OCTAGONAL SIGN}"}
_NAMES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def slack_payload(message: Message) -> Document:
    """Give the webhook's JSON; `text` is what a notification shows."""
    title = flat(f"{SIGNS[message.tone]} {message.title}")
    blocks: list[Document] = [{"type": "header", "text": _plain(cut(title, HEADER, escaped))}]
    if text := clean(message.text).strip():
        blocks.append(_section(cut(text, TEXT, escaped)))
    if facts := [_fact(name, value) for name, value in message.facts[:FIELDS]]:
        blocks.append({"type": "section", "fields": facts})
    for heading, lines in message.lists:
        if any(flat(line) for line in lines):
            blocks.append(_section(block((f"{heading}:", *lines), TEXT, escaped)))
    foot = cut(flat(message.foot), 300, escaped)
    blocks = [*blocks[: BLOCKS - 1], {"type": "context", "elements": [_plain(foot)]}]
    return {"text": cut(flat(f"{title}: {message.text}"), FALLBACK, escaped), "blocks": blocks}


def escaped(text: str) -> str:
    """Give a text in which no character begins a mention, a link or an entity."""
    return "".join(_NAMES.get(character, character) for character in text)


def _plain(text: str) -> Document:
    return {"type": "plain_text", "text": text, "emoji": False}


def _section(text: str) -> Document:
    """Give a section whose text is no markup: an asterisk of a symbol makes nothing bold."""
    return {"type": "section", "text": _plain(text)}


def _fact(name: str, value: str) -> Document:
    return _plain(cut(flat(f"{name}: {value}"), FIELD, escaped))
