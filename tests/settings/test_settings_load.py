from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from trimtab.errors import Misconfigured
from trimtab.settings import load, starter

BASE: dict[str, Any] = {"strategy": {"name": "equal_weight"}}
NOTHING: dict[str, str] = {}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Give a configuration that holds the one key that is required."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps(BASE))
    return path


def refused(path: Path, document: object, environ: dict[str, str] | None = None) -> Misconfigured:
    """Give the error that a configuration, as JSON or as text, is refused with."""
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    with pytest.raises(Misconfigured) as raised:
        load(path, {}, environ or {})
    return raised.value


def test_defaults_are_the_contracts(config: Path) -> None:
    """Every key but the strategy can be left out; these are then its values."""
    made = load(config, {}, NOTHING)
    assert made.portfolio == "main"
    assert made.mode == "simulated"
    assert made.dry_run is True
    assert made.universe is None
    assert (made.schedule.job_interval, made.schedule.run_time) == ("daily", "10:00")
    assert made.schedule.timezone == "America/New_York"
    assert (made.data.feed, made.data.adjustment, made.data.lookback_sessions) == ("sip", "all", None)
    assert (made.execution.band, made.execution.band_relative) == (0.005, 0.20)
    assert (made.execution.min_order_usd, made.execution.cash_buffer) == (1.0, 0.01)
    assert (made.execution.fractional, made.execution.fill_timeout_s) == (True, 120.0)
    assert (made.risk.max_order_size, made.risk.max_order_size_by_symbol) == (0.20, {})
    assert ",".join(made.alerts.on) == "traded,halted,interrupted,latched,recovered,missed,outside_hours"
    assert made.alerts.allow_private is False


@pytest.mark.parametrize(("mode", "folder"), [("simulated", "trimtab-data"), ("paper", "trimtab-paper")])
def test_each_mode_has_its_own_store_beside_the_file(config: Path, mode: str, folder: str) -> None:
    """Records of play money and of an account never share a folder by default."""
    assert load(config, {"mode": mode}, NOTHING).store_path == config.parent / folder


def test_a_store_is_found_beside_the_file_or_where_it_says(config: Path) -> None:
    """A relative URL is relative to the configuration, an absolute one is not."""
    made = load(config, {"store.url": "./elsewhere"}, NOTHING)
    assert made.store_path == config.parent / "elsewhere"
    assert made.folder == config.parent
    assert load(config, {"store.url": "/srv/store"}, NOTHING).store_path == Path("/srv/store")


def test_a_store_in_a_bucket_is_no_directory(config: Path) -> None:
    """Its URL is kept without a slash at its end, its log lies beside the file, and it has no directory."""
    made = load(config, {"store.url": "s3://bucket/a/b/", "mode": "paper"}, NOTHING)
    assert made.store_url == "s3://bucket/a/b"
    assert made.log_file == config.parent / "app.log"
    with pytest.raises(Misconfigured) as caught:
        made.store_path  # noqa: B018 - it raises
    assert caught.value.code == "store_no_directory"


def test_flag_beats_environment_beats_file_beats_default(config: Path) -> None:
    """The order of precedence, key by key; a flag that is None was not given."""
    config.write_text(
        json.dumps({**BASE, "portfolio": "file", "risk": {"max_order_size": 0.1, "max_gap": 0.2}})
    )
    environ = {"TRIMTAB_PORTFOLIO": "env", "TRIMTAB_RISK__MAX_ORDER_SIZE": "0.3", "TRIMTAB_DRY_RUN": "false"}
    made = load(config, {"portfolio": "flag", "dry_run": None}, environ)
    assert made.portfolio == "flag"
    assert made.dry_run is False
    assert made.risk.max_order_size == 0.3
    assert made.risk.max_gap == 0.2
    assert made.risk.max_spread == 0.01
    assert load(config, {"dry_run": True}, environ).dry_run is True


def test_a_section_in_the_environment_keeps_the_files_other_limits(config: Path) -> None:
    """Setting one limit from outside never puts another back to its default."""
    config.write_text(json.dumps({**BASE, "risk": {"max_order_size": 0.05}}))
    environ = {"TRIMTAB_RISK": '{"max_gap": 0.2, "max_spread": 0.02}', "TRIMTAB_RISK__MAX_SPREAD": "0.03"}
    risk = load(config, {}, environ).risk
    assert (risk.max_order_size, risk.max_gap, risk.max_spread) == (0.05, 0.2, 0.03)


