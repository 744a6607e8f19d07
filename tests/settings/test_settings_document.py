from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types

from trimtab.errors import Misconfigured
from trimtab.settings import load, receivers, schema, secrets, starter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEYS = {"APCA_API_KEY_ID": "PKSECRETID", "APCA_API_SECRET_KEY": " verysecret\n"}


def objects(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give every object of the schema that has keys of its own."""
    yield node
    yield from (inner for inner in node["$defs"].values() if "properties" in inner)


def test_the_schema_is_valid_and_of_its_draft() -> None:
    """JSON schema, draft 2020-12."""
    assert schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema())


def test_every_key_is_described_and_no_other_is_allowed() -> None:
    """An editor explains each key, and marks what is none."""
    for node in objects(schema()):
        assert node["additionalProperties"] is False
        for key, inner in node["properties"].items():
            section = schema()["$defs"].get(str(inner.get("$ref")).rsplit("/", 1)[-1], {})
            assert inner.get("description") or section["description"], key
    assert schema()["required"] == ["strategy"]
    assert schema()["$defs"]["Strategy"]["required"] == ["name"]


def test_no_key_takes_null() -> None:
    """An absent key takes its default; null is nothing."""
    assert '"null"' not in json.dumps(schema())


def test_each_caller_gets_its_own_schema() -> None:
    """What one caller does to it no other sees."""
    schema()["properties"].clear()
    assert schema()["properties"]


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"strategy": {"name": "x"}, "risk": {"max_order_sise": 1}},
        {"strategy": {"name": "x"}, "risk": {"max_order_size": None}},
        {"strategy": {"name": "x"}, "risk": {"max_order_size": "0.3"}},
        {"strategy": {"name": "x"}, "risk": {"max_order_size": 0}},
        {"strategy": {"name": "x"}, "universe": ["SPY", "SPY"]},
        {"strategy": {"name": "x"}, "universe": []},
        {"strategy": {"name": "x"}, "schedule": {"run_time": "25:00"}},
    ],
)
def test_the_schema_refuses_what_loading_refuses(tmp_path: Path, document: dict[str, object]) -> None:
    """The owner sees in the editor what a run would say."""
    assert not Draft202012Validator(schema()).is_valid(document)
    (tmp_path / "config.json").write_text(json.dumps(document))
    with pytest.raises(Misconfigured):
        load(tmp_path / "config.json", {}, {})


def test_the_starter_is_valid_and_loads(tmp_path: Path) -> None:
    """What `init` writes runs at once, with play money and orders."""
    (tmp_path / "config.json").write_text(starter())
    made = load(tmp_path / "config.json", {}, {})
    Draft202012Validator(schema()).validate(json.loads(starter()))
    assert json.loads(starter())["$schema"] == "./config.schema.json"
    assert (made.mode, made.dry_run, made.strategy.name) == ("simulated", False, "fixed_weights")
    assert made.strategy.params == {"weights": {"AAPL": 0.4, "IBM": 0.3, "MSFT": 0.3}}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Give a configuration of paper mode."""
    path = tmp_path / "config.json"
    path.write_text('{"strategy": {"name": "equal_weight"}, "mode": "paper"}')
    return path


def test_keys_and_hosts_come_from_the_environment(config: Path) -> None:
    """The keys without the blanks around them, the hosts of the mode unless others are named."""
    found = secrets(load(config, {}, {}), KEYS)
    assert found.key_id.get_secret_value() == "PKSECRETID"
    assert found.secret_key.get_secret_value() == "verysecret"
    assert found.base_url == "https://paper-api.alpaca.markets"
    assert found.data_url == "https://data.alpaca.markets"
    hosts = {"APCA_API_BASE_URL": "http://127.0.0.1:8000/", "APCA_API_DATA_URL": "http://127.0.0.1:8000"}
    found = secrets(load(config, {}, {}), KEYS | hosts)
    assert (found.base_url, found.data_url) == ("http://127.0.0.1:8000", "http://127.0.0.1:8000")


def test_keys_are_never_shown(config: Path) -> None:
    """Neither printing nor formatting tells them."""
    found = secrets(load(config, {}, {}), KEYS)
    shown = f"{found!r} {found} {found.key_id} {found.secret_key!r}"
    assert "PKSECRETID" not in shown
    assert "verysecret" not in shown


@pytest.mark.parametrize("missing", [*KEYS, "both"])
@pytest.mark.parametrize("blank", [None, "", "  "])
def test_a_missing_key_is_named(config: Path, missing: str, blank: str | None) -> None:
    """What is missing is named; what is there is not shown."""
    gone = set(KEYS) if missing == "both" else {missing}
    environ = {name: value for name, value in KEYS.items() if name not in gone}
    environ |= dict.fromkeys(gone, blank) if blank is not None else {}
    with pytest.raises(Misconfigured) as raised:
        secrets(load(config, {}, {}), environ)
    assert raised.value.code == "keys_missing"
    assert all((f"no {name}" in str(raised.value.seen)) == (name in gone) for name in KEYS)
    assert "PKSECRETID" not in str(raised.value)
    assert "verysecret" not in str(raised.value)
    assert raised.value.hint


@pytest.mark.parametrize("name", ["APCA_API_KEY_ID", "APCA_API_DATA_URL"])
def test_a_parameter_that_was_not_read_is_refused(config: Path, name: str) -> None:
    """The name of a parameter is never taken for its value, nor for nothing."""
    with pytest.raises(Misconfigured) as raised:
        secrets(load(config, {}, {}), {f"{name}_PARAMETER": "/x", **KEYS})
    assert raised.value.code == "parameter_unread"


@pytest.mark.parametrize("name", ["TRIMTAB_ALERT_URLS", "TRIMTAB_HEARTBEAT_URL"])
def test_a_receiver_that_was_not_read_is_refused(name: str) -> None:
    """Nobody told, and not knowing whom to tell, are two things."""
    with pytest.raises(Misconfigured) as raised:
        receivers({f"{name}_PARAMETER": "/x"})
    assert raised.value.code == "parameter_unread"
    assert receivers({f"{name}_PARAMETER": " "}).heartbeat_url is None


def test_simulated_mode_needs_no_keys(config: Path) -> None:
    """And takes none that happen to be there."""
    found = secrets(load(config, {"mode": "simulated"}, {}), KEYS)
    assert found.key_id.get_secret_value() == found.base_url == ""
