from __future__ import annotations

import json
import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import botocore.session
import pytest

from s3_kit import BUCKET, ENVIRONMENT, Fault, make_bucket, moto_s3, put_raw, wire_to
from scripted_http import ScriptedServer
from trimtab.cli import main
from trimtab.configuration import load, with_parameters
from trimtab.desk import Desk
from trimtab.errors import Misconfigured
from trimtab.settings import redactor

if TYPE_CHECKING:
    from collections.abc import Iterator

URL = f"s3://{BUCKET}/config/main.json"
CONFIG = {
    "mode": "paper",
    "strategy": {"name": "equal_weight", "params": {"symbols": ["AAPL", "IBM"]}},
    "store": {"url": f"s3://{BUCKET}/records"},
}
HOOK = "https://discord.com/api/webhooks/123456789012345678/canary-of-SSM-4f0b77"
SECRETS = {
    "APCA_API_KEY_ID": "PKFROMSSM0KEY000ID0",
    "APCA_API_SECRET_KEY": "canary-of-SSM-secret-key",
    "TRIMTAB_ALERT_URLS": HOOK,
    "TRIMTAB_HEARTBEAT_URL": "https://hc-ping.com/ca0a4e00-2222-4222-8333-444455556666",
}
NAMED = {f"{name}_PARAMETER": f"/trimtab/main/{name}" for name in SECRETS}


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """Give an AWS with a bucket."""
    with moto_s3() as made:
        make_bucket(made, BUCKET)
        yield made


@pytest.fixture(autouse=True)
def aws(origin: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Let the environment lead to that AWS, and to nothing else."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "TRIMTAB_", "APCA_"))]:
        monkeypatch.delenv(name)
    for name, value in (ENVIRONMENT | {"AWS_ENDPOINT_URL": origin}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    put_raw(f"s3://{BUCKET}/config", "main.json", json.dumps(CONFIG).encode())
    return origin


@pytest.fixture
def kept() -> None:
    """Keep the secrets in SSM."""
    with closing(botocore.session.get_session().create_client("ssm")) as client:
        for name, value in SECRETS.items():
            client.put_parameter(
                Name=f"/trimtab/main/{name}", Value=value, Type="SecureString", Overwrite=True
            )


def refused(url: str = URL) -> Misconfigured:
    """Give the error that a configuration is refused with."""
    with pytest.raises(Misconfigured) as raised:
        load(url, {}, {})
    return raised.value


# The configuration in S3


def test_a_configuration_is_read_from_s3() -> None:
    """By the flag or by the environment; flags and environment still come before it."""
    for settings in (load(URL, {}, {}), load(None, {}, {"TRIMTAB_CONFIG": URL})):
        assert (settings.mode, settings.dry_run, settings.strategy.name) == ("paper", True, "equal_weight")
    assert load(URL, {"dry_run": False}, {"TRIMTAB_PORTFOLIO": "other"}).portfolio == "other"


def test_the_same_configuration_has_the_same_digest_wherever_it_is(tmp_path: Path) -> None:
    """A plan stored by a run from a file is finished by one from S3."""
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    assert load("config.json", {}, {}).digest() == load(URL, {}, {}).digest()


def test_strategies_and_data_are_found_in_the_working_folder() -> None:
    """Code never comes from the bucket: a module beside the object is not looked at."""
    settings = load(URL, {}, {})
    assert settings.folder == Path()
    assert settings.data_file == Path("bars.parquet")
    put_raw(f"s3://{BUCKET}/config", "of_the_bucket.py", b"raise SystemExit('code from a bucket')")
    own = load(URL, {"strategy": {"name": "of_the_bucket:strongest"}}, {})
    with pytest.raises(Misconfigured, match="there is no module of_the_bucket"):
        Desk.of(own, {name: "x" for name in SECRETS if name.startswith("APCA")})


@pytest.mark.parametrize("url", [None, "./records", "records"])
def test_a_relative_store_beside_it_is_refused(url: str | None) -> None:
    """It would be another store in every folder, and exactly-once rests on there being one."""
    document = {**CONFIG, "store": {"url": url} if url else {}}
    put_raw(f"s3://{BUCKET}/config", "main.json", json.dumps(document).encode())
    assert refused().code == "store_nowhere"
    assert load(URL, {}, {"TRIMTAB_STORE__URL": "/mnt/trimtab"}).store_url == "/mnt/trimtab"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"{", "bad_json"),
        (b"[]", "bad_json"),
        (b"", "bad_json"),
        (b"\xff\xfe", "bad_json"),
        (b" " * 1_000_000 + b"{}", "config_too_long"),
        (b"{}" + b" " * 5_000_000, "config_too_long"),
        (b'{"strategy": {"name": "equal_weight"}, "mod": "paper"}', "unknown_key"),
    ],
    ids=["torn", "a list", "empty", "not UTF-8", "just too long", "far too long", "misspelt"],
)
def test_an_object_that_is_no_configuration_is_refused(data: bytes, code: str) -> None:
    """As a file would be, naming it by its URL."""
    put_raw(f"s3://{BUCKET}/config", "main.json", data)
    error = refused()
    assert error.code == code
    assert URL in error.message or code == "unknown_key"


