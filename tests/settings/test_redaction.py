from __future__ import annotations

import json
import traceback
from urllib.parse import quote

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from telling_kit import CHECK, DISCORD, PLAIN, SLACK
from trimtab.settings import Redactor, receivers, redactor
from trimtab.settings.redaction import HEAD, MASK, learn

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
    """Keys, lists, tuples: every text; everything else as it was."""
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
