from __future__ import annotations

import json
import os
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from farm_kit import Cloud, cloud
from lambda_kit import KEYS, START, Context
from s3_kit import BUCKET
from script_kit import load_script
from scripted_http import Reply, ScriptedServer
from trimtab.adapters.exchange import Behaviour, Exchange
from trimtab.adapters.sample import synthetic
from trimtab.adapters.sandbox import serve
from trimtab.adapters.stores import open_store
from trimtab.cli import main
from trimtab.errors import Misconfigured
from trimtab.fleet import portfolios, run_member
from trimtab.stations.arrive import Arrival

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trimtab.adapters.sandbox import Sandbox

app = load_script("functions/fleet/app.py")

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:fleet"
STORE = f"s3://{BUCKET}/trimtab"
SYMBOLS = ("AAA", "BBB", "CCC")
MANY = 20
NAMES = tuple(f"p{i:02}" for i in range(MANY))
NO_JSON, NO_KEYS, NO_DATA = NAMES[3], NAMES[9], NAMES[16]
BROKEN = {NO_JSON, NO_KEYS, NO_DATA}


def config(name: str, **changes: object) -> bytes:
    """Give the configuration of a paper portfolio with keys of its own."""
    strategy = {"name": "equal_weight", "params": {"symbols": list(SYMBOLS)}}
    document = {"portfolio": name, "mode": "paper", "dry_run": False, "strategy": strategy}
    document |= {"broker": {"parameters": f"/fleet/{name}"}, "risk": {"max_order_size": 0.5}}
    return json.dumps(document | changes).encode()


def account(region: Cloud, name: str, sandbox: Sandbox, store: Any) -> None:  # noqa: ANN401 - a store
    """Put a portfolio's configuration and keys where the fleet finds them; three are broken."""
    document = b"{ no json" if name == NO_JSON else config(name)
    if name == NO_DATA:
        strategy = {"name": "equal_weight", "params": {"symbols": [*SYMBOLS, "GONE"]}}
        document = config(name, strategy=strategy)
    store.put_if_absent(f"config/{name}.json", document)
    values = dict(zip(("APCA_API_KEY_ID", "APCA_API_SECRET_KEY"), KEYS, strict=True))
    values |= {"APCA_API_BASE_URL": sandbox.url, "APCA_API_DATA_URL": sandbox.url}
    ssm = region.client("ssm")
    for variable, value in values.items():
        if not (name == NO_KEYS and variable == "APCA_API_SECRET_KEY"):
            ssm.put_parameter(Name=f"/fleet/{name}/{variable}", Value=value, Type="SecureString")


@pytest.fixture(scope="module")
def sandboxes() -> Iterator[dict[str, Sandbox]]:
    """Give each portfolio an account of its own."""
    tape = synthetic(SYMBOLS)
    with ExitStack() as stack:
        opened = {}
        for i, name in enumerate(NAMES):
            exchange = Exchange.open(tape, START, seed=i, behaviour=Behaviour(latency_s=0.0))
            stack.callback(exchange.close)
            opened[name] = serve(exchange, speed=0.0, keys=KEYS, rate_limit=None)
            stack.callback(opened[name].close)
        yield opened


@pytest.fixture
def region(sandboxes: dict[str, Sandbox]) -> Iterator[Cloud]:
    """Give a region with a fleet of 20, whose functions run side by side."""
    with cloud(fleet=app.handler) as made:
        made.one_by_one = False
        store = open_store(STORE)[0]
        for name, sandbox in sandboxes.items():
            account(made, name, sandbox, store)
        yield made


def run_fleet(region: Cloud) -> str:
    """Start the fleet as the schedule does, and give how its execution ended."""
    client = region.client("stepfunctions")
    started = {"store": STORE, "bucket": BUCKET, "configurations": "trimtab/config/", "runs": "trimtab/fleet"}
    document = json.dumps(started | {"scheduled_time": None})
    machine = region.machine("fleet", FleetFunctionArn=FUNCTION)
    execution = client.start_execution(stateMachineArn=machine, input=document)["executionArn"]
    while (found := client.describe_execution(executionArn=execution)["status"]) == "RUNNING":
        time.sleep(0.1)
    return str(found)