def test_of_a_long_object_only_the_beginning_is_read(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever names a file of data by mistake does not wait for it."""
    put_raw(f"s3://{BUCKET}/config", "main.json", b" " * 5_000_000)
    with wire_to(aws) as wire:
        monkeypatch.setenv("AWS_ENDPOINT_URL", wire.url)
        lengths: list[int] = []
        wire.after = lambda passed: lengths.append(passed.number)
        assert refused().code == "config_too_long"
        assert lengths == [0]


@pytest.mark.parametrize(
    ("status", "code", "hint"),
    [
        (403, "AccessDenied", "allow it"),
        (404, "NoSuchBucket", "another in TRIMTAB_CONFIG"),
        (503, "SlowDown", "run again"),
    ],
)
def test_what_s3_refuses_is_told(
    aws: str, monkeypatch: pytest.MonkeyPatch, status: int, code: str, hint: str
) -> None:
    """S3's code, the object, what to do; and none of the credentials."""
    with wire_to(aws) as wire:
        monkeypatch.setenv("AWS_ENDPOINT_URL", wire.url)
        wire.judge = lambda _: Fault(status=status, code=code)
        error = refused()
    assert (error.code, error.seen) == ("no_config", f"GetObject: {code}")
    assert hint in error.hint
    assert URL in error.message
    assert ENVIRONMENT["AWS_ACCESS_KEY_ID"] not in str(error.document())


def test_an_absent_object_is_told() -> None:
    """`init` writes no object, so its hint is another than a file's."""
    error = refused(f"s3://{BUCKET}/config/other.json")
    assert (error.code, error.seen) == ("no_config", f"s3://{BUCKET}/config/other.json")
    assert "init" not in error.hint


@pytest.mark.parametrize(
    "url", ["s3://bucket", "s3://bucket/", "s3://bucket/a/", "https://example.com/a", "S3://b/a", "s3://B/a"]
)
def test_what_is_no_address_of_an_object_is_refused(url: str) -> None:
    """Only an object of a bucket is one."""
    assert (refused(url).code, refused(url).seen) == ("no_config", url)


def test_no_configuration_crosses_a_network_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who can change it on the way says what is traded."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://s3.example.com")
    assert refused().code == "endpoint_not_allowed"


