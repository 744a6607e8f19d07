"""Sandbox: what a person needs to use a running sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.show.page import Page

__all__ = ["sandbox_text"]


def sandbox_text(facts: Mapping[str, Any], page: Page) -> str:
    """Say where it listens, what it replays and can't serve, and how to point a client at it."""
    url = facts["url"]
    span = f"{facts['symbols']} symbols, {facts['first_session']} to {facts['last_session']}"
    clock = "frozen" if not facts["speed"] else f"running at speed {facts['speed']:g}"
    lines = [
        page.paint(f"sandbox: {url}", "bold"),
        page.wrap(f"replays {facts['data']}: {span}", "  "),
        f"session {facts['session']}, clock {clock}",
        *(page.wrap(f"  - {caveat}", "    ") for caveat in facts["caveats"]),
        "",
        "Point trimtab, or any Alpaca client, at it; any keys do:",
        f"  export APCA_API_BASE_URL={url} APCA_API_DATA_URL={url}",
        "  export APCA_API_KEY_ID=any APCA_API_SECRET_KEY=any TRIMTAB_MODE=paper",
        "Step its clock:",
        f"  curl -X POST {url}/sandbox/clock -d '{{\"sessions\": 1}}'",
        "",
        "Ctrl-C ends it.",
    ]
    return "\n".join(lines)
