"""Salvage: what a halt finds in settings that can't be loaded; never another store than the one meant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.settings import load, salvage
from trimtab.settings.salvage import Salvaged

NOTHING: dict[str, str] = {}
LIVE = {"mode": "live", "portfolio": "main", "store": {"url": "./kept"}, "strategy": {"name": "equal_weight"}}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Give the path of a configuration beside three stores."""
    for name in ("kept", "trimtab-live", "trimtab-data"):
        (tmp_path / name).mkdir()
    return tmp_path / "config.json"


def found(config: Path, text: str, environ: dict[str, str] | None = None) -> tuple[str | None, str | None]:
    """Give the store's place, from the configuration's folder, and the portfolio."""
    config.write_text(text)
    known = salvage(str(config), environ or NOTHING)
    place = known.store_url
    return place and str(Path(place).relative_to(config.parent)), known.portfolio


WHOLE = json.dumps(LIVE, indent=2)
BROKEN = {
    "nothing is wrong": (WHOLE, ("kept", "main")),
    "a comma after the last": (WHOLE.replace("\n}", ",\n}"), ("kept", "main")),
    "a comment": ("// mine\n" + WHOLE, ("kept", "main")),
    "cut short": (WHOLE[:90], ("kept", "main")),
    "an unknown key": (json.dumps({**LIVE, "stratgy": {}}), ("kept", "main")),
    "no strategy": (json.dumps({"mode": "live"}), ("trimtab-live", "main")),
    "neither store nor mode": ("{}", ("trimtab-data", "main")),
    "a store of null": (json.dumps({"mode": "live", "store": {"url": None}}), ("trimtab-live", "main")),
    "without a store": ('{"mode": "live", "portfolio": "main",}', ("trimtab-live", "main")),
    "cut short before the store": ('{"mode": "live", "portfolio": "main",', (None, "main")),
    "cut short before the mode": ('{"portfolio": "main",', (None, "main")),
    "cut short in the store": ('{"mode": "live", "store": {"url": "./ke', (None, None)),
    "two stores": ('{"store": {"url": "./kept"}, "store": {"url": "./trimtab-data"}}', (None, None)),
    "two portfolios": (f'{WHOLE},{{"portfolio": "other"}}', ("kept", None)),
    "a store that is not there": (WHOLE.replace("./kept", "./kepd"), (None, "main")),
    "a store that is a text": (json.dumps({**LIVE, "store": "./kept"}), (None, "main")),
    "a portfolio that is none": (json.dumps({**LIVE, "portfolio": "Main!"}), ("kept", None)),
    "a portfolio that is a number": (json.dumps({**LIVE, "portfolio": 1}), ("kept", None)),
    "a mode that is none": (json.dumps({"mode": "real"}), (None, "main")),
    "no object": ("[]", (None, None)),
    "nested too deeply": ("[" * 100_000, (None, None)),
    "empty": ("", (None, None)),
}


@pytest.mark.parametrize(("text", "known"), BROKEN.values(), ids=BROKEN)
def test_what_stands_there_once_is_taken(
    config: Path, text: str, known: tuple[str | None, str | None]
) -> None:
    """And nothing is guessed: a flag in a store that no run reads would halt nothing."""
    assert found(config, text) == known


def test_the_environment_comes_first(config: Path) -> None:
    """As it does where the settings load; it is enough by itself."""
    environ = {"TRIMTAB_STORE__URL": "./trimtab-data", "TRIMTAB_PORTFOLIO": "other"}
    assert found(config, WHOLE, environ) == ("trimtab-data", "other")
    assert found(config, "", environ) == ("trimtab-data", "other")
    assert found(config, "", {"TRIMTAB_MODE": "live"}) == ("trimtab-live", None)
    assert found(config, WHOLE, {"TRIMTAB_STORE": '{"url": "./trimtab-data"}'}) == ("trimtab-data", "main")
    assert found(config, WHOLE, {"TRIMTAB_STORE": "{}"}) == ("kept", "main")
    for text in ("./trimtab-data", '{"url": 1', '{"url": 1}'):
        assert found(config, WHOLE, {"TRIMTAB_STORE": text}) == (None, "main")
    config.unlink()
    here = {"TRIMTAB_STORE__URL": str(config.parent / "kept")}
    assert salvage(str(config), here) == salvage(None, here) == Salvaged(str(config.parent / "kept"), None)


def test_a_store_in_a_bucket_is_taken_by_its_url(config: Path) -> None:
    """Beside a configuration in S3, or one whose place is not known, a relative path is no place."""
    assert salvage(str(config), {"TRIMTAB_STORE__URL": "s3://bucket/a/"}).store_url == "s3://bucket/a"
    assert salvage(str(config), {"TRIMTAB_STORE__URL": "s3://BUCKET"}).store_url is None
    inside = json.dumps({"mode": "paper", "store": {"url": "s3://bucket/a"}, "risk": {"max_gap": None}})
    known = salvage("s3://bucket/config/main.json", NOTHING, fetch=lambda _url, _most: inside.encode())
    assert known == Salvaged("s3://bucket/a", "main")
    for name in ("s3://bucket/config/main.json", None):
        assert salvage(name, {"TRIMTAB_STORE__URL": "./kept"}, fetch=_gone).store_url is None


def _gone(_url: str, _most: int) -> bytes:
    raise FileNotFoundError


KEYS = st.fixed_dictionaries(
    {"strategy": st.just({"name": "equal_weight"})},
    optional={
        "mode": st.sampled_from(["simulated", "paper", "live"]),
        "portfolio": st.from_regex(r"[a-z0-9-]{1,24}", fullmatch=True),
        "store": st.fixed_dictionaries({}, optional={"url": st.sampled_from(["./kept", "kept"])}),
    },
)


@settings(deadline=None, max_examples=30)
@given(document=KEYS, spaces=st.sampled_from([None, 2]))
def test_never_another_store_or_portfolio_than_the_settings(
    tmp_path_factory: pytest.TempPathFactory, document: dict[str, object], spaces: int | None
) -> None:
    """Of a whole file the same as loading gives; of one cut anywhere the same, or none."""
    folder = tmp_path_factory.getbasetemp() / "salvage"
    for name in ("kept", "trimtab-data", "trimtab-paper", "trimtab-live"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    config = folder / "config.json"
    text = json.dumps(document, indent=spaces)
    config.write_text(text)
    made = load(config, {}, {"TRIMTAB_LIVE": "yes"})
    assert salvage(str(config), NOTHING) == Salvaged(made.store_url, made.portfolio)
    for cut in range(0, len(text), 3):
        config.write_text(text[:cut])
        known = salvage(str(config), NOTHING)
        assert known.portfolio in {made.portfolio, None}
        assert known.store_url in {made.store_url, None}
