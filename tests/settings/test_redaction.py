from __future__ import annotations

import json
import traceback
from urllib.parse import quote

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from telling_kit import CHECK, DISCORD, PLAIN, SLACK
from trimtab.core.masking import MASK, NAMES, is_plain
from trimtab.settings import Redactor, receivers, redactor
from trimtab.settings.redaction import HEAD, learn

APPRISE = "tgram://123456789:canary_telegram_token_AbCdEf/987654321"
MAIL = "mailtos://user:canary&pass word@example.org?to=a@b.example,c@d.example"
ENVIRON = {
    "APCA_API_KEY_ID": "PKCANARY000KEY000ID0",
    "APCA_API_SECRET_KEY": "canarySecretKey/with+odd=characters",
    "TRIMTAB_ALERT_URLS": f"{DISCORD}, {SLACK}, {PLAIN}, {APPRISE}, {MAIL}",
    "TRIMTAB_HEARTBEAT_URL": CHECK,
    "AWS_SECRET_ACCESS_KEY": "canaryAwsSecret/with+odd=characters0000",
    "AWS_SESSION_TOKEN": "canaryAwsSession//////////token+of=a/role",
}
TOKENS = (
    *("PKCANARY000KEY000ID0", "canarySecretKey/with+odd=characters", "canary-Discord-token-4f0b77"),
    *("123456789012345678", "canarySlackToken9d1e", "T0CANARY1", "canary-plain-token-77aa"),
    *("canaryAwsSecret/with+odd=characters0000", "canaryAwsSession//////////token+of=a/role"),
    *("canary_telegram_token_AbCdEf", "ca0a4e00-1111-4222-8333-444455556666"),
)
CLEAN = redactor(ENVIRON)


def test_the_urls_are_read_one_by_one() -> None:
    """A comma within a URL belongs to it; blanks and an empty end do not count."""
    given_ = receivers(ENVIRON | {"TRIMTAB_ALERT_URLS": ENVIRON["TRIMTAB_ALERT_URLS"] + ", "})
    assert [url.get_secret_value() for url in given_.alert_urls] == [DISCORD, SLACK, PLAIN, APPRISE, MAIL]
    assert "canary" not in repr(given_)
    assert receivers({}).alert_urls == ()
    assert receivers({"TRIMTAB_HEARTBEAT_URL": " "}).heartbeat_url is None


def test_the_name_of_a_parameter_is_no_secret() -> None:
    """It says where the secret is kept, which an error must be able to say."""
    clean = redactor({"TRIMTAB_HEARTBEAT_URL_PARAMETER": "/trimtab/main/ping"})
    assert clean.text("there is no /trimtab/main/ping") == "there is no /trimtab/main/ping"


def test_what_was_learnt_is_masked_by_every_later_redactor() -> None:
    """A secret that was read from elsewhere is in no environment."""
    assert redactor({}).text("learnt-canary-0001") == "learnt-canary-0001"
    learn(["learnt-canary-0001", f"{CHECK}/learnt-canary-0002, {PLAIN}/learnt-canary-0003"])
    for number in (1, 2, 3):
        assert redactor({}).text(f"x learnt-canary-000{number} x") == f"x {MASK} x"
        assert redactor(ENVIRON).value({"a": [f"learnt-canary-000{number}"]}) == {"a": [MASK]}


WAYS = (str, repr, json.dumps, quote, lambda t: quote(t, safe=""), str.upper, lambda t: f"x={t}&y=1")


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("written", WAYS)
def test_no_token_passes_in_any_writing(token: str, written: object) -> None:
    """As it is, quoted, percent-encoded, in JSON, in capitals, within a sentence."""
    text = written(token)  # type: ignore[operator]  # each of them is called with a text
    assert token.lower() not in CLEAN.text(f"failed: {text}!").lower()
    assert MASK in CLEAN.text(text)


@pytest.mark.parametrize("url", [DISCORD, SLACK, PLAIN, CHECK])
def test_an_exception_of_requests_is_clean(url: str) -> None:
    """What the library quotes (host, path, query) is masked, in the whole traceback."""
    session = requests.Session()
    session.trust_env = False
    session.proxies = {"https": "http://127.0.0.1:1"}
    with pytest.raises(requests.RequestException) as failed:
        session.post(url, timeout=1)
    session.close()
    raw = "".join(traceback.format_exception(failed.value))
    assert any(token in raw for token in TOKENS)
    assert not [token for token in TOKENS if token in CLEAN.text(raw)]


