"""Text: what every service's form needs: texts of one line, cut to a limit, lists cut between lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["block", "clean", "cut", "flat", "size"]

MARK = "…"


def size(text: str) -> int:
    """Give a text's length in UTF-16 units, the longest way in which a service may count it."""
    return len(text) + sum(character > "\uffff" for character in text)


def clean(text: str) -> str:
    """Give a text without control characters, but for line ends, and without half of a character."""
    whole = text.encode(errors="replace").decode()
    return "".join(c for c in whole.replace("\r\n", "\n") if c == "\n" or c.isprintable())


def flat(text: str) -> str:
    """Give a text on one line."""
    return " ".join(clean(text.replace("\n", " ").replace("\t", " ")).split())


def cut(text: str, limit: int, escape: Callable[[str], str] = str) -> str:
    """Give the text, escaped, within so many UTF-16 units; cut before it is escaped, and marked there."""
    whole = escape(text)
    if size(whole) <= limit:
        return whole
    kept, used = [], size(MARK)
    for character in text:
        piece = escape(character)
        used += size(piece)
        if used > limit:
            break
        kept.append(piece)
    return "".join(kept) + MARK


def block(lines: Iterable[str], limit: int, escape: Callable[[str], str] = str) -> str:
    """Give whole lines within so many UTF-16 units, and say how many more there are."""
    every = [line for line in map(flat, lines) if line]
    room = limit - len(f"\n{MARK} and {len(every)} more")
    kept: list[str] = []
    for line in every:
        written = cut(line, room if not kept else limit, escape)
        if size("\n".join([*kept, written])) > room:
            break
        kept.append(written)
    left = len(every) - len(kept)
    return "\n".join([*kept, *([f"{MARK} and {left} more"] if left else [])])
