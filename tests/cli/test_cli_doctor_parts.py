"""Doctor's parts: what no sandbox does by itself: clocks apart, a feed not entitled, no exclusion."""

from __future__ import annotations

import json
import os
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest

from s3_kit import BUCKET, ENVIRONMENT, make_bucket, moto_s3
from trimtab.adapters.clock import SystemClock
from trimtab.adapters.directory import DirectoryStore
from trimtab.adapters.s3 import S3Store
from trimtab.adapters.sandbox import serve
from trimtab.adapters.sandbox.faults import Fault
from trimtab.core.portfolio import TERMINAL
from trimtab.core.record import canonical
from trimtab.doctor import Check, Result, Visit, broker, duty, examine, keeping, owner
from trimtab.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from trimtab.adapters.exchange import Exchange
    from trimtab.adapters.sandbox import Sandbox
    from trimtab.core.portfolio import OrderRequest
    from trimtab.ports import Clock, Store, Submitted

STRATEGY = {"name": "equal_weight", "params": {"symbols": ["AAA", "BBB"]}}


@pytest.fixture
def sandbox(exchange: Exchange) -> Iterator[Sandbox]:
    """Serve the exchange."""
    with serve(exchange, speed=0, rate_limit=None) as made:
        yield made


@pytest.fixture
def visit(tmp_path: Path, sandbox: Sandbox) -> Iterator[Visit]:
    """Give a visit of a paper portfolio, wired."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"mode": "paper", "strategy": STRATEGY, "dry_run": False}))
    urls = dict.fromkeys(("APCA_API_BASE_URL", "APCA_API_DATA_URL"), sandbox.url)
    made = Visit(
        config,
        urls | {"APCA_API_KEY_ID": "key-of-tests", "APCA_API_SECRET_KEY": "secret-of-tests"},
        SystemClock(),
        patience_s=30.0,
    )
    made.hurry(60)
    assert [look(made).status for look in (owner.config, owner.strategy, owner.keys)] == ["ok"] * 3
    yield made
    made.close()


def looked(visit: Visit, name: str, look: Any) -> Result:  # noqa: ANN401 - a check's function
    """Make one check as a visit makes it."""
    visit.results.clear()
    return examine(visit, (Check(name, "", (), look),))[name]


@dataclass(frozen=True)
class Skewed:
    """A machine's clock that is off by so many seconds from another."""

    clock: Any
    by: float

    def now(self) -> datetime:
        """Give a wrong time."""
        at: datetime = self.clock.now() + timedelta(seconds=self.by)
        return at

    def monotonic(self) -> float:
        """Measure durations well."""
        return SystemClock().monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        SystemClock().sleep(seconds)


@pytest.mark.parametrize(("by", "status"), [(0.0, "ok"), (10.0, "warn"), (-31.0, "FAIL")])
def test_clocks_apart(visit: Visit, exchange: Exchange, by: float, status: str) -> None:
    """Beyond 5 seconds a warning, beyond 30 a FAIL, each with NTP as its cure."""
    assert visit.desk is not None
    visit.desk.mandate = replace(visit.desk.mandate, loopback=False)
    clock: Clock = Skewed(exchange, by)
    visit.desk.world = replace(visit.desk.world, clock=clock)
    found = looked(visit, "clock", broker.clock)
    assert found.status == status, found
    assert ("NTP" in found.hint) is (status != "ok")


def test_a_calendar_that_cannot_be_read(visit: Visit, sandbox: Sandbox) -> None:
    """Tried again while there is patience, then a FAIL."""
    sandbox.face.faults.add(Fault("status", "GET", "/v2/calendar$", times=0, status=500))
    visit.now, visit.patience_s = sandbox.exchange.now(), 1.0
    found = looked(visit, "calendar", broker.calendar)
    assert (found.status, "status page" in found.hint) == ("FAIL", True)


@dataclass(frozen=True)
class Unentitled:
    """A market whose bars this account may not have."""

    market: Any

    def bars(self, *_: object) -> Any:  # noqa: ANN401 - the port's
        """Refuse as the broker's adapter words it."""
        raise Unreachable(
            "data host, /stocks/bars: 403 subscription does not permit querying recent SIP data"
        )

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the port's
        return getattr(self.market, name)


