"""Mandate: what the owner asked for, resolved: one portfolio, its rule, its limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from trimtab.core.limits import Gates

if TYPE_CHECKING:
    from trimtab.core.bars import History
    from trimtab.core.gates import Adjustment
    from trimtab.core.limits import Execution, Risk
    from trimtab.core.schedule import Interval

Mode = Literal["simulated", "paper", "live"]
Rule = Callable[["History", float], Mapping[str, float]]
"""A strategy: past bars and equity (USD) in, weights (fractions of equity) out."""

ADV_SESSIONS = 20
"""Sessions over which `max_adv_share` averages the volume, and by which the gates tell what is usual."""


@dataclass(frozen=True, slots=True)
class Mandate:
    """One portfolio's rule and limits, with the digests that name them.

    `universe` is what may be traded, ascending; `lookback` sessions of history that the rule sees;
    `least_history` the sessions without which the rule cannot decide (0 where it does not say);
    `gates` say when bars are doubted, and `adjustment` what they are adjusted for;
    `config` the part of the configuration that `config_digest` covers; `host` the broker's trading host, and
    `loopback` whether it is on this machine; `alerts` what the owner wants to be told of.
    """

    portfolio: str
    mode: Mode
    dry_run: bool
    universe: tuple[str, ...]
    rule: Rule
    lookback: int
    interval: Interval
    feed: str
    execution: Execution
    risk: Risk
    host: str
    loopback: bool
    config: Mapping[str, object]
    config_digest: str
    code_digest: str
    version: str
    least_history: int = 0
    adjustment: Adjustment = "all"
    gates: Gates = field(default_factory=Gates)
    alerts: frozenset[str] = frozenset()

    @property
    def sessions_needed(self) -> int:
        """Sessions of bars that a run reads: the look-back, and those before it that say what is usual."""
        return self.lookback + ADV_SESSIONS
