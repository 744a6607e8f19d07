"""Limits: what the owner allows, one key a rule; the single home of each key, its default and its meaning.

These models are the `execution`, `risk` and `data.gates` objects of config.json. An absent key takes its
default; an explicit null, NaN, zero, negative or infinite limit is none and is refused: no limit, no trade.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Fraction = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(gt=0)]

_STRICT = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


class _Limits(BaseModel):
    model_config = _STRICT

    @model_validator(mode="before")
    @classmethod
    def _no_null(cls, data: object) -> object:
        """Refuse an explicit null: it would read as "no limit"."""
        if isinstance(data, dict):
            for key, value in data.items():
                if value is None:
                    raise ValueError(f"{key}: null is no limit; leave the key out to take its default")
        return data


class Execution(_Limits):
    """How targets become orders."""

    band: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = 0.005
    """A drift is left alone while it is below this fraction of equity, and below `band_relative` too."""
    band_relative: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = 0.20
    """A drift is left alone while it is below this fraction of the target's value, and below `band` too."""
    min_order_usd: Positive = 1.00
    """Smaller orders become holds, USD."""
    cash_buffer: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = 0.01
    """Kept back when targets are made: weights that sum above 1 - buffer are scaled down to it."""
    cash_flow_first: bool = False
    """True: new cash buys before anything is sold in part; what is left to sell follows a session later."""
    fractional: bool = True
    """False: whole shares only."""
    fill_timeout_s: Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)] = 120.0
    """Seconds for a phase's fills, then the rest is cancelled."""


class Gates(_Limits):
    """When bars are doubted; see docs/data.md for each gate."""

    max_jump: Fraction = 0.20
    """A close that moved further than this since the one before is doubted, unless an action explains it."""
    max_jump_from_median: Fraction = 0.15
    """It is doubted only where it moved this much otherwise than the median of five or more symbols."""
    confirming_volume: Positive = 3.0
    """A jump on this many times the usual volume is believed, with a warning."""
    stormy: Positive = 4.0
    """A jump of up to this many times the 20 moves before (root mean square) is believed, with a warning."""
    max_trade_gap: Fraction = 0.10
    """After such a jump, the last trade must stand within this fraction of the last close."""
    split_tolerance: Annotated[float, Field(ge=0, lt=0.2, allow_inf_nan=False)] = 0.02
    """How near a move must be to a usual split's ratio to be taken for one."""
    factor_tolerance: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = 0.002
    """How far adjusted / raw may move otherwise than splits and dividends say."""
    revision_tolerance: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = 0.0005
    """How far a close may differ from what the last run saw of it before a warning is given."""
    close_tolerance: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = 0.0001
    """How far a close may lie outside of the day's low and high, fraction of them."""
    wild_low: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] = 0.7
    """A low under this fraction of the close gets a warning."""
    wild_high: Annotated[float, Field(gt=1, allow_inf_nan=False)] = 1.4
    """A high above this multiple of the close gets a warning."""
    quiet_sessions: Annotated[int, Field(ge=2)] = 3
    """So many bars in a row without volume or movement halt; fewer get a warning."""
    accept: tuple[Annotated[str, Field(pattern=r"^[A-Z0-9.\-/]{1,16}( \d{4}-\d{2}-\d{2})?$")], ...] = ()
    """What you have looked at and take for true: `"SYMBOL YYYY-MM-DD"` of a finding."""

    @model_validator(mode="before")
    @classmethod
    def _accept_from_list(cls, data: object) -> object:
        """Take JSON's list for the tuple."""
        if isinstance(data, dict) and isinstance(data.get("accept"), list):
            return {**data, "accept": tuple(data["accept"])}
        return data


class Risk(_Limits):
    """Every pre-trade limit; fractions are of the sizing equity E unless said otherwise."""

    max_order_size: Fraction = 0.20
    """No order above this fraction of equity; a larger gap is staged over the next sessions."""
    max_order_size_by_symbol: dict[str, Fraction] = Field(default_factory=dict)
    """The same for single symbols."""
    max_order_usd: Positive = 1_000_000.0
    """No order above this value, USD."""
    max_position: Fraction | None = None
    """Largest weight of a symbol after all orders, for orders that raise it. Default: top target + 0.05."""
    max_exposure: Fraction = 1.0
    """Largest sum of weights after all orders, for orders that raise it."""
    max_turnover: Annotated[float, Field(gt=0, le=2, allow_inf_nan=False)] = 0.50
    """Largest value of a session's orders, fraction of equity; the plan scales its orders to fit."""
    max_orders: Count | None = None
    """Most distinct order ids a session. Default: 4 a symbol."""
    max_requests: Count | None = None
    """Most order and cancel requests of one run. Default: 8 a symbol."""
    price_collar: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] = 0.01
    """A limit price stands at most this fraction beyond the quote."""
    max_gap: Fraction = 0.10
    """A symbol quoted further than this from its last close is held."""
    max_spread: Fraction = 0.01
    """A symbol whose spread is wider than this fraction of its mid price is held."""
    max_runs_with_orders: Count = 3
    """Most runs that send orders, a session."""
    max_drawdown: Fraction = 0.50
    """Largest fall of the account from its recorded peak, flows taken out; beyond it it is latched."""
    max_equity_move: Fraction = 0.15
    """Largest move of the account since the session before, flows taken out."""
    window: tuple[Count, Count] = (5, 10)
    """Trading begins this many minutes after the open and ends this many before the close."""
    max_adv_share: Fraction = 0.01
    """Largest order as a fraction of the 20-day average volume."""
    require_approval: Literal["live", "always", "never"] = "live"
    """Where a changed configuration or code waits for `trimtab resume`: `live` mode, `always`, `never`."""

    @model_validator(mode="before")
    @classmethod
    def _window_from_list(cls, data: object) -> object:
        """Take JSON's list for the pair of minutes."""
        if isinstance(data, dict) and isinstance(data.get("window"), list):
            return {**data, "window": tuple(data["window"])}
        return data

    def order_size(self, symbol: str) -> float:
        """Give the largest order of `symbol`, fraction of equity."""
        return self.max_order_size_by_symbol.get(symbol, self.max_order_size)
