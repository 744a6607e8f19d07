"""Pages: answers of the data host that come in pages, followed to the end, and lists that fit into a URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from trimtab.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from trimtab.adapters.alpaca.http import AlpacaHost

_MOST_PAGES = 2_000
_MOST_SYMBOLS = 500
_LONGEST_LIST = 6_000


class Paged(Protocol):
    """One page of an answer."""

    @property
    def token(self) -> str | None:
        """Give what to ask the next page with; None on the last."""


P = TypeVar("P", bound=Paged)


def walk(
    host: AlpacaHost,
    path: str,
    params: Mapping[str, str],
    decode: Callable[[bytes], P],
    *,
    version: str = "v2",
) -> Iterator[P]:
    """Give each page of an answer, as `decode` makes it of a body, until the token is null.

    Raises:
        Unreachable: a page could not be read, a token came twice, or there is no end of pages.
        Unauthorized: the keys are not accepted.
    """
    seen: set[str] = set()
    asked = dict(params)
    for _ in range(_MOST_PAGES):
        page = host.fetch(path, asked, decode, version=version)
        yield page
        if page.token is None:
            return
        if page.token in seen:
            raise Unreachable(f"{path}: next_page_token {page.token[:40]!r} came twice, so there is no end")
        seen.add(page.token)
        asked["page_token"] = page.token
    raise Unreachable(f"{path}: more than {_MOST_PAGES} pages")


def chunks(symbols: Sequence[str]) -> Iterator[list[str]]:
    """Give the symbols in groups whose list fits into a URL, each once."""
    chunk: list[str] = []
    length = 0
    for symbol in dict.fromkeys(symbols):
        room = len(symbol) + 3  # a comma is %2C on the wire
        if chunk and (length + room > _LONGEST_LIST or len(chunk) == _MOST_SYMBOLS):
            yield chunk
            chunk, length = [], 0
        chunk.append(symbol)
        length += room
    if chunk:
        yield chunk