def test_the_owners_dictionaries_are_replaced_whole(config: Path) -> None:
    """Weights and limits by symbol are never mixed from two places."""
    strategy = {"name": "fixed_weights", "params": {"weights": {"SPY": 0.6}, "other": 1}}
    config.write_text(json.dumps({"strategy": strategy, "risk": {"max_order_size_by_symbol": {"SPY": 0.1}}}))
    environ = {
        "TRIMTAB_STRATEGY__PARAMS": '{"weights": {"TLT": 0.4}}',
        "TRIMTAB_RISK__MAX_ORDER_SIZE_BY_SYMBOL": '{"TLT": 0.2}',
    }
    made = load(config, {}, environ)
    assert made.strategy.name == "fixed_weights"
    assert made.strategy.params == {"weights": {"TLT": 0.4}}
    assert made.risk.max_order_size_by_symbol == {"TLT": 0.2}
    assert load(config, {}, NOTHING).strategy.params == strategy["params"]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("PORTFOLIO", "123", "123"),
        ("PORTFOLIO", "true", "true"),
        ("SCHEDULE__RUN_TIME", "15:30", "15:30"),
        ("SCHEDULE__TIMEZONE", "UTC", "UTC"),
        ("UNIVERSE", '["SPY", "BRK.B"]', ("SPY", "BRK.B")),
        ("DATA__LOOKBACK_SESSIONS", "250", 250),
        ("EXECUTION__FRACTIONAL", "false", False),
        ("RISK__MAX_POSITION", "1", 1.0),
        ("RISK__WINDOW", "[15, 30]", (15, 30)),
        ("STORE__URL", "./a", "./a"),
        ("ALERTS__ON", "[]", ()),
    ],
)
def test_a_variable_is_read_as_json_and_texts_as_they_stand(
    config: Path, name: str, text: str, value: object
) -> None:
    """What reads as a number or a list is one, where the key takes one."""
    made: Any = load(config, {}, {f"TRIMTAB_{name}": text})
    for part in name.lower().split("__"):
        made = getattr(made, part)
    assert made == value
    assert type(made) is type(value)


