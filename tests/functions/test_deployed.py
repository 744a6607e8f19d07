"""The function as it is deployed: built layers, Lambda's Python and emulator, S3 and SSM, a sandbox."""

from __future__ import annotations

import json
import os
import signal
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import botocore.session
import pytest

from lambda_kit import EVENTS, KEYS, Runtime, emulator, event, portfolio, runtime, sandbox
from layers_kit import keep, lambda_path, lambda_python, layers, task_folder
from process.wire import Proxy, Severed
from s3_kit import BUCKET, ENVIRONMENT, make_bucket, moto_s3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from process.wire import Passing

EXPECTED = {
    "bad": "Misconfigured",
    "late": "closed",
    "dry_run": "dry_run",
    "empty": "traded",
    "scheduled": "in_band",
}
"""The events in the order in which they are sent, and the outcome or the error of each."""
HOLIDAY = datetime(2020, 4, 10, 14, 0, tzinfo=UTC)
"""10:00 on Good Friday."""
MEMORY_KB = 256 * 1024
"""The smallest memory that the template offers."""

DIES = """
import os
from pathlib import Path

def mine(symbols, flag):
    def strategy(history, equity):
        if Path(flag).exists():
            os._exit(3)
        return {symbol: 0.9 / len(symbols) for symbol in symbols}

    strategy.symbols = tuple(symbols)
    strategy.lookback_sessions = 5
    return strategy
"""


@pytest.fixture(scope="module")
def program() -> Path:
    """The emulator."""
    found = emulator()
    if isinstance(found, str):
        pytest.skip(found)
    return found


