"""The sandbox's answers against the broker's OpenAPI documents."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from exchange_kit import ask, make_exchange, order_body, place
from trimtab.adapters.sandbox import Face

SPEC = Path(__file__).parents[4] / "shared" / "alpaca" / "spec"


@cache
def document(kind: str) -> dict[str, Any]:
    """One of the two documents, with 3.0's `nullable` told in 3.1's words."""
    found = sorted(SPEC.glob(f"{kind}-openapi*.yaml"))
    if not found:
        pytest.skip("the broker's OpenAPI documents (../shared/alpaca/spec) are not here")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    parsed = yaml.load(found[0].read_text(), Loader=loader)  # noqa: S506 - a safe loader
    return modern(parsed)  # type: ignore[no-any-return]  # an object


def modern(node: Any) -> Any:  # noqa: ANN401 - any JSON
    """Turn `nullable: true` into a type of null."""
    if isinstance(node, list):
        return [modern(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: modern(value) for key, value in node.items()}
    if node.pop("nullable", False) is True and isinstance(node.get("type"), str):
        node["type"] = [node["type"], "null"]
    return node


@cache
def validator(kind: str, path: str, method: str, status: str) -> Draft202012Validator:
    """What validates the answer of an endpoint."""
    spec = document(kind)
    operation = spec["paths"][path][method.lower()]
    schema = operation["responses"][status]["content"]["application/json"]["schema"]
    return Draft202012Validator({**schema, "components": spec["components"]})


@pytest.fixture(scope="module")
def face() -> Face:
    """A sandbox in which it all happened: fills, a cancel, a rejection, a split, a dividend, a deposit."""
    exchange = make_exchange(pay_dividends=True, partial_probability=0.5)
    for i in range(6):
        place(exchange, f"o{i}", "BBB", qty="4")
    place(exchange, "dividend", "CCC", qty="100")
    exchange.cancel(place(exchange, "cancelled", type="limit", limit_price="1"))
    exchange.behave(rejecting=("DDD",))
    place(exchange, "rejected", "DDD")
    exchange.journal(amount=exchange.world.book.cash)
    exchange.step(12)
    place(exchange, "expired", type="limit", limit_price="1")
    exchange.step(1)
    place(exchange, "resting", type="limit", limit_price="90")
    return Face(exchange, rate_limit=None)


TRADING = [
    ("/v2/account", "/v2/account"),
    ("/v2/account/configurations", "/v2/account/configurations"),
    ("/v2/account/portfolio/history", "/v2/account/portfolio/history"),
    ("/v2/account/activities", "/v2/account/activities"),
    ("/v2/account/activities/{activity_type}", "/v2/account/activities/FILL"),
    ("/v2/assets", "/v2/assets"),
    ("/v2/assets/{symbol_or_asset_id}", "/v2/assets/AAA"),
    ("/v2/calendar", "/v2/calendar?start=2020-01-01&end=2020-12-31"),
    ("/v2/clock", "/v2/clock"),
    ("/v2/orders", "/v2/orders?status=all"),
    ("/v2/orders:by_client_order_id", "/v2/orders:by_client_order_id?client_order_id=o1"),
    ("/v2/positions", "/v2/positions"),
    ("/v2/positions/{symbol_or_asset_id}", "/v2/positions/BBB"),
]
BARS = "timeframe=1Day&start=2020-02-24&end=2020-03-10&limit=9&adjustment=all"
DATA = [
    ("/v2/stocks/bars", f"/v2/stocks/bars?symbols=AAA,BBB&{BARS}"),
    ("/v2/stocks/{symbol}/bars", f"/v2/stocks/AAA/bars?{BARS}"),
    ("/v2/stocks/bars/latest", "/v2/stocks/bars/latest?symbols=AAA,BBB"),
    ("/v2/stocks/{symbol}/bars/latest", "/v2/stocks/AAA/bars/latest"),
    ("/v2/stocks/quotes/latest", "/v2/stocks/quotes/latest?symbols=AAA,BBB"),
    ("/v2/stocks/{symbol}/quotes/latest", "/v2/stocks/AAA/quotes/latest"),
    ("/v2/stocks/trades/latest", "/v2/stocks/trades/latest?symbols=AAA,BBB"),
    ("/v2/stocks/{symbol}/trades/latest", "/v2/stocks/AAA/trades/latest"),
    ("/v2/stocks/snapshots", "/v2/stocks/snapshots?symbols=AAA,BBB"),
    ("/v2/stocks/{symbol}/snapshot", "/v2/stocks/AAA/snapshot"),
    ("/v1/corporate-actions", "/v1/corporate-actions?start=2020-02-24&end=2020-04-01"),
]
CASES = [("trading", *case) for case in TRADING] + [("market-data", *case) for case in DATA]


@pytest.mark.parametrize(("kind", "path", "target"), CASES, ids=[case[1] for case in CASES])
def test_answers_are_what_the_documents_say(face: Face, kind: str, path: str, target: str) -> None:
    """Every answer has the documented form, and says something."""
    response = ask(face, "GET", target)
    assert response.status == 200, response.body
    found = json.loads(response.body)
    assert found
    validator(kind if kind == "trading" else "data", path, "GET", "200").validate(found)


def test_every_kind_of_order_is_there(face: Face) -> None:
    """The orders that were validated include the rare ends."""
    orders = json.loads(ask(face, "GET", "/v2/orders?status=all").body)
    assert {order["status"] for order in orders} >= {"filled", "canceled", "rejected", "expired"}
    kinds = {row["activity_type"] for row in json.loads(ask(face, "GET", "/v2/account/activities").body)}
    assert kinds == {"FILL", "DIV", "SPLIT", "CSD"}


def test_a_new_order_and_cancel_all(face: Face) -> None:
    """The answers to POST and DELETE have the documented form too."""
    response = ask(face, "POST", "/v2/orders", json.dumps(order_body("new")).encode())
    validator("trading", "/v2/orders", "POST", "200").validate(json.loads(response.body))
    response = ask(face, "DELETE", "/v2/orders")
    validator("trading", "/v2/orders", "DELETE", "207").validate(json.loads(response.body))


def test_the_validator_bites() -> None:
    """A number where a string belongs is found."""
    assert not validator("trading", "/v2/account", "GET", "200").is_valid(
        {"id": "6f1d1c1e-4a0e-5b7c-9a53-7d7a1d2f0c11", "status": "ACTIVE", "cash": 1.0}
    )