def test_the_command_line_takes_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run goes as far as the keys, which are missing; `init` writes no object."""
    assert main(["run", "--config", URL, "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "keys_missing"
    monkeypatch.setenv("TRIMTAB_CONFIG", URL)
    assert main(["init", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "usage"


# Secrets in SSM


@pytest.mark.usefixtures("kept")
def test_a_desk_is_wired_with_what_ssm_holds() -> None:
    """Keys, alerts and pings; the environment itself stays as it was."""
    with Desk.of(load(URL, {}, {}), NAMED, warn=print) as desk:
        assert [channel.name for channel in desk.world.notifiers] == ["discord"]
        assert desk.world.heartbeat is not None
        told = desk.world.redact({"said": f"{HOOK} and {SECRETS['APCA_API_SECRET_KEY']}"})
    assert told == {"said": "*** and ***"}
    assert not [name for name in SECRETS if name in os.environ]


@pytest.mark.usefixtures("kept")
def test_every_redactor_knows_what_was_read() -> None:
    """Logs and errors are cleaned by redactors of the bare environment."""
    with_parameters(NAMED, SECRETS)
    for value in SECRETS.values():
        assert value not in redactor({}).text(f"it said {value}!")


@pytest.mark.parametrize("name", SECRETS)
def test_a_value_beside_its_parameter_is_refused(name: str) -> None:
    """Nobody knows which of the two is meant; neither is shown."""
    with pytest.raises(Misconfigured) as raised:
        with_parameters({name: SECRETS[name], f"{name}_PARAMETER": "/x"}, SECRETS)
    assert raised.value.code == "parameter_twice"
    assert SECRETS[name] not in str(raised.value)


def test_a_blank_name_is_no_parameter() -> None:
    """A template leaves a variable empty where it has nothing to say."""
    environ = {"APCA_API_KEY_ID_PARAMETER": " ", "APCA_API_KEY_ID": "x"}
    assert with_parameters(environ, SECRETS) is environ


def test_what_is_not_needed_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A simulated portfolio has no broker, and who halts tells nobody: neither needs SSM to answer."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    store = {"store": {"url": str(Path("store").absolute())}, "mode": "simulated"}
    Path("config.json").write_text(json.dumps(CONFIG | store))
    Desk.of(load(None, {}, {}), NAMED).close()


@pytest.mark.usefixtures("kept")
def test_the_command_line_reads_them_and_shows_none(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a refused run and a halt without a broker say has no secret in it."""
    for name, value in NAMED.items():
        if "APCA" in name:
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("APCA_API_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("APCA_API_DATA_URL", "http://127.0.0.1:9")
    put_raw(
        f"s3://{BUCKET}/config",
        "main.json",
        json.dumps(CONFIG | {"portfolio": SECRETS["APCA_API_KEY_ID"]}).encode(),
    )
    assert main(["run", "--config", URL, "--json"]) == 2
    put_raw(f"s3://{BUCKET}/config", "main.json", json.dumps(CONFIG).encode())
    assert main(["halt", "--config", URL, "--json", f"saw {SECRETS['APCA_API_SECRET_KEY']}"]) in {0, 3}
    captured = capsys.readouterr()
    assert not [value for value in SECRETS.values() if value in captured.out + captured.err]


def test_a_secret_that_ssm_does_not_have_stops_a_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 2: nothing began, and the parameter is named."""
    for name in NAMED:
        monkeypatch.setenv(name, f"/nowhere/{name}")
    assert main(["run", "--config", URL, "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "parameter_missing"
    assert "/nowhere/APCA_API_KEY_ID_PARAMETER" in error["message"]


LEAKY = """
def leaky(symbols):
    def strategy(history, equity):
        raise ValueError("it said {secret}")
    strategy.symbols = tuple(symbols)
    return strategy
"""


def test_no_secret_of_ssm_is_kept_or_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A strategy that quotes one: the record, trades.db, the log and what is printed have none of it."""
    with ScriptedServer() as chat, closing(botocore.session.get_session().create_client("ssm")) as ssm:
        hook = "/api/webhooks/1/canary-of-the-app-log-9d1e"
        ssm.put_parameter(Name="/x/alerts", Value=chat.url + hook, Type="SecureString")
        monkeypatch.setenv("TRIMTAB_ALERT_URLS_PARAMETER", "/x/alerts")
        (tmp_path / "quoting.py").write_text(LEAKY.format(secret=chat.url + hook))
        rule = {"name": "quoting:leaky", "params": {"symbols": ["AAA", "BBB"]}}
        (tmp_path / "config.json").write_text(json.dumps({"strategy": rule, "dry_run": False}))
        assert main(["run"]) == 3
        assert chat.asked[0].path == hook
    captured = capsys.readouterr()
    assert "canary-of-the-app-log" not in captured.out + captured.err
    kept = [path for path in (tmp_path / "trimtab-data").rglob("*") if path.is_file()]
    assert {"app.log", "trades.db", "record.json"} <= {path.name for path in kept}
    assert not [path for path in kept if b"canary-of-the-app-log" in path.read_bytes()]


def test_doctor_looks_at_what_ssm_keeps(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A webhook in SSM is found and reached; one that can't be read fails that check, and no other."""
    rule = {"name": "equal_weight", "params": {"symbols": ["AAA", "BBB"]}}
    (tmp_path / "config.json").write_text(json.dumps({"strategy": rule}))
    monkeypatch.setenv("TRIMTAB_ALERT_URLS_PARAMETER", "/doctor/webhooks")
    with ScriptedServer() as chat, closing(botocore.session.get_session().create_client("ssm")) as ssm:
        main(["doctor", "--json"])
        before = json.loads(capsys.readouterr().out)["checks"]
        ssm.put_parameter(Name="/doctor/webhooks", Value=f"{chat.url}/hook", Type="SecureString")
        main(["doctor", "--json"])
        after = json.loads(capsys.readouterr().out)["checks"]
    assert [check["name"] for check in before if check["status"] == "FAIL"] == ["parameters"]
    assert {check["name"]: check["status"] for check in after}["alerts"] == "ok"