def test_a_feed_without_entitlement(visit: Visit) -> None:
    """The cure is the other feed, or the plan."""
    for look in (broker.clock, broker.calendar):
        look(visit)
    assert visit.desk is not None
    visit.desk.world = replace(visit.desk.world, market=Unentitled(visit.desk.world.market))
    found = looked(visit, "data", broker.data)
    assert found.status == "FAIL"
    assert '"feed": "iex"' in found.hint


def test_a_vendor_that_is_behind(visit: Visit, sandbox: Sandbox) -> None:
    """The last session's bars are not there yet: a run would halt."""
    for look in (broker.clock, broker.calendar):
        look(visit)
    sandbox.face.faults.add(Fault("cut", "GET", "/v2/stocks/bars$", times=0, when="after"))
    found = looked(visit, "data", broker.data)
    assert (found.status, "stale" in found.hint) == ("FAIL", True), found
    assert "AAA, BBB" in found.seen


def test_a_run_that_waits_for_approval_is_told_of(visit: Visit) -> None:
    """The newest run was refused for a changed configuration."""
    row = {"run_id": "20210301T150000Z-1", "portfolio": "main", "mode": "paper", "dry_run": 0}
    more = {"session": "2021-03-01", "outcome": "halted", "code": "require_approval"}
    digests = {
        "started_at": "2021-03-01T15:00:00.000000Z",
        "config_digest": "e" * 64,
        "code_digest": "d" * 64,
    }
    visit.world.trades.add({"runs": [row | more | digests]})
    plan = {"made_at": "2021-02-26T15:00:00.000000Z", "run_id": "0", "config_digest": "c" * 64}
    visit.world.store.put_if_absent("plans/main/2021-02-26.json", canonical(plan | {"code_digest": "d" * 64}))
    found = looked(visit, "approval", keeping.approval)
    assert found.status == "warn"
    assert "trimtab resume" in found.hint


def test_a_check_that_breaks_is_a_fail_and_no_end() -> None:
    """Whatever a check raises, the next one looks."""

    def broken(_visit: Visit) -> Result:
        raise ZeroDivisionError

    made = Visit(None, {}, SystemClock())
    fine = Check("fine", "", (), lambda _visit: Result("ok", "well"))
    found = examine(made, (Check("broken", "", (), broken), fine, Check("after", "", ("broken",), broken)))
    assert [result.status for result in found.values()] == ["FAIL", "ok", "skipped"]


# Stores


@dataclass
class Lying:
    """A store whose put-if-absent does not keep its promise; `how` says which part."""

    how: str
    blobs: dict[str, bytes]
    url: str = "a store of tests"

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Write, whatever stands there."""
        if self.how == "nobody wins":
            self.blobs.setdefault(key, data)
            return False
        if self.how == "written over" and key in self.blobs:
            self.blobs[key] = data
            return False
        self.blobs[key] = data
        return True

    def get(self, key: str) -> bytes | None:
        """Read."""
        return self.blobs.get(key)

    def delete(self, key: str) -> None:
        """Remove, or not."""
        if self.how != "nothing is removed":
            self.blobs.pop(key, None)

    def list(self, prefix: str) -> tuple[str, ...]:
        """Name all."""
        return tuple(key for key in self.blobs if key.startswith(prefix))


@pytest.mark.parametrize("how", ["both win", "nobody wins", "written over"])
def test_a_store_that_does_not_exclude(how: str) -> None:
    """Two winners, none, or one who is written over: a FAIL, which names a store that does exclude."""
    blobs: dict[str, bytes] = {}
    found = keeping.excludes([Lying(how, blobs), Lying(how, blobs)])
    assert (found.status, "S3" in found.hint) == ("FAIL", True), found
    assert blobs == {}


class Stuck(DirectoryStore):
    """A store that removes nothing."""

    def delete(self, key: str) -> None:
        """Refuse.

        Raises:
            PermissionError: always.
        """
        raise PermissionError(key)


def test_a_flag_that_cannot_be_removed_is_warned_of(tmp_path: Path) -> None:
    """Resume would not work; what stays behind is named, and no portfolio's flag."""
    found = keeping.excludes([Stuck(tmp_path), Stuck(tmp_path)])
    assert (found.status, "halts/doctor_" in found.hint) == ("warn", True)


@pytest.fixture(scope="session")
def origin() -> Iterator[str]:
    """Give an S3 with a bucket."""
    with moto_s3() as made:
        make_bucket(made, BUCKET)
        yield made


