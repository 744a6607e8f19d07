"""The functions with the environment that the stack gives them: an AWS on loopback, a sandbox, webhooks."""

from __future__ import annotations

import json
import os
from contextlib import closing
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest

from lambda_kit import KEYS, Context, event, portfolio, sandbox
from s3_kit import ENVIRONMENT, make_bucket, moto_s3
from script_kit import load_script
from scripted_http import Reply, ScriptedServer
from stack_kit import stack
from trimtab.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trimtab.adapters.sandbox import Sandbox

rebalance = load_script("functions/rebalance/app.py")
notify = load_script("functions/notify/app.py")

BUCKET = "trimtab-paper-store"
HOOK = "/in/canary-plain-token-77aa"


def client(service: str) -> Any:  # noqa: ANN401 - botocore makes it of a description
    """A client of the AWS on loopback."""
    return closing(botocore.session.get_session().create_client(service))


@pytest.fixture
def webhook() -> Iterator[ScriptedServer]:
    """A receiver that takes everything."""
    with ScriptedServer() as scripted:
        scripted.on("POST", HOOK, Reply(200))
        yield scripted


@pytest.fixture
def market(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, webhook: ScriptedServer) -> Iterator[Sandbox]:
    """What step 1 and 3 of docs/aws.md leave behind: parameters in SSM, a configuration in the bucket."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "TRIMTAB_", "APCA_"))]:
        monkeypatch.delenv(name)
    with moto_s3() as origin, sandbox() as served:
        for name, value in (ENVIRONMENT | {"AWS_ENDPOINT_URL": origin}).items():
            monkeypatch.setenv(name, value)
        make_bucket(origin, BUCKET)
        portfolio(tmp_path, served.url)
        with client("s3") as s3:
            s3.put_object(Bucket=BUCKET, Key="config/main.json", Body=(tmp_path / "config.json").read_bytes())
        secrets = dict(zip(("APCA_API_KEY_ID", "APCA_API_SECRET_KEY"), KEYS, strict=True))
        with client("ssm") as ssm:
            for name, value in (secrets | {"TRIMTAB_ALERT_URLS": webhook.url + HOOK}).items():
                ssm.put_parameter(
                    Name=f"/trimtab-paper/{name}", Value=value, Type="SecureString", Overwrite=True
                )
        for name in ("APCA_API_BASE_URL", "APCA_API_DATA_URL"):
            monkeypatch.setenv(name, served.url)
        yield served


def environment(function: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give this process the environment that the stack gives one of its functions."""
    made = stack({"StoreBucket": BUCKET})
    for name, value in made.of_type("Lambda::Function")[function]["Environment"]["Variables"].items():
        monkeypatch.setenv(name, value)


def test_a_run_trades_with_what_the_stack_gives_it(
    market: Sandbox, webhook: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It finds configuration, keys and webhooks by their names, and keeps its store in the bucket."""
    environment("RebalanceFunction", monkeypatch)
    document = rebalance.handler({"portfolio": "main"}, Context())
    assert document["outcome"] == "traded", document["reason"]
    assert sum(seen.method == "POST" for seen in market.face.log.seen) == len(document["orders"]) > 0
    (told,) = [json.loads(asked.body) for asked in webhook.asked]
    assert told["run_id"] == document["run_id"]
    with client("s3") as s3:
        keys = {entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET)["Contents"]}
    assert {"trades.db", "portfolios/main.json", "plans/main/2020-02-18.json"} <= keys
    assert [key for key in keys if key.startswith("config/")] == ["config/main.json"]


def test_an_alarm_is_told_with_what_the_stack_gives_it(
    market: Sandbox, webhook: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Notify finds the webhooks by the one name that it has, and tells none of what it read."""
    environment("NotifyFunction", monkeypatch)
    notify.handler(event("notify/alarm"), Context())
    notify.handler({"Records": [{"Sns": {"Message": f"see {webhook.url}{HOOK}"}}]}, Context())
    first, second = [json.loads(asked.body) for asked in webhook.asked]
    assert first["content"].startswith("trimtab-paper-missing-run: alarm")
    assert "see ***" in second["text"]
    assert not market.face.log.seen


@pytest.mark.usefixtures("market")
def test_a_parameter_that_is_not_there_loses_no_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an error that names the parameter: Lambda tries again, and keeps the event."""
    environment("NotifyFunction", monkeypatch)
    with client("ssm") as ssm:
        ssm.delete_parameter(Name="/trimtab-paper/TRIMTAB_ALERT_URLS")
    with pytest.raises(Misconfigured, match="/trimtab-paper/TRIMTAB_ALERT_URLS") as refused:
        notify.handler(event("notify/alarm"), Context())
    assert refused.value.code == "parameter_missing"
