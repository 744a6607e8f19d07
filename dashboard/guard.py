"""Guard: who may look. Without a login only this machine may; with one, the people on the list.

Both stand in Streamlit's secrets.toml: `[auth]`, as st.login takes it, and `[dashboard]` with `emails`. An
address counts once the provider says that it is the visitor's: with some, anybody can write any address into
an account of their own.
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
CLAIM = "email_verified"
"""What a provider says of an address (OpenID Connect Core 1.0, 5.1)."""
TRUST = "trust_email_without_verification"
"""The owner's word that the provider lets nobody choose an address, though it says nothing of it."""
Verdict = Literal["enter", "login", "refused", "unproven", "exposed"]


@dataclass(frozen=True, slots=True)
class Gate:
    """What is known of the way in: the address served at, the login, the list, and who came.

    `trusting`: addresses of which the provider says nothing count as the visitor's.
    """

    address: str | None
    opened: bool
    login: bool
    emails: frozenset[str]
    visitor: Mapping[str, object]
    trusting: bool = False


def judge(gate: Gate) -> Verdict:
    """Say whether the visitor may look. Whatever is unsure keeps out."""
    if not gate.login:
        return "enter" if gate.opened or is_loopback(gate.address or EVERYWHERE) else "exposed"
    if not gate.visitor.get("is_logged_in"):
        return "login"
    said = gate.visitor.get(CLAIM)
    if said is None and not gate.trusting:
        return "unproven"  # also who is not on the list: nobody learns who is
    email = str(gate.visitor.get("email") or "").strip().lower()
    proven = said is None or said is True or said == "true"
    return "enter" if proven and email and email in gate.emails else "refused"


def gate() -> Gate:
    """Read what is known of the way in."""
    address = st.get_option("server.address")
    login, emails, trusting = False, frozenset[str](), False
    try:
        login = "auth" in st.secrets
        owner = st.secrets.get("dashboard", {})
        listed, trusting = owner.get("emails", ()), owner.get(TRUST) is True
        emails = frozenset(str(email).strip().lower() for email in listed if not isinstance(listed, str))
    except StreamlitSecretNotFoundError:  # also where there is a file and it can't be read: that keeps out
        login = any(Path(str(place)).exists() for place in st.get_option("secrets.files"))
    visitor = dict(st.user) if login else {}
    return Gate(address, OPEN in sys.argv[1:], login, emails, visitor, trusting)


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
    elif verdict == "unproven":
        st.error(f"The login's provider does not say whether your address is yours: it sends no {CLAIM}.")
        st.write(
            "Whoever runs this dashboard can have the provider send that claim, or, where nobody can choose"
            f" an address there, set {TRUST} = true: see docs/dashboard.md, Who may look."
        )
        st.button("Log out", on_click=st.logout)
    else:
        st.error("You are logged in, and not on the list of those who may look.")
        st.button("Log out", on_click=st.logout)
    st.stop()