WRONG = [
    ({}, "missing_key", "strategy"),
    ({"strategy": {}}, "missing_key", "strategy.name"),
    ({**BASE, "risk": {"max_order_sise": 0.1}}, "unknown_key", "risk.max_order_sise"),
    ({**BASE, "portfolioo": "x"}, "unknown_key", "portfolioo"),
    ({"strategy": {"name": "x", "parameters": {}}}, "unknown_key", "strategy.parameters"),
    ({**BASE, "risk": {"$schema": "x"}}, "unknown_key", "risk.$schema"),
    ({**BASE, "layers": []}, "unknown_key", "layers"),
    ({**BASE, "risk": {"max_order_size": None}}, "no_limit", "risk.max_order_size"),
    ({**BASE, "execution": {"band": None}}, "no_limit", "execution.band"),
    (
        {**BASE, "risk": {"max_order_size_by_symbol": {"SPY": None}}},
        "no_limit",
        "max_order_size_by_symbol.SPY",
    ),
    ({**BASE, "risk": {"window": [None, 5]}}, "no_limit", "risk.window"),
    ({**BASE, "risk": None}, "no_limit", "risk"),
    ({**BASE, "risk": {"max_order_size": 0}}, "no_limit", "risk.max_order_size"),
    ({**BASE, "risk": {"max_order_usd": -1}}, "no_limit", "risk.max_order_usd"),
    ({**BASE, "risk": {"max_order_size": 1.01}}, "invalid_value", "risk.max_order_size"),
    ({**BASE, "risk": {"max_order_size": "0.3"}}, "invalid_value", "risk.max_order_size"),
    ({**BASE, "risk": {"max_order_size": True}}, "invalid_value", "risk.max_order_size"),
    ({**BASE, "risk": {"max_order_usd": 10**400}}, "invalid_value", "risk.max_order_usd"),
    ({**BASE, "risk": {"max_turnover": 2.5}}, "invalid_value", "risk.max_turnover"),
    ({**BASE, "risk": {"max_drawdown": 1.5}}, "invalid_value", "risk.max_drawdown"),
    ({**BASE, "risk": {"require_approval": "sometimes"}}, "invalid_value", "risk.require_approval"),
    ({**BASE, "risk": {"max_orders": 1.5}}, "invalid_value", "risk.max_orders"),
    ({**BASE, "risk": 5}, "invalid_value", "risk"),
    ({**BASE, "universe": None}, "invalid_value", "universe"),
    ({**BASE, "universe": []}, "invalid_value", "universe"),
    ({**BASE, "universe": ["SPY", "SPY"]}, "invalid_value", "universe"),
    ({**BASE, "universe": ["spy"]}, "invalid_value", "universe"),
    ({**BASE, "universe": "SPY"}, "invalid_value", "universe"),
    ({**BASE, "portfolio": "Main"}, "invalid_value", "portfolio"),
    ({**BASE, "portfolio": "a/b"}, "invalid_value", "portfolio"),
    ({**BASE, "portfolio": "main\n"}, "invalid_value", "portfolio"),
    ({**BASE, "mode": "PAPER"}, "invalid_value", "mode"),
    ({**BASE, "dry_run": 0}, "invalid_value", "dry_run"),
    ({**BASE, "dry_run": "false"}, "invalid_value", "dry_run"),
    ({**BASE, "schedule": {"run_time": "24:00"}}, "invalid_value", "schedule.run_time"),
    ({**BASE, "schedule": {"run_time": "9:30"}}, "invalid_value", "schedule.run_time"),
    ({**BASE, "schedule": {"timezone": "Mars/Olympus"}}, "invalid_value", "schedule.timezone"),
    ({**BASE, "schedule": {"timezone": "America"}}, "invalid_value", "schedule.timezone"),
    ({**BASE, "schedule": {"timezone": "../zone"}}, "invalid_value", "schedule.timezone"),
    ({**BASE, "schedule": {"job_interval": "hourly"}}, "invalid_value", "schedule.job_interval"),
    ({**BASE, "data": {"feed": "otc"}}, "invalid_value", "data.feed"),
    ({**BASE, "data": {"lookback_sessions": 1}}, "invalid_value", "data.lookback_sessions"),
    ({**BASE, "store": {"url": ""}}, "invalid_value", "store.url"),
    ({**BASE, "store": {"url": "ftp://x"}}, "invalid_value", "store.url"),
    ({**BASE, "store": {"url": "s3://bucket/a"}}, "simulated_in_s3", "store.url"),
    ({**BASE, "store": {"url": "s3://"}}, "invalid_value", "store.url"),
    ({**BASE, "store": {"url": "s3://Bucket"}}, "invalid_value", "store.url"),
    ({**BASE, "store": {"url": "s3://bucket/../a"}}, "invalid_value", "store.url"),
    ({**BASE, "store": {"url": "s3://bucket//a"}}, "invalid_value", "store.url"),
    ({**BASE, "store": {"url": "s3://key:secret@bucket"}}, "invalid_value", "store.url"),
    ({**BASE, "alerts": {"on": ["nonsense"]}}, "invalid_value", "alerts.on"),
    ({**BASE, "alerts": {"on": ["traded", "traded"]}}, "invalid_value", "alerts.on"),
]


@pytest.mark.parametrize(("document", "code", "named"), WRONG)
def test_what_is_wrong_is_one_error_that_names_the_key(
    config: Path, document: object, code: str, named: str
) -> None:
    """Code, key, what was seen where there is something to see, and what is allowed."""
    error = refused(config, document)
    assert error.code == code
    assert named in error.message
    assert error.exit_status == 2
    assert error.document()["allowed"]
    assert (error.seen is None) == (code == "missing_key")


