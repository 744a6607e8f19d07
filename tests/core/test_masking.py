"""Masking: what stays of a document, whatever is taken for a secret."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.masking import MASK, NAMES, blanked, is_plain, lost, maimed, masked, touched

PLAIN = ("positions_before", "portfolio", "BRK.B", "main-account", "2026-11-23", "100000.25", "-3", "1e-09")
PLAIN += ("2026-11-23T15:00:00.050000Z", "2016-06-01", "Retirement", "Main-Account", "CORE_us.Equity", "_x")
ODD = ("ira-2026", "canary-4f0b77", "two words", "", "1234567890123456", "x" * 33, "https://a.example/b")
ODD += ("QwErTyUiOp", "AbCdEfGh-IjK", "camelCase", "main-aCcount", "IShares", "a" * 33)


def test_words_and_figures_are_plain() -> None:
    """Words with their joints, numbers, dates and instants; nothing that mixes these, or cases."""
    assert [text for text in PLAIN if not is_plain(text)] == []
    assert [text for text in ODD if is_plain(text)] == []


texts = st.text(max_size=12) | st.sampled_from([*PLAIN, *ODD])
documents = st.recursive(
    texts | st.integers() | st.booleans() | st.none(),
    lambda inner: (
        st.dictionaries(texts | st.sampled_from(sorted(NAMES)), inner, max_size=4)
        | st.lists(inner, max_size=3)
    ),
    max_leaves=15,
)


@given(documents)
def test_only_texts_and_odd_keys_are_taken(document: object) -> None:
    """Where everything is a secret, each plain key and each name that holds none is still there."""
    gone = masked(document, lambda _text: MASK, lambda _name: False)
    _compare(document, gone)
    assert lost(document, document) == ""


def _compare(before: object, after: object, name: str = "", *, owners: bool = False) -> None:
    """Each plain key, name and figure of one stands in the other; every other text is masked."""
    owners = owners or name == "params"
    if isinstance(before, dict):
        assert isinstance(after, dict)
        for key, inner in before.items():
            if is_plain(key) or len(key) < 8:
                _compare(inner, after[key], key, owners=owners)
    elif isinstance(before, list):
        assert isinstance(after, list)
        for one, other in zip(before, after, strict=True):
            _compare(one, other, name, owners=owners)
    elif isinstance(before, str):
        figure = is_plain(before) and any(letter.isdigit() for letter in before)
        named = name in NAMES and not owners and before and not any(letter.isspace() for letter in before)
        assert after == (before if figure or named else MASK)
    else:
        assert after == before


def test_what_was_lost_is_named() -> None:
    """A key by what held it, a name by its key; a text is no loss, nor is what the owner gives a strategy."""
    before = {
        "portfolio": "main",
        "reason": "a",
        "config": {"strategy": {"name": "x", "params": {"name": "b"}}},
    }
    assert lost(before, before | {"reason": MASK}) == ""
    assert lost(before, before | {"portfolio": MASK}) == "portfolio"
    assert lost(before, {"reason": "a"}) == "a key of the document"
    assert lost(before, before | {"config": {"strategy": {}}}) == "a key of strategy"
    assert lost(before, before | {"config": {"strategy": {"name": "x", "params": {"name": MASK}}}}) == ""
    assert lost({"universe": ["A", "B"]}, {"universe": ["A", MASK]}) == "universe"


def test_what_was_touched_is_named() -> None:
    """Any text, by the keys that lead to it; a masked key by what held it, and a list as a whole."""
    before = {"data": {"file": "a.parquet"}, "strategy": {"params": {"note": [{"b": "c"}]}}}
    assert touched(before, before, "config") == ""
    assert touched(before, before | {"data": {"file": MASK}}, "config") == "config.data.file"
    masked_key = before | {"strategy": {"params": {MASK: [{"b": "c"}]}}}
    assert touched(before, masked_key, "config") == "config.strategy.params"
    in_list = before | {"strategy": {"params": {"note": [{"b": MASK}]}}}
    assert touched(before, in_list, "config") == "config.strategy.params.note"


@given(documents)
def test_whatever_is_masked_is_touched(document: object) -> None:
    """And nothing else."""
    gone = masked(document, lambda _text: MASK, lambda _name: True)
    assert bool(touched(document, gone, "x")) == (document != gone)


def test_a_record_without_its_keys_is_known() -> None:
    """Also deep within; a mask in a text, or in what the owner named, is none."""
    assert maimed({f"{MASK}_before": []})
    assert maimed({"orders": [{"symbol": "A", f"{MASK}_at": None}]})
    assert not maimed({"reason": f"at {MASK}", "config": {"params": {MASK: 1}}})


def test_a_blank_record_keeps_its_names() -> None:
    """Keys, names and figures; no text."""
    record = {"run_id": "r-1", "reason": "said PK", "positions_before": [{"symbol": "BRK.B", "qty": "1.5"}]}
    assert blanked(record) == record | {"reason": MASK}