@pytest.mark.parametrize("token", [token for token in TOKENS if len(token) > HEAD + 4])
def test_a_token_cut_short_is_masked_too(token: str) -> None:
    """An error that is cut after so many characters shows nothing of a token's beginning."""
    for length in range(12, len(token)):
        assert token[:12] not in CLEAN.text(f"failed at {token[:length]}…")


def test_documents_are_cleaned_through_and_through() -> None:
    """Keys of the owner's, lists, tuples: every text; everything else as it was."""
    document = {DISCORD: [1, None, {"a": (CHECK, 2.5, True)}], "b": "nothing secret"}
    assert CLEAN.value(document) == {MASK: [1, None, {"a": (MASK, 2.5, True)}], "b": "nothing secret"}


def test_nothing_secret_nothing_changed() -> None:
    """Without secrets every text stays; a toy secret tears no word apart."""
    assert redactor({}).text("traded: 3 orders") == "traded: 3 orders"
    assert Redactor.of(["run", ""]).text("running") == "running"
    text = "posted to https://discord.com/api/webhooks/ and https://hooks.slack.com/services/"
    assert CLEAN.text(text) == text


@given(st.text(min_size=20, max_size=60), st.text(max_size=20), st.text(max_size=20))
def test_any_secret_is_masked_anywhere(secret: str, before: str, after: str) -> None:
    """Whatever the secret is made of, it is not in what passes, nor in its JSON."""
    secret = secret.strip()
    if len(secret) < 12 or secret in MASK:
        return
    clean = Redactor.of([secret])
    assert secret not in clean.text(before + secret + after)
    assert json.dumps(secret)[1:-1] not in clean.text(json.dumps({"a": before + secret + after}))


# What stays

RECORD = {
    "run_id": "20261123T150000Z-0123abcd",
    "portfolio": "retirement",
    "session": "2026-11-23",
    "mode": "simulated",
    "outcome": "interrupted",
    "code": "store_unwritable",
    "reason": "traded: 3 orders",
    "universe": ["SPY", "BRK.B", "BTC/USD"],
    "started_at": "2026-11-23T15:00:00.050000Z",
    "equity": "100126.35",
    "weights": {"BRK.B": "0.30000000000000004"},
    "config": {
        "portfolio": "retirement",
        "strategy": {"name": "equal_weight", "params": {"lookback_days": 5}},
    },
    "positions_before": [{"symbol": "BRK.B", "qty": "340.540541", "market_value": None}],
    "orders": [
        {"client_order_id": "tt1-b4fdb66c-20261123-BRK.B-0", "status": "partially_filled", "filled_qty": "1"}
    ],
    "fills": [
        {"fill_id": "20261123150001250::2c0fa7dd-4670-5563-b3ce-1b1e5f6e8d10", "at": "2026-11-23T15:00:01Z"}
    ],
    "events": [{"id": "20261123T150000Z-0123abcd-0", "level": "error", "stage": "positions", "message": "x"}],
}
SLUGS = (
    *("retirement", "portfolio", "positions", "positions_before", "client_order_id", "partially_filled"),
    *(
        "interrupted",
        "simulated",
        "store_unwritable",
        "equal_weight",
        "2026-11-23",
        "20261123",
        "market_value",
    ),
    *("max_order_size_by_symbol", "started_at", "00000000", "lookback_days", "100126.35"),
)
URLS = (
    "https://hc-ping.com/AbCdEf123456/{}",
    "https://n8n.example.com/webhook/{}",
    "https://ntfy.example.com/{}",
    "https://prod.example.com/workflows/0a1b2c3d4e5f/run?api-version={}&sig=AbCdEf123456",
    "ntfys://{}",
    "mailtos://owner:{}@example.org",
    "{}",
)


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("slug", SLUGS)
def test_a_word_in_a_url_takes_nothing_from_a_record(url: str, slug: str) -> None:
    """A portfolio's name, a key of the record or a date, as a slug, a version, a topic or a password."""
    clean = redactor({"TRIMTAB_ALERT_URLS": url.format(slug)})
    assert clean.value(RECORD) == RECORD
    assert MASK in clean.text(f"failed: {url.format(slug)}!")


