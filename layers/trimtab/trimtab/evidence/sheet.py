"""Sheet: what every page of ours has: a head that forbids it all requests, sections, boxes of code."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from trimtab.evidence.looks import STYLE
from trimtab.evidence.markup import Element, node
from trimtab.evidence.script import SCRIPT

if TYPE_CHECKING:
    from trimtab.evidence.markup import Node

__all__ = ["code", "head", "section"]


def head(title: str) -> Element:
    """Give the head: it forbids the page every request, and every script but its own."""
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    return node(
        "head",
        node("meta", charset="utf-8"),
        node("meta", http_equiv="Content-Security-Policy", content=policy),
        node("meta", name="viewport", content="width=device-width, initial-scale=1"),
        node("meta", name="color-scheme", content="light dark"),
        node("title", title),
        node("style", STYLE),
    )


def section(title: str, caption: str, *content: Node) -> Element:
    """Give a section under its title, with a line that says what is seen."""
    return node("section", node("h2", title), node("p", caption, class_="quiet"), content)


def code(label: str, text: str) -> Element:
    """Give a text as it was typed, in a box that scrolls by itself."""
    return node("div", node("h3", label), node("pre", text, class_="box", tabindex="0"), class_="code")
