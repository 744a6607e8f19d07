from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types

from trimtab.errors import Misconfigured
from trimtab.settings import Settings, load, schema

if TYPE_CHECKING:
    from pathlib import Path

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True, allow_infinity=True)
    | st.text(max_size=8)
    | st.sampled_from(["main", "paper", "10:00", "UTC", "sip", "SPY", "s3://b", 0.1, 0.5, 1, 5])
)
NODES = schema()["$defs"].values()
KEYS = st.sampled_from(
    [*Settings.model_fields, *(key for node in NODES for key in node.get("properties", ())), "$schema"]
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=4)
    ),
)
DOCUMENTS = VALUES | st.fixed_dictionaries(
    {"strategy": st.fixed_dictionaries({"name": st.just("x")})},
    optional={key: VALUES for key in Settings.model_fields if key != "strategy"},
)
ANY = settings(
    max_examples=200,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Give a configuration that holds the one key that is required."""
    path = tmp_path / "config.json"
    path.write_text('{"strategy": {"name": "x"}}')
    return path


@ANY
@given(document=DOCUMENTS)
def test_any_document_loads_or_is_misconfigured(config: Path, document: object) -> None:
    """Nothing else ever comes of a configuration; what loads is also valid by the schema."""
    config.write_text(json.dumps(document))
    try:
        made = load(config, {}, {})
    except Misconfigured as error:
        error.document()["message"].encode()  # type: ignore[union-attr]  # a message is always there
        return
    Draft202012Validator(schema()).validate(json.loads(config.read_text()))
    made.digest()


@ANY
@given(text=st.text() | st.binary())
def test_any_file_loads_or_is_misconfigured(config: Path, text: str | bytes) -> None:
    """Also what is no JSON at all."""
    config.write_bytes(text.encode(errors="surrogatepass") if isinstance(text, str) else text)
    with pytest.raises(Misconfigured):
        load(config, {}, {})


@ANY
@given(name=KEYS.map(str.upper) | st.text(max_size=5), text=VALUES.map(json.dumps) | st.text())
def test_any_variable_loads_or_is_misconfigured(config: Path, name: str, text: str) -> None:
    """Whatever a variable is called and holds."""
    for variable in (f"TRIMTAB_{name}", f"TRIMTAB_RISK__{name}", f"TRIMTAB_SCHEDULE__{name}"):
        try:
            load(config, {}, {variable: text})
        except Misconfigured as error:
            str(error).encode()