@given(st.sampled_from(URLS), st.from_regex(r"[A-Za-z0-9_.-]{8,40}", fullmatch=True) | st.sampled_from(SLUGS))
def test_whatever_the_secrets_are_a_record_keeps_its_keys_and_names(url: str, slug: str) -> None:
    """A name may only be masked that holds a whole key, which is no word."""
    clean = redactor({"TRIMTAB_ALERT_URLS": url.format(slug)})
    assert _names(clean.value(RECORD)) == _names(RECORD) or clean.holds(str(_names(RECORD)))


def _names(value: object, name: str = "") -> object:
    """Give a document's keys, and the texts of its names."""
    if isinstance(value, dict):
        return {key: _names(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_names(inner, name) for inner in value]
    return value if name in NAMES else None


@given(st.sampled_from(["https://a.example/in/{}", "https://a.example/?key={}", "{}"]), st.data())
def test_a_token_is_in_no_text_and_no_key_of_a_record(url: str, data: st.DataObject) -> None:
    """What mixes letters and digits, or cases, or is long, is a secret by itself; a name may be it."""
    token = data.draw(st.from_regex(r"[A-Za-z0-9]{8,40}", fullmatch=True).filter(lambda t: not is_plain(t)))
    clean = redactor({"TRIMTAB_ALERT_URLS": url.format(token)})
    leaky = RECORD | {"reason": f"{token}: said no", "error": {"seen": token}, token: 1}
    params = {"params": {token: [token], "name": token}}
    text = json.dumps(clean.value(leaky | params)).lower()
    assert token.lower() not in text or token.lower() in json.dumps(RECORD).lower()


LETTERS = (
    ("https://ntfy.sh/QwErTyUiOp", "QwErTyUiOp"),
    ("https://hc-ping.com/AbCdEfGh-IjK/slug", "AbCdEfGh-IjK"),
    ("https://x.example/hook/abcDEFghiJ?t=zyxWVUtsr", "zyxWVUtsr"),
    ("https://maker.example/trigger/alert/with/key/dXyZabCdEfGhIj", "dXyZabCdEfGhIj"),
    ("https://api.example/AbCdEfGhIjKlMn/", "AbCdEfGhIjKlMn"),
)


@pytest.mark.parametrize(("url", "token"), LETTERS)
def test_a_token_of_letters_alone_is_masked(url: str, token: str) -> None:
    """Its cases are mixed, as no word's are."""
    clean = Redactor.of([url])
    assert clean.text(f"error at {token} now") == f"error at {MASK} now"
    assert token not in clean.text(f"url: {url.partition('://')[2]}")


def test_a_path_of_one_word_is_masked_as_a_path_alone() -> None:
    """It is all that is secret of such a URL; the word stays, in a sentence and within another path."""
    clean = Redactor.of(["https://ntfy.sh/holdings"])
    assert clean.text("failed with url: /holdings (timed out)") == f"failed with url: {MASK} (timed out)"
    assert clean.text("POST '/holdings/fail': 404") == f"POST '{MASK}/fail': 404"
    for text in ("9 holdings", "runs/holdings/2026-11-23", "./holdings.parquet", "buys/holdings", "/holding"):
        assert clean.text(text) == text
    for url in ("https://ntfy.sh/mine", "https://a.example/AbCdEf123456/holdings", "https://a.example/a/b/c"):
        assert Redactor.of([url]).text("/holdings, /mine, /a/b/c") == "/holdings, /mine, /a/b/c"


def test_a_key_is_masked_in_names_too() -> None:
    """The broker's key in the place of a symbol is still no symbol."""
    key = ENVIRON["APCA_API_KEY_ID"]
    assert CLEAN.value({"universe": ["SPY", key]}) == {"universe": ["SPY", MASK]}


def test_a_password_that_is_a_word_is_masked_in_texts_alone() -> None:
    """It may be a portfolio's name, which a record must keep."""
    clean = redactor({"TRIMTAB_ALERT_URLS": "mailtos://owner:retirement@example.org"})
    document = {"portfolio": "retirement", "reason": "login with retirement: refused"}
    assert clean.value(document) == document | {"reason": f"login with {MASK}: refused"}


def test_a_parameter_is_a_secret_by_its_name() -> None:
    """Be its value a plain word; another parameter's word is none."""
    clean = redactor(
        {"TRIMTAB_ALERT_URLS": "https://a.example/in?channel=retirement&access_token=correcthorse"}
    )
    assert clean.text("retirement: correcthorse was refused") == f"retirement: {MASK} was refused"
