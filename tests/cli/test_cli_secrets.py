"""Canaries: secrets in every setting, through faults, in nothing that the command line says or keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from backtesting.walks import bars_of
from scripted_http import Reply, ScriptedServer
from trimtab.adapters.sample import synthetic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.conftest import Desk

KEY, SECRET = "PKCANARY000KEY000ID0", "canarySecretKey/with+odd=characters"
PING = "/ca0a4e00-1111-4222-8333-444455556666"
HOOK = "/api/webhooks/123456789012345678/canary-Discord-token-4f0b77"
CANARIES = (KEY, SECRET, PING[1:], "canary-Discord-token", "canary-of-a-parameter")

LEAKY = """
import os

def leaky(symbols):
    def strategy(history, equity):
        ours = [name for name in os.environ if name.startswith(("APCA", "TRIMTAB"))]
        raise {kind}(" ".join(os.environ[name] for name in ours))
    strategy.symbols = tuple(symbols)
    return strategy
"""


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A chat and a watcher that refuse everything, and say why with the secret in it."""
    with ScriptedServer() as scripted:
        for path in (HOOK, PING, f"{PING}/start", f"{PING}/fail"):
            scripted.on("POST", path, Reply(500, f"no such {path}".encode()))
        yield scripted


@pytest.fixture
def secret(desk: Desk, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A portfolio whose environment holds a canary in every secret."""
    given = {"APCA_API_KEY_ID": KEY, "APCA_API_SECRET_KEY": SECRET}
    given |= {"TRIMTAB_ALERT_URLS": server.url + HOOK, "TRIMTAB_HEARTBEAT_URL": server.url + PING}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return desk


def check(desk: Desk, *said: str) -> None:
    """No canary stands in what was said or in any file but the strategy's own."""
    for text in said:
        assert not [canary for canary in CANARIES if canary in text], text
    for name in desk.files():
        data = (desk.folder / name).read_bytes()
        assert not [canary for canary in CANARIES if canary.encode() in data], name


def test_no_verb_shows_a_secret_after_a_fault(secret: Desk) -> None:
    """A strategy quotes its environment; what is told fails; then every verb that reads shows the run."""
    (secret.folder / "leaky_rule.py").write_text(LEAKY.format(kind="ValueError"))
    secret.write(strategy={"name": "leaky_rule:leaky", "params": {"symbols": ["AAA", "BBB"]}})
    for verb in (
        ("run", "--json"),
        ("run",),
        ("plan",),
        ("show", "last"),
        ("history",),
        ("status", "--json"),
    ):
        done = secret(*verb)
        assert done.status in {0, 3}, done.err
        check(secret, done.out, done.err)
    assert "***" in secret("show", "last").out
    log = (secret.folder / "trimtab-data/app.log").read_text()
    assert '"not_told"' in log
    assert "***" in log


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TRIMTAB_ALERT_URLS", "http://example.com/canary-Discord-token"),
        ("TRIMTAB_ALERT_URLS", "https://169.254.169.254/canary-Discord-token"),
        ("TRIMTAB_ALERT_URLS", "no url, canary-Discord-token"),
        ("TRIMTAB_ALERT_URLS", "nonsense://canary-Discord-token/x"),
        ("TRIMTAB_HEARTBEAT_URL", "https://canary-Discord-token@example.com/"),
        ("TRIMTAB_HEARTBEAT_URL_PARAMETER", "/canary-of-a-parameter"),
        ("TRIMTAB_ALERT_URLS_PARAMETER", "/canary-of-a-parameter"),
    ],
)
def test_a_url_that_is_refused_is_not_shown(
    secret: Desk, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """Exit 2, which names the variable; nothing began."""
    monkeypatch.setenv(name, value)
    for verb in (("run", "--json"), ("run",)):
        done = secret(*verb)
        assert done.status == 2, done.err
        assert "TRIMTAB_" in done.err
        check(secret, done.out, done.err)


def test_a_url_that_is_refused_keeps_nobody_from_halting(
    secret: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kill switch needs no receiver; a secret in the owner's reason is masked."""
    monkeypatch.setenv("TRIMTAB_ALERT_URLS", "http://example.com/canary-Discord-token")
    done = secret("halt", f"looked at {SECRET}")
    assert done.status == 0, done.err
    assert (secret.folder / "trimtab-data/halts/main").is_file()
    check(secret, done.out, done.err)


FIRST = "2015-01-14"
"""The session that simulated mode begins with."""
WORDS = (
    ("TRIMTAB_HEARTBEAT_URL", "/AbCdEf123456/retirement"),
    ("TRIMTAB_HEARTBEAT_URL", "/AbCdEf123456/retirement-2040"),
    ("TRIMTAB_ALERT_URLS", "/webhook/positions"),
    ("TRIMTAB_ALERT_URLS", "/webhook/positions_before"),
    ("TRIMTAB_ALERT_URLS", f"/workflows/0a1b2c3d4e5f/run?api-version={FIRST}&sig=AbCdEf123456"),
)


@pytest.mark.parametrize(("name", "path"), WORDS)
def test_a_word_in_a_url_leaves_the_record_as_it_is(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, name: str, path: str
) -> None:
    """A run that trades leaves a whole record; the next one, `replay` and `rebuild` find their way in it."""
    desk.write(portfolio="retirement-2040" if path.endswith("2040") else "retirement")
    monkeypatch.setenv(name, "http://127.0.0.1:9" + path)
    done = [desk("run", "--json"), desk("run", "--next", "--json")]
    assert [one.document["outcome"] for one in done] == ["traded", "traded"]
    assert done[0].document["session"] == FIRST
    assert len(desk.records("trimtab-data")) == 2
    assert not [name for name in desk.files() if b"***" in (desk.folder / name).read_bytes()]
    assert desk("replay", "--all").status == 0
    assert desk("rebuild", "--json").document["runs"] == 2


def test_a_key_in_the_place_of_a_name_begins_nothing(secret: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """No order, no record: a run says what to do, doctor too; the kill switch is in nobody's way."""
    monkeypatch.setenv("APCA_API_KEY_ID", "retirement-2040")
    secret.write(portfolio="my-retirement-2040")
    done = secret("run", "--json")
    assert (done.status, done.document["error"]["code"]) == (2, "secret_as_name")
    assert done.document["error"]["seen"] == "a key or a URL, or part of one, in portfolio"
    found = {check["name"]: check["status"] for check in secret("doctor", "--json").document["checks"]}
    assert found["keys"] == "FAIL"
    assert not [name for name in secret.files() if "record.json" in name]
    assert secret("halt").status == 0
    check(secret, done.out, done.err)


NOTED = """
def noted(symbols, note):
    def strategy(history, equity):
        return dict.fromkeys(symbols, 0.5)
    strategy.symbols = tuple(symbols)
    return strategy
"""


@pytest.mark.parametrize(
    ("where", "note"),
    [
        ("data.file", {}),
        ("strategy.params.note", "pinged as retirement-2026"),
        ("strategy.params.note.about", {"about": ["retirement", "retirement-2026"]}),
        ("strategy.params.note", {"retirement-2026": 1}),
    ],
)
def test_a_secret_in_the_configuration_begins_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, where: str, note: object
) -> None:
    """Masked in a record it would not be the one of its digest: the key is named, and no order is sent."""
    (desk.folder / "noted_rule.py").write_text(NOTED)
    bars_of(synthetic(["AAA", "BBB"])).frame().drop("raw_close").write_parquet("retirement-2026.parquet")
    strategy = {"name": "noted_rule:noted", "params": {"symbols": ["AAA", "BBB"], "note": note}}
    data = {"file": "retirement-2026.parquet"} if where == "data.file" else {}
    desk.write(portfolio="retirement-2026", strategy=strategy, data=data)
    assert desk("plan", "--json").status == 0
    monkeypatch.setenv("TRIMTAB_HEARTBEAT_URL", "http://127.0.0.1:9/AbCdEf123456/retirement-2026")
    for verb in ("plan", "run"):
        done = desk(verb, "--json")
        assert (done.status, done.document["error"]["code"]) == (2, "secret_as_name")
        assert done.document["error"]["seen"] == f"a key or a URL, or part of one, in {where}"
    assert not [name for name in desk.files() if "record.json" in name or "plans/" in name]
    assert desk("halt").status == 0


def test_a_secret_in_the_wrong_place_is_not_shown(secret: Desk, server: ScriptedServer) -> None:
    """A URL put into config.json by mistake is refused there, and not printed."""
    for change in ({"portfolio": server.url + HOOK}, {SECRET: 1}, {"mode": KEY}):
        secret.write(**change)  # type: ignore[arg-type]  # any key, any value
        done = secret("run", "--json")
        assert done.status == 2
        assert not [canary for canary in CANARIES if canary in done.out + done.err]