@pytest.fixture(scope="module")
def opt(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both layers, as below /opt."""
    assert program.is_file()
    return layers(tmp_path_factory.mktemp("opt"))


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """An AWS with a bucket."""
    with moto_s3() as made:
        make_bucket(made, BUCKET)
        yield made


@dataclass(frozen=True)
class Stack:
    """What a deployed stack has: the function's folder and environment, and the exchange behind it."""

    program: Path
    folder: Path
    task: Path
    environ: dict[str, str]
    exchange: str

    @contextmanager
    def function(self, name: str = "function") -> Iterator[Runtime]:
        """The function in an emulator of its own."""
        folder = self.folder / name
        folder.mkdir()
        python = lambda_python()
        with runtime(self.program, folder, self.environ, python=python, task=self.task) as running:
            yield running

    def orders(self) -> list[dict[str, Any]]:
        """Every order that the exchange knows."""
        key_id, secret = KEYS
        request = Request(f"{self.exchange}/v2/orders?status=all&limit=500")  # noqa: S310 - loopback
        request.add_header("APCA-API-KEY-ID", key_id)
        request.add_header("APCA-API-SECRET-KEY", secret)
        with urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
            found: list[dict[str, Any]] = json.load(answer)
        return found

    def filled(self) -> dict[str, Decimal]:
        """Shares filled by symbol; every order has an id of its own."""
        orders = self.orders()
        assert max(Counter(order["client_order_id"] for order in orders).values()) == 1
        symbols = {order["symbol"] for order in orders}
        return {s: sum(Decimal(o["filled_qty"]) for o in orders if o["symbol"] == s) for s in symbols}  # type: ignore[misc]  # a sum of none is 0


def planned(answer: Any) -> dict[str, Decimal]:  # noqa: ANN401 - any JSON
    """Shares to be traded by symbol."""
    return {order["symbol"]: Decimal(order["qty"]) for order in answer["planned"]}


@pytest.fixture
def stack(program: Path, opt: Path, origin: str, tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    """Gives stacks, each with a bucket's prefix, parameters and a sandbox of its own."""
    with ExitStack() as open_:

        def make(
            at: datetime | None = None,
            *,
            through: Callable[[str], str] = str,
            strategy: object = None,
            **modules: str,
        ) -> Stack:
            served = open_.enter_context(sandbox(at))
            changes = {"strategy": strategy} if strategy else {}
            environ = portfolio(tmp_path, through(served.url), **changes)
            name = uuid.uuid4().hex
            config, prefix = Path(environ["TRIMTAB_CONFIG"]).read_bytes(), f"s3://{BUCKET}/{name}"
            keep(origin, name, config, environ)
            task = task_folder(tmp_path, **modules)
            environ |= ENVIRONMENT | lambda_path(opt, task) | {"AWS_ENDPOINT_URL": origin}
            environ |= {"TRIMTAB_CONFIG": f"{prefix}/config/main.json", "TRIMTAB_STORE__URL": prefix}
            return Stack(program, tmp_path, task, environ, served.url)

        yield make


def test_every_event_is_answered(stack: Callable[..., Stack]) -> None:
    """Each file of events/ has its outcome; one of them trades; no secret is logged; the memory suffices."""
    assert {path.stem for path in EVENTS.glob("*.json")} == set(EXPECTED)
    with stack().function() as function:
        answers = {name: function.invoke(event(name)) for name in EXPECTED}
        (process,) = function.handlers()
        status = Path(f"/proc/{process}/status").read_text()
        log = function.log()
    outcomes = {name: answer.get("outcome", answer.get("errorType")) for name, answer in answers.items()}
    assert outcomes == EXPECTED, log
    sent = {name: len(answer.get("orders", ())) for name, answer in answers.items()}
    assert sent == {
        "bad": 0,
        "late": 0,
        "dry_run": 0,
        "empty": len(answers["dry_run"]["planned"]),
        "scheduled": 0,
    }
    assert sent["empty"] > 0
    assert not [secret for secret in (*KEYS, ENVIRONMENT["AWS_SECRET_ACCESS_KEY"]) if secret in log]
    peak = int(status.split("VmHWM:")[1].split()[0])
    assert peak < MEMORY_KB


def test_a_holiday_is_an_outcome(stack: Callable[..., Stack]) -> None:
    """The schedule fires every day: a closed market is no error, and nothing is sent."""
    made = stack(HOLIDAY)
    with made.function() as function:
        answer = function.invoke(event("scheduled"))
    assert (answer["outcome"], answer["reason"].split(":")[0]) == ("closed", "no_session"), answer["reason"]
    assert not made.orders()


def test_an_event_delivered_twice_trades_once(stack: Callable[..., Stack]) -> None:
    """Two functions at the same instant, on one store: together they trade the one plan."""
    made = stack()
    with made.function("one") as one, made.function("two") as two:
        wanted = planned(one.invoke(event("dry_run")))
        with ThreadPoolExecutor() as pool:
            answers = list(pool.map(lambda function: function.invoke(event("scheduled")), (one, two)))
        last = two.invoke(event("scheduled"))
    assert "traded" in {answer["outcome"] for answer in answers}, answers
    assert last["outcome"] == "in_band"
    assert made.filled() == wanted


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_function_killed_at_an_order_is_finished_by_the_next(
    stack: Callable[..., Stack], moment: str
) -> None:
    """Killed before the exchange has the second order, or before its answer arrives: no order too many."""
    with ExitStack() as open_:
        proxies: list[Proxy] = []

        def through(url: str) -> str:
            proxies.append(open_.enter_context(Proxy(url.removeprefix("http://"))))
            return proxies[0].url

        made = stack(through=through)
        function = open_.enter_context(made.function())
        wanted = planned(function.invoke(event("dry_run")))
        sent: list[Passing] = []

        def kill(passing: Passing) -> None:
            if passing.orders and passing.moment == moment:
                sent.append(passing)
                if len(sent) == 2:
                    os.kill(function.handlers()[0], signal.SIGKILL)
                    raise Severed

        proxies[0].at(kill)
        status, body = function.ask(event("scheduled"))
        assert b"traded" not in body, (status, body)
        proxies[0].at(None)
        answer = function.invoke(event("scheduled"))
        assert len(sent) == 2
        assert not proxies[0].faults
    assert answer["outcome"] == "traded", answer["reason"]
    assert made.filled() == wanted


def test_a_function_whose_strategy_ends_the_process_works_again(
    stack: Callable[..., Stack], tmp_path: Path
) -> None:
    """The owner's strategy is found beside the function, though the configuration is in S3."""
    flag = tmp_path / "die"
    flag.touch()
    params = {"symbols": ["SPY", "TLT"], "flag": str(flag)}
    made = stack(strategy={"name": "strategies.mine:mine", "params": params}, mine=DIES)
    with made.function() as function:
        status, body = function.ask(event("scheduled"))
        assert b"traded" not in body, (status, body)
        assert not made.orders()
        flag.unlink()
        assert function.invoke(event("scheduled"))["outcome"] == "traded", function.log()
    assert set(made.filled()) == {"SPY", "TLT"}


def test_a_key_that_was_replaced_is_used_by_the_next_run(stack: Callable[..., Stack], origin: str) -> None:
    """Nothing of SSM outlives an invocation: the same process meets the new value."""
    made = stack()
    session = botocore.session.get_session()
    session.set_credentials(ENVIRONMENT["AWS_ACCESS_KEY_ID"], ENVIRONMENT["AWS_SECRET_ACCESS_KEY"])
    ssm = session.create_client("ssm", "us-east-1", endpoint_url=origin)

    def put(value: str) -> None:
        name = made.environ["APCA_API_SECRET_KEY_PARAMETER"]
        ssm.put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)

    put("canary-of-a-wrong-key")
    with made.function() as function:
        refused = function.invoke(event("dry_run"))
        process = function.handlers()
        put(KEYS[1])
        assert function.invoke(event("dry_run"))["outcome"] == "dry_run"
        assert function.handlers() == process
        assert "canary-of-a-wrong-key" not in function.log() + json.dumps(refused)
    ssm.close()
    assert refused.get("outcome", "halted") == "halted", refused
