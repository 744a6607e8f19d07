"""Alpaca kit: a clock that only moves when told, and the broker's bodies as small as they can be."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from trimtab.adapters.alpaca import AlpacaHost

KEY_ID, SECRET = "PKTESTKEYID", "s3cr3t-of-the-test"
Connect = Callable[..., AlpacaHost]
ORDER_ID = "0b0e1d8e-0000-4000-8000-000000000001"


class FakeClock:
    """A clock whose time moves only by sleeping."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        """Give UTC."""
        return datetime(2026, 3, 2, 15, 0, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        """Give seconds."""
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """Move on."""
        self.slept.append(seconds)
        self.seconds += seconds


def order_row(**changes: object) -> dict[str, object]:
    """Give an order as the broker prints it."""
    row: dict[str, object] = {
        "id": ORDER_ID,
        "client_order_id": "tt1-01234567-20260302-SPY-0",
        "symbol": "SPY",
        "side": "buy",
        "type": "market",
        "status": "accepted",
        "qty": "0.000001",
        "filled_qty": "0",
        "filled_avg_price": None,
        "limit_price": None,
        "submitted_at": "2026-03-02T15:00:00.123456789Z",
    }
    return row | changes


def fill_row(number: int, **changes: object) -> dict[str, object]:
    """Give an execution as the broker prints it."""
    row: dict[str, object] = {
        "activity_type": "FILL",
        "id": f"20260302100000000::{number:04d}",
        "order_id": ORDER_ID,
        "symbol": "SPY",
        "side": "buy",
        "qty": "1",
        "price": "500.01",
        "transaction_time": f"2026-03-02T15:00:00.{number:06d}Z",
    }
    return row | changes


def bar(day: str, close: float | None = 10.0, hour: str = "05") -> dict[str, object]:
    """Give a daily bar as the data host prints it."""
    return {
        "t": f"{day}T{hour}:00:00Z",
        "o": 9.0,
        "h": 11.0,
        "l": 8.5,
        "c": close,
        "v": 100,
        "n": 3,
        "vw": 9.9,
    }


def error_body(code: int | None, message: str) -> dict[str, object]:
    """Give an error in the broker's JSON."""
    return {"message": message} if code is None else {"code": code, "message": message}
