"""Markup: elements of a page; text and attributes are escaped when it is written, never before.

Nothing here takes HTML: what comes from data is a text or an attribute of an element, and can't become more.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Element", "Node", "fragment", "html", "node", "plain"]

Element = ET.Element
Node = Element | str
"""An element, or a text between elements."""

_UNSAFE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 (2.2) does not count as a character: controls and halves of surrogate pairs."""


def node(tag: str, *children: Node | Iterable[Node], **attributes: str | float | None) -> Element:
    """Make an element; `class_` is class, `aria_label` aria-label; an attribute that is None is left out."""
    made = Element(tag)
    for name, value in attributes.items():
        if value is not None:
            made.set(name.rstrip("_").replace("_", "-"), plain(str(value)))
    for child in children:
        if isinstance(child, str | Element):
            _add(made, child)
        else:
            for one in child:
                _add(made, one)
    return made


def plain(text: str) -> str:
    """Give a text without what no page may hold."""
    return _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", text)


def html(page: Element) -> str:
    """Write a page."""
    return f"<!DOCTYPE html>\n{fragment(page)}\n"


def fragment(part: Element) -> str:
    """Write a part of a page."""
    return ET.tostring(part, encoding="unicode", method="html")


def _add(parent: Element, child: Node) -> None:
    if isinstance(child, Element):
        parent.append(child)
    elif len(parent):
        parent[-1].tail = (parent[-1].tail or "") + plain(child)
    else:
        parent.text = (parent.text or "") + plain(child)
