"""Guard: who may look. Without a login only this machine may; with one, the people on the list.

Both stand in Streamlit's secrets.toml: `[auth]`, as st.login takes it, and `[dashboard]` with `emails`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import streamlit as st
from streamlit.errors import StreamlitSecretNotFoundError

from trimtab.adapters.loopback import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["OPEN", "Gate", "gate", "judge", "keep"]

OPEN = "--open"
"""The argument that says: something else guards the way to this address."""

EVERYWHERE = "0.0.0.0"  # noqa: S104 - what no address means; it is refused
Verdict = Literal["enter", "login", "refused", "exposed"]


@dataclass(frozen=True, slots=True)
class Gate:
    """What is known of the way in: the address served at, the login, the list, and who came."""

    address: str | None
    opened: bool
    login: bool
    emails: frozenset[str]
    visitor: Mapping[str, object]


def judge(gate: Gate) -> Verdict:
    """Say whether the visitor may look. Whatever is unsure keeps out."""
    if not gate.login:
        return "enter" if gate.opened or is_loopback(gate.address or EVERYWHERE) else "exposed"
    if not gate.visitor.get("is_logged_in"):
        return "login"
    email = str(gate.visitor.get("email") or "").strip().lower()
    proven = gate.visitor.get("email_verified", True) in {True, "true"}
    return "enter" if proven and email and email in gate.emails else "refused"


def gate() -> Gate:
    """Read what is known of the way in."""
    address = st.get_option("server.address")
    login, emails = False, frozenset[str]()
    try:
        login = "auth" in st.secrets
        listed = st.secrets.get("dashboard", {}).get("emails", ())
        emails = frozenset(str(email).strip().lower() for email in listed if not isinstance(listed, str))
    except StreamlitSecretNotFoundError:  # also where there is a file and it can't be read: that keeps out
        login = any(Path(str(place)).exists() for place in st.get_option("secrets.files"))
    visitor = dict(st.user) if login else {}
    return Gate(address, OPEN in sys.argv[1:], login, emails, visitor)


def keep() -> None:
    """Let nobody past who may not look; what follows on the page is for those who may."""
    verdict = judge(gate())
    if verdict == "enter":
        return
    st.title("Trimtab")
    if verdict == "exposed":
        st.error("This dashboard is served to the network and has no login, so it shows nothing.")
        st.write("Serve it on 127.0.0.1, or set up a login: see docs/dashboard.md.")
    elif verdict == "login":
        st.write("Log in to see the portfolio.")
        st.button("Log in", on_click=st.login, type="primary")
    else:
        st.error("You are logged in, and not on the list of those who may look.")
        st.button("Log out", on_click=st.logout)
    st.stop()
