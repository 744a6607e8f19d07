from __future__ import annotations

import sys
import traceback

import pytest

from lambda_kit import Context
from script_kit import load_script
from trimtab.errors import Misconfigured
from trimtab.settings import redactor

CANARY = "c4n4ry-7Hq2Zk9Wm3"


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> str:
    """Give a URL that is a secret of the environment."""
    url = f"http://127.0.0.1:1/{CANARY}"
    monkeypatch.setenv("TRIMTAB_HEARTBEAT_URL", url)
    return url


@pytest.mark.parametrize("name", ["backtest", "fleet", "rebalance"])
def test_no_secret_leaves_a_function_by_what_it_raises(
    name: str, receiver: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The runtime prints an error and its log line; a wrong event is quoted in both, without its secrets."""
    app = load_script(f"functions/{name}/app.py")
    (handler,) = app.logger.handlers
    handler.stream, before = sys.stdout, handler.stream  # it may have begun before this test's capture
    with pytest.raises(Misconfigured, match="bad_event") as raised:
        app.handler({"amount": receiver}, Context())
    handler.stream, logged = before, capsys.readouterr().out
    assert '"failed"' in logged
    for shown in (logged, "".join(traceback.format_exception(raised.value)), str(raised.value.document())):
        assert "***" in shown
        assert CANARY not in shown


def test_a_bug_is_raised_as_itself_unless_it_quotes_a_secret(receiver: str) -> None:
    """Its type tells more than its text; where that holds a secret, the type is told in the text."""
    clean = redactor({"TRIMTAB_HEARTBEAT_URL": receiver})
    bug = KeyError("weights")
    assert clean.error(bug) is bug
    masked = clean.error(KeyError(f"GET {receiver}"))
    assert str(masked).startswith("KeyError: 'GET ***")
    assert CANARY not in str(masked)
