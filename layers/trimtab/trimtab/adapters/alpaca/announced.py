"""Announced: corporate actions as the data host tells them, made into ours.

Kinds, fields and dates: Alpaca, market data API specification, `GET /v1/corporate-actions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, cast

from trimtab.adapters.alpaca import parse
from trimtab.core.actions import Action
from trimtab.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PROCESSED_BEFORE, PROCESSED_AFTER = timedelta(days=60), timedelta(days=200)
"""How long before and after its ex-date an action may be processed. A dividend is processed when it is paid,
mostly within six weeks of the ex-date, abroad after months; a split on its ex-date, or days before where due
bills go with the shares until then."""

_SPLITS = frozenset({"forward_split", "reverse_split", "unit_split"})
_DATES = ("ex_date", "effective_date", "process_date")
"""The date from which an action acts on prices: the first of these that it has."""
_HOLDERS = {
    "spin_off": ("source_symbol",),
    "rights_distribution": ("source_symbol",),
    "cash_merger": ("acquiree_symbol",),
    "stock_merger": ("acquiree_symbol",),
    "stock_and_cash_merger": ("acquiree_symbol",),
    "unit_split": ("old_symbol",),
    "reverse_split": ("symbol", "new_symbol"),
    "name_change": ("old_symbol", "new_symbol"),
}
"""Whose shares are meant, where it is not `symbol`: a company that takes another over keeps its own."""


@dataclass(frozen=True, slots=True)
class Announcements:
    """One page: the type and the fields of each action, and the token of the next page."""

    entries: tuple[tuple[str, Mapping[str, object]], ...]
    token: str | None


def read_announcements(body: bytes) -> Announcements:
    """Give the actions of a page's body, numbers as printed.

    Raises:
        NotJSON: it is not JSON, names something twice, or has NaN or an infinity in it.
        Unreachable: it is no page of corporate actions.
    """
    page = parse.mapping(parse.load_json(body, once=True), "corporate actions")
    if "corporate_actions" not in page:
        raise Unreachable("corporate actions: a page without corporate_actions")
    found = page["corporate_actions"]
    groups = parse.mapping({} if found is None else found, "corporate actions")
    entries = [
        (group.removesuffix("s"), entry)
        for group, listed in groups.items()
        for entry in parse.rows([] if listed is None else listed, f"corporate actions: {group[:40]}")
    ]
    return Announcements(tuple(entries), parse.next_token(page, "corporate actions"))


class Announced:
    """What all pages told, each action once."""

    def __init__(self) -> None:
        self._entries: list[tuple[str, Mapping[str, object]]] = []
        self._by_id: dict[str, tuple[str, Mapping[str, object]]] = {}

    def add(self, page: Announcements) -> None:
        """Keep a page's actions. One of two symbols may be told for each of them.

        Raises:
            Unreachable: one id stands for two different actions.
        """
        for entry in page.entries:
            identity = entry[1].get("id")
            if not isinstance(identity, str):
                self._entries.append(entry)
            elif identity not in self._by_id:
                self._by_id[identity] = entry
            elif self._by_id[identity] != entry:
                raise Unreachable(f"corporate actions: {identity[:40]!r} was told twice, and differently")

    def actions(self, symbols: frozenset[str], start: date, end: date) -> tuple[Action, ...]:
        """Give the actions of `symbols` from `start` to `end` (New York), by session, then symbol.

        Raises:
            Unreachable: an action has no symbol, or one of `symbols` has no date.
        """
        found = [
            action
            for name, entry in (*self._by_id.values(), *self._entries)
            for symbol in _holders(name, entry)
            if symbol in symbols and start <= (action := _action(name, entry, symbol)).session <= end
        ]
        return tuple(sorted(found, key=lambda a: (a.session, a.symbol, a.name, a.ratio, a.amount)))


def _holders(name: str, entry: Mapping[str, object]) -> Iterator[str]:
    """Give the symbols on whose shares an action acts; of an unknown type, every symbol that it names."""
    keys = _HOLDERS.get(name, ("symbol",))
    named = dict.fromkeys(symbol for key in keys if isinstance(symbol := entry.get(key), str) and symbol)
    if not named:
        every = (value for key, value in entry.items() if key.endswith("symbol") and isinstance(value, str))
        named = dict.fromkeys(value for value in every if value)
    if not named:
        raise Unreachable(f"corporate actions: {name[:40]} {str(entry.get('id'))[:40]!r} without symbol")
    yield from named


def _action(name: str, entry: Mapping[str, object], symbol: str) -> Action:
    """Give an action of a symbol; one whose numbers can't be read is `other`."""
    session = _session(name, entry, symbol)
    try:
        if name in _SPLITS:
            ratio = _rate(entry, "new_rate") / _rate(entry, "old_rate")
            return Action(symbol, session, "split", name, ratio=ratio)
        if name == "stock_dividend":
            return Action(symbol, session, "split", name, ratio=1.0 + _rate(entry, "rate"))
        if name == "cash_dividend" and entry.get("currency") in (None, "USD"):
            return Action(symbol, session, "dividend", name, amount=_rate(entry, "rate"))
    except Unreachable:
        pass  # that the price may move is known, by how much is not
    return Action(symbol, session, "other", name)


def _session(name: str, entry: Mapping[str, object], symbol: str) -> date:
    told = next((entry[key] for key in _DATES if entry.get(key) is not None), None)
    try:
        return date.fromisoformat(cast("str", told))
    except (TypeError, ValueError):
        what = f"{name[:40]} of {symbol}"
        raise Unreachable(f"corporate actions: {what} with the date {str(told)[:40]!r}") from None


def _rate(entry: Mapping[str, object], key: str) -> float:
    """Give a number above zero."""
    rate = parse.number(entry.get(key), key)
    if rate <= 0:
        raise Unreachable(f"{key} is not above zero")
    return float(rate)
