"""Check: one thing that a run stands on, looked at by itself; and what a visit of all of them shares."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from trimtab.desk import Desk, undecided
from trimtab.errors import TrimtabError
from trimtab.ports import Unauthorized, Unreachable
from trimtab.stations.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from trimtab.adapters.strategy_loader import Loaded
    from trimtab.core.mandate import Mandate
    from trimtab.core.portfolio import SessionHours
    from trimtab.ports import Clock, World
    from trimtab.settings import Settings

__all__ = ["Check", "Result", "Skipped", "Visit", "examine"]

Status = Literal["ok", "warn", "FAIL", "skipped"]
KEPT_S = 10.0
"""What the broker's adapter keeps of a run's time for its record, seconds: a visit writes none."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a check found: how it is, what was seen, and what to do where that is not well."""

    status: Status
    seen: str
    hint: str = ""


class Skipped(Exception):  # noqa: N818 - a state of the visit, not a fault
    """There is nothing to look at; its text says why."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its name, what it looks at, the checks that must not have failed, and its function."""

    name: str
    looks_at: str
    needs: tuple[str, ...]
    look: Callable[[Visit], Result]


@dataclass(slots=True)
class Visit:
    """What the checks of one visit share: how it was asked for, and what earlier checks found.

    `send` lets alerts and pings be sent, `orders` lets a paper account be asked by an order. Reads of the
    broker may take `patience_s` seconds a check.
    """

    config: str | None
    environ: Mapping[str, str]
    clock: Clock
    send: bool = False
    orders: bool = True
    patience_s: float = 10.0
    results: dict[str, Result] = field(default_factory=dict)
    settings_found: Settings | None = None
    loaded: Loaded | None = None
    desk: Desk | None = None
    now: datetime | None = None
    calendar: tuple[SessionHours, ...] = ()
    _due: float = 0.0

    @property
    def settings(self) -> Settings:
        """The owner's settings; the check `config` found them, and others need it.

        Raises:
            Skipped: there are none.
        """
        if self.settings_found is None:
            raise Skipped("needs config")
        return self.settings_found

    @property
    def world(self) -> World:
        """The outside, wired as for a run.

        Raises:
            Skipped: nothing is wired.
        """
        if self.desk is None:
            raise Skipped("needs keys")
        return self.desk.world

    @property
    def mandate(self) -> Mandate:
        """What is asked of a run; the strategy may be a stand-in where the owner's can't be loaded.

        Raises:
            Skipped: nothing is wired.
        """
        if self.desk is None:
            raise Skipped("needs keys")
        return self.desk.mandate

    def wire(self) -> None:
        """Wire the outside, without whom to tell; a strategy that can't be loaded is not in the way.

        Raises:
            Misconfigured: keys, hosts or store are not usable.
            Skipped: the embedded exchange replays the strategy's symbols, and there are none.
        """
        settings = self.settings
        if self.loaded is None:
            if settings.mode == "simulated":
                raise Skipped("needs strategy")
            settings = undecided(settings)
        self.desk = Desk.of(settings, self.environ, seconds_left=self.seconds_left)

    def evidence(self) -> Evidence:
        """Give somewhere for a station to write what it sees; nobody keeps it."""
        return Evidence(self.mandate, "doctor", self.clock.monotonic)

    def seconds_left(self) -> float:
        """Give the seconds that the present check may still take, as the broker's adapter counts them."""
        return self._due - self.clock.monotonic()

    def hurry(self, seconds: float) -> None:
        """Give the present check so many seconds for the broker."""
        self._due = self.clock.monotonic() + seconds + KEPT_S

    def close(self) -> None:
        """Close what was opened."""
        if self.desk is not None:
            self.desk.close()


def examine(visit: Visit, checks: tuple[Check, ...]) -> dict[str, Result]:
    """Pass every check in order, whatever those before it found; one that needs a failed one is skipped."""
    for check in checks:
        lacking = [name for name in check.needs if visit.results[name].status in {"FAIL", "skipped"}]
        visit.hurry(visit.patience_s)
        if lacking:
            visit.results[check.name] = Result("skipped", f"needs {', '.join(lacking)}")
        else:
            visit.results[check.name] = _looked(visit, check)
    with suppress(OSError):
        visit.close()
    return visit.results


def _looked(visit: Visit, check: Check) -> Result:
    try:
        return check.look(visit)
    except Skipped as skipped:
        return Result("skipped", str(skipped))
    except Exception as error:  # noqa: BLE001 - a check that breaks must not keep the others from looking
        return failure(error)


def failure(error: Exception) -> Result:
    """Word what a check ended in."""
    if isinstance(error, TrimtabError):
        seen = "" if error.seen is None else f"; seen: {error.seen}"
        allowed = "" if error.allowed is None else f"; allowed: {error.allowed}"
        return Result("FAIL", f"{error.message}{seen}{allowed}", error.hint or "mend that, and look again")
    if isinstance(error, Unauthorized):
        hint = "check APCA_API_KEY_ID and APCA_API_SECRET_KEY, and that they belong to this host's account"
        return Result("FAIL", str(error), hint)
    if isinstance(error, Unreachable):
        return Result("FAIL", str(error), "look at the network and at the broker's status page; try again")
    if isinstance(error, OSError | sqlite3.Error):
        what = getattr(error, "strerror", None) or str(error)
        where = getattr(error, "filename", None)
        return Result("FAIL", what if where is None else f"{what}: {where}", "mend the store, or its rights")
    hint = "this is a fault in trimtab, or in a strategy of yours"
    return Result("FAIL", f"{type(error).__name__}: {error}", hint)