@pytest.mark.parametrize("kind", ["directory", "s3"])
def test_one_of_two_writers_wins(
    kind: str, origin: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a disk and in S3; what was there stays, and nothing is left behind."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in (ENVIRONMENT | {"AWS_ENDPOINT_URL_S3": origin}).items():
        monkeypatch.setenv(name, value)
    url = f"s3://{BUCKET}/doctor"
    stores: list[Store] = [
        S3Store(url) if kind == "s3" else DirectoryStore(tmp_path / "store") for _ in range(2)
    ]
    stores[0].put_if_absent("halts/main", canonical({"why": "kept"}))
    assert keeping.excludes(stores).status == "ok"
    assert stores[1].list("halts/") == ("halts/main",)


def test_parameters_are_read_and_not_shown(
    visit: Visit, origin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is there is named by its variable; one that is not is a FAIL with its name."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in (ENVIRONMENT | {"AWS_ENDPOINT_URL_SSM": origin}).items():
        monkeypatch.setenv(name, value)
    url = "https://example.org/canary-parameter-1234"
    with closing(botocore.session.get_session().create_client("ssm")) as client:
        client.put_parameter(Name="/doctor/alerts", Value=url, Type="SecureString", Overwrite=True)
    visit.environ = dict(visit.environ) | {"TRIMTAB_ALERT_URLS_PARAMETER": "/doctor/alerts"}
    assert looked(visit, "parameters", owner.parameters) == Result("ok", "read: TRIMTAB_ALERT_URLS")
    visit.environ |= {"TRIMTAB_HEARTBEAT_URL_PARAMETER": "/doctor/nowhere"}
    found = looked(visit, "parameters", owner.parameters)
    assert (found.status, "/doctor/nowhere" in found.seen) == ("FAIL", True)
    assert found.hint


# The broker's duty


@dataclass
class Forgetful:
    """A broker that takes an id a second time: what trading here would lead to."""

    broker: Any
    sent: list[str] = field(default_factory=list)

    def submit(self, order: OrderRequest) -> Submitted:
        """Send it; the second time under another id, as if the broker had forgotten the first."""
        self.sent.append(order.client_order_id)
        other = replace(order, client_order_id=f"{order.client_order_id}-{len(self.sent)}")
        outcome: Submitted = self.broker.submit(order if len(self.sent) == 1 else other)
        return outcome

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the port's
        return getattr(self.broker, name)


def test_a_broker_that_takes_an_id_twice(visit: Visit, exchange: Exchange) -> None:
    """A FAIL that says not to trade here; the second order is cancelled, too, and nothing has filled."""
    for look in (broker.clock, broker.calendar):
        look(visit)
    assert visit.desk is not None
    visit.desk.world = replace(visit.desk.world, broker=Forgetful(visit.desk.world.broker))
    found = looked(visit, "duty", duty)
    assert (found.status, "do not trade here" in found.hint) == ("FAIL", True), found
    with exchange.work() as world:
        orders = list(world.book.orders.values())
        assert [a for a in world.book.activities if a.kind == "FILL"] == []
    assert len(orders) == 2
    assert all(order.status in TERMINAL and order.filled_qty == 0 for order in orders)


def test_while_the_market_is_closed_no_order_is_sent(visit: Visit, exchange: Exchange) -> None:
    """It could wait for the open to be cancelled: the proof is left for a session."""
    exchange.advance(8 * 3600.0)
    for look in (broker.clock, broker.calendar):
        look(visit)
    found = looked(visit, "duty", duty)
    assert (found.status, "closed" in found.seen) == ("skipped", True)
    with exchange.work() as world:
        assert world.book.orders == {}


def test_what_an_earlier_visit_left_open_is_cancelled(visit: Visit, exchange: Exchange) -> None:
    """A visit that died leaves an order: the next one ends it."""
    left = {"symbol": "AAA", "side": "buy", "type": "limit", "qty": "1", "limit_price": "1"}
    exchange.submit(left | {"time_in_force": "day", "client_order_id": "tt-doctor-left"})
    for look in (broker.clock, broker.calendar):
        look(visit)
    assert looked(visit, "duty", duty).status == "ok"
    with exchange.work() as world:
        assert all(order.status in TERMINAL for order in world.book.orders.values())