@pytest.mark.parametrize(
    ("document", "meant"),
    [
        ({**BASE, "risk": {"max_order_sise": 0.1}}, "max_order_size"),
        ({**BASE, "execution": {"bands": 0.1}}, "band"),
        ({**BASE, "portfolo": "x"}, "portfolio"),
        ({"strategy": {"name": "x", "param": {}}}, "params"),
    ],
)
def test_an_unknown_key_says_what_was_probably_meant(config: Path, document: object, meant: str) -> None:
    """At the top and in every section."""
    assert refused(config, document).hint == f"did you mean '{meant}'?"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("TRIMTAB_RISK__MAX_ORDR_SIZE", "TRIMTAB_RISK__MAX_ORDER_SIZE"),
        ("TRIMTAB_RISK_MAX_ORDER_SIZE", "TRIMTAB_RISK__MAX_ORDER_SIZE"),
        ("TRIMTAB_DRYRUN", "TRIMTAB_DRY_RUN"),
        ("TRIMTAB_ALERT_URL", "TRIMTAB_ALERT_URLS"),
        ("TRIMTAB_DRY_RUn", "TRIMTAB_DRY_RUN"),
        ("TRIMTAB_STRATEGY__PARAMS__TOP", "TRIMTAB_STRATEGY__PARAMS"),
    ],
)
def test_an_unknown_variable_says_what_was_probably_meant(config: Path, name: str, meant: str) -> None:
    """A misspelt variable is an error, never a setting that silently does not count."""
    error = refused(config, BASE, {name: "1"})
    assert (error.code, error.seen) == ("unknown_key", name)
    assert error.hint == f"did you mean '{meant}'?"


def test_other_variables_are_left_alone(config: Path) -> None:
    """The contract's variables that are no keys, and everybody else's."""
    environ = {
        "TRIMTAB_CONFIG": "x",
        "TRIMTAB_ALERT_URLS": "x",
        "TRIMTAB_HEARTBEAT_URL": "x",
        "TRIMTAB_LIVE": "x",
    }
    assert load(config, {}, {**environ, "DRY_RUN": "1", "TRIMTABS": "1"}) == load(config, {}, NOTHING)


def test_the_flag_of_real_money_is_in_the_environment_itself(config: Path) -> None:
    """Whoever may write a parameter can't switch real money on."""
    assert refused(config, BASE, {"TRIMTAB_LIVE_PARAMETER": "/x"}).code == "parameter_unread"


def test_what_names_a_secret_is_no_unknown_variable(config: Path) -> None:
    """It is read by who needs it, not by the settings."""
    environ = {f"TRIMTAB_{name}_PARAMETER": "/x" for name in ("ALERT_URLS", "HEARTBEAT_URL", "CONFIG")}
    assert load(config, {}, environ) == load(config, {}, NOTHING)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999", "nonsense", ""])
def test_a_limit_in_the_environment_is_a_finite_number(config: Path, text: str) -> None:
    """What is no number in JSON stays a text, which no limit is."""
    error = refused(config, BASE, {"TRIMTAB_RISK__MAX_ORDER_SIZE": text})
    assert (error.code, error.seen) == ("invalid_value", text)


def test_a_null_in_the_environment_is_no_limit(config: Path) -> None:
    """Null is refused wherever it comes from."""
    assert refused(config, BASE, {"TRIMTAB_RISK__MAX_ORDER_SIZE": "null"}).code == "no_limit"


COMMA = 27 if sys.version_info >= (3, 13) else 28
"""Where Python sees that a comma is the last: at it, and before 3.13 behind it."""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"strategy":\n  {"name" "x"}}', "line 2, column 11"),
        ("", "line 1, column 1"),
        ('{"strategy": {"name": "x"},}', f"line 1, column {COMMA}"),
        ('{"dry_run": true, "dry_run": false}', "'dry_run' stands there twice"),
        ('{"risk": {"max_gap": 0.1, "max_gap": 0.2}}', "'max_gap' stands there twice"),
        ('{"risk": {"max_gap": NaN}}', "NaN is no number"),
        ('{"risk": {"max_gap": -Infinity}}', "-Infinity is no number"),
        ('{"risk": {"max_gap": 1e999}}', "1e999 is too large"),
        ('{"strategy": {"name": "x", "params": {"a": 1e999}}}', "1e999 is too large"),
        ('{"strategy": {"name": "x", "params": {"a": "\\ud800"}}}', "half of a character"),
        ("[" * 100_000, "nested too deeply"),
        ("[]", "no JSON object"),
        ("null", "no JSON object"),
        ("1" * 5000, "not JSON"),
    ],
)
def test_bad_json_says_where_or_what(config: Path, text: str, said: str) -> None:
    """Neither JSON's extensions nor half a file are taken."""
    error = refused(config, text)
    assert error.code == "bad_json"
    assert said in error.message