def test_three_broken_portfolios_touch_none_of_the_other_seventeen(
    region: Cloud,
    sandboxes: dict[str, Sandbox],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Any,  # noqa: ANN401 - a path
) -> None:
    """17 trade with their own keys on their own accounts; 3 halt, each told of, and send nothing.

    One has no JSON, one no secret key, one a symbol without bars. Each is called once and never again.
    """
    with ScriptedServer() as receiver:
        receiver.on("POST", "/in", Reply(200))
        os.environ["TRIMTAB_ALERT_URLS"] = f"{receiver.url}/in"
        assert run_fleet(region) == "SUCCEEDED"
        told = [json.loads(asked.body) for asked in receiver.asked]
    assert sorted(call["key"] for call in region.calls) == [f"trimtab/config/{name}.json" for name in NAMES]

    store, trades = open_store(STORE)
    runs = {row["portfolio"]: row["outcome"] for row in trades.query("SELECT portfolio, outcome FROM runs")}
    good = set(NAMES) - BROKEN
    assert runs == dict.fromkeys(good, "traded") | {NO_DATA: "halted"}
    assert {name for name in NAMES if store.list(f"plans/{name}/")} == good
    halted = [one["content"] for one in told if one["outcome"] == "halted"]
    assert {name for name in BROKEN if any(name in text for text in halted)} == BROKEN
    assert len(halted) == len(BROKEN)
    for name, sandbox in sandboxes.items():
        held = sandbox.exchange.view("positions").holdings
        assert bool(held) is (name in good), name

    (tmp_path / "config.json").write_bytes(config("p00"))
    os.environ["TRIMTAB_STORE__URL"] = STORE
    capsys.readouterr()
    assert main(["status", "--all", "--config", str(tmp_path / "config.json"), "--json"]) == 0
    standing = json.loads(capsys.readouterr().out)["portfolios"]
    assert [one["portfolio"] for one in standing] == list(NAMES)
    assert [one["portfolio"] for one in standing if one["last_run"] is None] == sorted({NO_JSON, NO_KEYS})


def test_a_fleet_is_what_has_a_configuration(tmp_path: Any) -> None:  # noqa: ANN401 - a path
    """By its name; other objects there are none."""
    store = open_store(str(tmp_path))[0]
    for key in (
        "config/main.json",
        "config/b.json",
        "config/README.md",
        "config/deep/x.json",
        "config/BIG.json",
    ):
        store.put_if_absent(key, b"{}")
    assert portfolios(store) == ("b", "main")


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ({"store": "x", "key": 1}, "bad_event"),
        ({"store": "x", "key": "config/main.json", "amount": 1}, "bad_event"),
        ({"store": "{store}", "key": "config/none.json"}, "no_config"),
        ({"store": "{store}", "key": "config/other.json"}, "wrong_portfolio"),
        ({"store": "{store}", "key": "config/live.json"}, "live_flag"),
    ],
)
def test_what_is_no_portfolio_is_refused(tmp_path: Any, event: dict[str, Any], code: str) -> None:  # noqa: ANN401 - a path
    """An event of another form, a configuration that is not there, one of another portfolio."""
    store = open_store(str(tmp_path))[0]
    store.put_if_absent("config/other.json", config("main"))
    store.put_if_absent("config/live.json", config("live", mode="live"))
    event["store"] = event["store"].replace("{store}", str(tmp_path))
    with pytest.raises(Misconfigured) as refused:
        app.handler(event, Context())
    assert refused.value.code == code


@pytest.mark.parametrize("key", ["config/", "config/main.txt", "config/config.schema.json", "main.json"])
def test_what_lies_beside_the_configurations_is_passed_over(key: str) -> None:
    """A folder's marker, a schema for the editor: no error, for the alarm counts errors."""
    assert app.handler({"store": "s3://nowhere", "key": key}, Context()) == {"skipped": key}


def test_a_url_that_is_not_usable_silences_no_other(tmp_path: Any) -> None:  # noqa: ANN401 - a path
    """A portfolio that can't begin is told of to whoever can hear it; of the others it is warned."""
    warned: list[str] = []
    with ScriptedServer() as receiver:
        receiver.on("POST", "/in", Reply(200))
        urls = f"https://10.1.2.3/canary0token1,https://[canary0token1/x,{receiver.url}/in"
        with pytest.raises(Misconfigured, match="no_config"):
            run_member(
                str(tmp_path),
                "main",
                {"TRIMTAB_ALERT_URLS": urls},
                Arrival(),
                dry_run=False,
                seconds_left=lambda: 60.0,
                warn=warned.append,
            )
        assert ["no_config" in json.loads(asked.body)["text"] for asked in receiver.asked] == [True]
    assert [text.partition(":")[2].partition(":")[0] for text in warned] == [
        " TRIMTAB_ALERT_URLS, entry 1",
        " TRIMTAB_ALERT_URLS, entry 2",
    ]
    assert "canary" not in str(warned)
