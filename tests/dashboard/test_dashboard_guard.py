from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from streamlit.config import get_config_options
from streamlit.testing.v1 import AppTest

from dashboard.frame import literal
from dashboard.guard import Gate, judge
from dashboard_kit import APP, HOSTILE, PAGES, at_page, texts, write_config

if TYPE_CHECKING:
    from pathlib import Path

HERE = Gate("127.0.0.1", opened=False, login=False, emails=frozenset(), visitor={})
LISTED = replace(
    HERE,
    login=True,
    emails=frozenset({"owner@example.org"}),
    visitor={"is_logged_in": True, "email": "Owner@Example.org ", "email_verified": True},
)


def test_this_machine_may_look() -> None:
    """Loopback needs no login; any other address does, and so does none, which is every one."""
    assert judge(HERE) == "enter"
    for address in ("0.0.0.0", "192.168.1.5", "::", "example.org", "", None):  # noqa: S104 - it is refused
        assert judge(replace(HERE, address=address)) == "exposed"
    assert judge(replace(HERE, address=None, opened=True)) == "enter"


def test_a_login_admits_the_listed_only() -> None:
    """Letters' case does not matter; whatever is unsure keeps out, also on this machine."""
    assert judge(LISTED) == "enter"
    assert judge(replace(LISTED, visitor={})) == "login"
    assert judge(replace(LISTED, opened=True, visitor={"is_logged_in": False})) == "login"
    for visitor in (
        {"email": "other@example.org"},
        {"email": ""},
        {"email": None},
        {"email": "owner@example.org.evil.example"},
        {"email": "owner@example.org", "email_verified": False},
        {"email": "owner@example.org", "email_verified": "false"},
        {"email": "owner@example.org", "email_verified": 0},
        {"email": "owner@example.org", "email_verified": []},
    ):
        said = {"is_logged_in": True, "email_verified": True, **visitor}
        assert judge(replace(LISTED, visitor=said)) == "refused"
        assert judge(replace(LISTED, visitor=said, trusting=True)) == "refused"
    assert judge(replace(LISTED, emails=frozenset())) == "refused"


@pytest.mark.parametrize("claim", [{}, {"email_verified": None}])
def test_an_address_of_which_the_provider_says_nothing_keeps_out(claim: dict[str, object]) -> None:
    """Whether it is on the list is not told; where the owner vouches for the provider, the list decides."""
    for email, then in (("owner@example.org", "enter"), ("other@example.org", "refused")):
        silent = replace(LISTED, visitor={"is_logged_in": True, "email": email, **claim})
        assert judge(silent) == "unproven"
        assert judge(replace(silent, opened=True)) == "unproven"
        assert judge(replace(silent, trusting=True)) == then


def test_a_page_served_to_the_network_shows_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a login it names no portfolio, no path, no figure and no other page."""
    config = write_config(tmp_path, tmp_path / "store", portfolio="secret-name")
    app = at_page(config, "now", monkeypatch, address="0.0.0.0")  # noqa: S104 - it is refused
    said = texts(app)
    assert "has no login" in said
    assert "secret-name" not in said
    assert str(tmp_path) not in said
    assert not app.metric
    assert not app.get("html")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_guards_itself(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that is run without the router, as Streamlit might, shows nothing either."""
    config = write_config(tmp_path, tmp_path / "store", portfolio="secret-name")
    monkeypatch.setenv("TRIMTAB_CONFIG", str(config))
    get_config_options(force_reparse=True, options_from_flags={"server.address": "0.0.0.0"})  # noqa: S104 - as above
    app = AppTest.from_file(str(APP.parent / f"views/{page}.py"), default_timeout=120).run()
    assert not app.exception
    assert "has no login" in texts(app)
    assert "secret-name" not in texts(app)
    assert not app.metric


def test_a_login_that_is_set_up_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also on this machine; and who came without being on the list sees nothing."""
    config = write_config(tmp_path, tmp_path / "store", portfolio="secret-name")
    monkeypatch.setenv("TRIMTAB_CONFIG", str(config))
    get_config_options(force_reparse=True, options_from_flags={"server.address": "127.0.0.1"})
    app = AppTest.from_file(str(APP), default_timeout=120)
    app.secrets["auth"] = {"client_id": "x"}
    app.run()
    assert not app.exception
    assert "secret-name" not in texts(app)
    assert {button.label for button in app.button} <= {"Log in", "Log out"}
    assert app.button


@pytest.mark.parametrize(
    ("user", "dashboard", "shown"),
    [
        ({}, {}, "email_verified"),
        ({}, {"trust_email_without_verification": "true"}, "email_verified"),
        ({}, {"trust_email_without_verification": True}, "The first run"),
        ({"email_verified": False}, {"trust_email_without_verification": True}, "not on the list"),
        ({"email_verified": True}, {}, "The first run"),
    ],
)
def test_a_login_of_a_silent_provider_is_told_what_is_missing(
    user: dict[str, object],
    dashboard: dict[str, object],
    shown: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the claim, or the owner's word in the same place as the list, the page shows nothing else."""
    config = write_config(tmp_path, tmp_path / "store", portfolio="secret-name")
    monkeypatch.setenv("TRIMTAB_CONFIG", str(config))
    get_config_options(force_reparse=True, options_from_flags={"server.address": "127.0.0.1"})
    app = AppTest.from_file(str(APP), default_timeout=120)
    app.secrets["auth"] = {"client_id": "x"}
    app.secrets["dashboard"] = {"emails": ["owner@example.org"], **dashboard}
    app.user = {"is_logged_in": True, "email": "owner@example.org", **user}
    app.run()
    assert not app.exception
    assert shown in texts(app)
    assert ("Store:" in texts(app)) is (shown == "The first run")


def test_streamlit_finds_no_pages_by_itself() -> None:
    """A folder `pages` beside the router would be served past it."""
    assert not (APP.parent / "pages").exists()


def test_data_is_no_markup() -> None:
    """Every sign that Markdown knows is escaped, and addresses are broken, so that none is linked."""
    shown = literal(HOSTILE + " www.example.org a@example.org\n# x")
    for sign in "<>*[]()$_#!`":
        assert all(shown[i - 1] == "\\" for i, letter in enumerate(shown) if letter == sign and i)
    assert "\n" not in shown
    assert "www." not in shown
    assert "https:" not in shown