def test_a_file_that_is_no_utf_8_is_refused(config: Path) -> None:
    """Bytes that are no text are bad JSON; a byte order mark is fine."""
    config.write_bytes(b'{"strategy": {"name": "\xff"}}')
    with pytest.raises(Misconfigured, match="UTF-8"):
        load(config, {}, NOTHING)
    config.write_bytes(b"\xef\xbb\xbf" + json.dumps(BASE).encode())
    assert load(config, {}, NOTHING).strategy.name == "equal_weight"


def test_a_missing_file_points_to_init(tmp_path: Path) -> None:
    """A first start says how to begin; a folder in the file's place is named too."""
    with pytest.raises(Misconfigured) as raised:
        load(tmp_path / "config.json", {}, NOTHING)
    assert raised.value.code == "no_config"
    assert "trimtab init" in raised.value.hint
    with pytest.raises(Misconfigured, match="can't be read"):
        load(tmp_path, {}, NOTHING)


def test_no_path_means_the_variables(config: Path) -> None:
    """Without a path TRIMTAB_CONFIG names the file; a path beats it."""
    assert load(None, {}, {"TRIMTAB_CONFIG": str(config)}).folder == config.parent
    assert load(config, {}, {"TRIMTAB_CONFIG": "/nowhere"}).folder == config.parent


def test_the_schema_key_is_ignored(config: Path) -> None:
    """Editors need it; nothing else does."""
    plain = load(config, {}, NOTHING)
    config.write_text(json.dumps({"$schema": "./config.schema.json", **BASE}))
    assert load(config, {}, NOTHING) == plain


def test_live_needs_its_flag(config: Path) -> None:
    """No configuration alone trades real money."""
    live = {**BASE, "mode": "live"}
    for flag in ({}, {"TRIMTAB_LIVE": "1"}, {"TRIMTAB_LIVE": "YES"}):
        assert refused(config, live, flag).code == "live_flag"
    config.write_text(json.dumps(live))
    assert load(config, {}, {"TRIMTAB_LIVE": "yes"}).mode == "live"


def test_the_digest_is_of_what_decides_the_trades(config: Path) -> None:
    """It moves with each of those keys, and with no other."""
    digest = load(config, {}, NOTHING).digest()
    assert len(digest) == 64
    for flag, value in {
        "strategy.params": {"a": 1},
        "universe": ["SPY"],
        "data.feed": "iex",
        "execution.band": 0.01,
        "risk.max_gap": 0.2,
        "portfolio": "other",
        "mode": "paper",
    }.items():
        assert load(config, {flag: value}, NOTHING).digest() != digest, flag
    for flag, value in {
        "dry_run": False,
        "schedule.run_time": "11:00",
        "store.url": "x",
        "alerts.on": [],
    }.items():
        assert load(config, {flag: value}, NOTHING).digest() == digest, flag
    config.write_text(json.dumps({**BASE, "risk": {"max_exposure": 1, "max_gap": 0.10}}))
    assert load(config, {}, NOTHING).digest() == digest


def test_the_document_loads_to_the_same_settings(config: Path) -> None:
    """What a record keeps of the settings is a configuration itself."""
    config.write_text(starter())
    made = load(config, {"universe": ["AAPL", "IBM", "MSFT"]}, NOTHING)
    config.write_text(json.dumps(made.document()))
    assert load(config, {}, NOTHING) == made


def test_settings_do_not_change(config: Path) -> None:
    """A run has one configuration from start to end."""
    made = load(config, {}, NOTHING)
    with pytest.raises(ValueError, match="frozen"):
        made.dry_run = False
    with pytest.raises(ValueError, match="frozen"):
        made.risk.max_gap = 1.0


def test_the_process_environment_is_not_read(config: Path) -> None:
    """Only what is given counts: neither the process's own variables nor a .env file."""
    (config.parent / ".env").write_text("PORTFOLIO=sneaky\nTRIMTAB_PORTFOLIO=sneaky\n")
    code = "from trimtab.settings import load; print(load(None, {}, {}).portfolio)"
    environ = {**os.environ, "PORTFOLIO": "sneaky", "TRIMTAB_PORTFOLIO": "sneaky"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=config.parent,
        env=environ,
        check=True,
        capture_output=True,
        timeout=60,
    )
    assert done.stdout == b"main\n"
