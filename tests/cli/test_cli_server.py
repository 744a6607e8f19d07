"""Server: what it does at which time, on a machine whose clock the tests turn."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from trimtab.adapters.pulse import Pulse
from trimtab.cli.host import SLICE_S, Ended
from trimtab.cli.server import Server
from trimtab.core.schedule import NEW_YORK
from trimtab.settings import load

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from trimtab.settings import Settings

TRADED = {
    "run_id": "r",
    "session": "s",
    "outcome": "traded",
    "code": "traded",
    "reason": "traded",
    "orders": [],
}
LONGEST_S = 60.0


def new_york(text: str) -> datetime:
    """Read a New York time."""
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).astimezone(UTC)


@dataclass
class Turned:
    """A machine whose clock is turned by waiting, and that is asked to stop at `until`.

    `statuses` are those of the runs, the last one for ever; `asleep` are spans in which nothing happens; no
    wait is longer than `slice_s`.
    """

    clock: datetime
    until: datetime
    statuses: tuple[int, ...] = (0,)
    run_s: float = 20.0
    slice_s: float = 3600.0
    asleep: tuple[tuple[datetime, datetime], ...] = ()
    stopping: bool = False
    runs: list[tuple[datetime, tuple[str, ...]]] = field(default_factory=list)
    at_wait: Callable[[datetime], None] = lambda _now: None

    def now(self) -> datetime:
        """Give the time."""
        return self.clock

    def wait(self, seconds: float) -> None:
        """Turn the clock."""
        self.at_wait(self.clock)
        self._turn(min(seconds, self.slice_s))

    def _turn(self, seconds: float) -> None:
        self.clock += timedelta(seconds=max(seconds, 0.001))
        for begins, ends in self.asleep:
            self.clock = ends if begins < self.clock < ends else self.clock
        self.stopping = self.clock >= self.until

    def run(self, words: Sequence[str], beat: Callable[[], None]) -> Ended:
        """Note a run, and let it take its time."""
        self.runs.append((self.clock, tuple(words)))
        beat()
        self._turn(self.run_s)
        status = self.statuses[min(len(self.runs), len(self.statuses)) - 1]
        error = {"code": "bad_json", "message": "not JSON", "seen": None, "allowed": None, "hint": "mend it"}
        document: dict[str, Any] = TRADED if status in {0, 3, 4} else {"error": error}
        return Ended(status, document, "", self.run_s)

    @property
    def times(self) -> list[str]:
        """When it ran, by New York's clock."""
        return [f"{at.astimezone(NEW_YORK):%m-%d %H:%M}" for at, _ in self.runs]


@dataclass
class Place:
    """A folder with a configuration, and what a server in it told."""

    folder: Path
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    alarms: list[dict[str, Any]] = field(default_factory=list)
    heard: Callable[[], bool] = lambda: True

    def write(self, **changes: object) -> None:
        """Write the configuration."""
        strategy = {"name": "equal_weight", "params": {"symbols": ["AAA", "BBB"]}}
        config = {"mode": "paper", "strategy": strategy, "dry_run": False} | changes
        (self.folder / "config.json").write_text(json.dumps(config))

    def load(self) -> Settings:
        """Load it."""
        return load(self.folder / "config.json", {}, {})

    @property
    def pulse(self) -> Pulse:
        """The sign of life."""
        return Pulse(self.folder / "serve-main.json")

    def serve(self, host: Turned, *flags: str, pulse: Pulse | None = None) -> Turned:
        """Serve on a machine until it is told to stop."""

        def tell(event: str, facts: dict[str, Any]) -> None:
            self.told.append((event, json.loads(json.dumps(facts))))

        def alarm(_settings: Settings, run: dict[str, Any]) -> bool:
            self.alarms.append(run)
            return self.heard()

        Server(self.load(), self.load, host, pulse or self.pulse, flags, tell, alarm).serve()
        return host


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Give a folder with a paper portfolio."""
    made = Place(tmp_path)
    made.write()
    return made


@pytest.mark.parametrize("first", ["2026-03-07", "2026-10-31"], ids=["spring", "autumn"])
def test_three_days_over_a_clock_change_wake_three_times_each(place: Place, first: str) -> None:
    """At 10:00, 10:30 and 15:00 in New York, to the second, weekends too."""
    start = new_york(first)
    host = place.serve(Turned(start, start + timedelta(days=3)))
    days = [f"{new_york(first) + timedelta(days=n, hours=12):%m-%d}" for n in range(3)]
    assert host.times == [f"{day} {at}" for day in days for at in ("10:00", "10:30", "15:00")]
    assert all(at.second == 0 for at, _ in host.runs)
    assert all(words[:2] == ("run", "--json") for _, words in host.runs)
    assert [event for event, _ in place.told].count("run") == 9


def test_a_wake_up_missed_while_it_was_off_is_made_up_for_at_once(place: Place) -> None:
    """After a reboot: the newest of today that nobody handled, once, however many were missed."""
    place.serve(Turned(new_york("2026-05-04T09:00"), new_york("2026-05-04T09:30")))
    host = place.serve(Turned(new_york("2026-05-04T12:10"), new_york("2026-05-04T16:00")))
    assert host.times == ["05-04 12:10", "05-04 15:00"]
    host = place.serve(Turned(new_york("2026-05-04T16:10"), new_york("2026-05-04T18:00")))
    assert host.times == []


def test_a_wake_up_of_another_day_is_not_made_up_for(place: Place) -> None:
    """Its session is over: the next run tells that it was missed."""
    host = place.serve(Turned(new_york("2026-05-05T08:00"), new_york("2026-05-05T10:05")))
    assert host.times == ["05-05 10:00"]


def test_a_machine_that_slept_wakes_the_bot_when_it_wakes(place: Place) -> None:
    """A laptop that slept from 9:59 to 13:20 runs at 13:20, once."""
    nap = (new_york("2026-05-04T09:59:50"), new_york("2026-05-04T13:20"))
    start = new_york("2026-05-04T09:00")
    host = place.serve(Turned(start, new_york("2026-05-04T16:00"), asleep=(nap,)))
    assert host.times == ["05-04 13:20", "05-04 15:00"]


def test_wake_ups_during_a_run_wait_for_it_and_are_one(place: Place) -> None:
    """No run begins beside another: one that took from 10:00 to 15:10 is followed by a single one."""
    start = new_york("2026-05-04T09:00")
    host = place.serve(Turned(start, new_york("2026-05-04T15:15"), run_s=310 * 60.0))
    assert host.times == ["05-04 10:00", "05-04 15:10"]


def test_a_clock_that_was_ahead_once_blocks_nothing(place: Place) -> None:
    """A wake-up handled in 2031 by a wrong clock does not keep today's from being handled."""
    place.pulse.write({"handled": "2031-01-01T15:00:00+00:00"})
    host = place.serve(Turned(new_york("2026-05-04T09:00"), new_york("2026-05-04T16:00")))
    assert host.times == ["05-04 10:00", "05-04 10:30", "05-04 15:00"]


@pytest.mark.parametrize("kept", ["", "[]", '{"handled": 7, "last": 3}', '{"handled": "2026-05-04T15:00"}'])
def test_a_sign_of_life_that_is_no_use_is_none(place: Place, kept: str) -> None:
    """Whatever lies there, the server serves; at worst it wakes the bot once more."""
    place.pulse.path.write_text(kept)
    host = place.serve(Turned(new_york("2026-05-04T12:00"), new_york("2026-05-04T14:00")))
    assert host.times == ["05-04 12:00"]


@pytest.mark.parametrize(("status", "runs"), [(4, 1), (-15, 1), (3, 1), (0, 0)])
def test_a_run_that_was_asked_to_end_is_gone_on_with_at_the_next_start(
    place: Place, status: int, runs: int
) -> None:
    """Stopped in the middle of a run, it runs at once when it starts again; not where the run was done."""
    start = new_york("2026-05-04T14:59")
    place.serve(Turned(start, new_york("2026-05-04T15:00:10"), (0, status)))
    host = place.serve(Turned(new_york("2026-05-04T15:02"), new_york("2026-05-04T15:30")))
    assert len(host.runs) == runs
    assert place.alarms == []


def test_an_alarm_that_nobody_heard_is_raised_again(place: Place) -> None:
    """With the next wake-up, until one was heard; the day's last is not."""
    heard = iter([False, True])
    place.heard = lambda: next(heard)
    start = new_york("2026-05-04T09:00")
    place.serve(Turned(start, start + timedelta(days=1), statuses=(2,)))
    assert [run["due"][11:16] for run in place.alarms] == ["14:00", "14:30"]


def test_a_configuration_that_broke_is_told_once_and_the_schedule_goes_on(place: Place) -> None:
    """Each run exits 2: one alarm, until a run begins again; then a new fault is a new alarm."""
    start = new_york("2026-05-04T09:00")
    host = place.serve(Turned(start, start + timedelta(days=2), statuses=(2, 2, 0, 2, -9, 0)))
    assert len(host.runs) == 6
    assert [run["status"] for run in place.alarms] == [2, 2]
    assert [run["due"] for run in place.alarms] == ["2026-05-04T14:00:00+00:00", "2026-05-05T14:00:00+00:00"]


def test_a_change_of_the_schedule_needs_no_restart(place: Place) -> None:
    """The next look at the clock has it; one that can't be read changes nothing."""

    def edit(now: datetime) -> None:
        if now >= new_york("2026-05-04T09:30"):
            place.write(schedule={"run_time": "11:15"})
        if now >= new_york("2026-05-04T11:20"):
            (place.folder / "config.json").write_text('{"schedule": ')

    start = new_york("2026-05-04T09:00")
    host = place.serve(Turned(start, new_york("2026-05-04T16:00"), slice_s=300.0, at_wait=edit))
    assert host.times == ["05-04 11:15", "05-04 11:45", "05-04 15:00"]


def test_a_simulated_portfolio_goes_on_by_a_session_a_day(place: Place) -> None:
    """Its first run of a further day moves the exchange to the next session; the others repeat that one."""
    place.write(mode="simulated")
    start = new_york("2026-05-04T09:00")
    host = place.serve(Turned(start, start + timedelta(days=2)), "--no-dry-run")
    assert [("--next" in words) for _, words in host.runs] == [False, False, False, True, False, False]
    assert all("--no-dry-run" in words for _, words in host.runs)


def test_a_place_that_takes_no_sign_of_life_stops_nothing(place: Place) -> None:
    """It is told once that nobody will see this server."""
    (place.folder / "file").write_text("")
    start = new_york("2026-05-04T09:00")
    blocked = Pulse(place.folder / "file/serve-main.json")
    host = place.serve(Turned(start, new_york("2026-05-04T11:00")), pulse=blocked)
    assert host.times == ["05-04 10:00", "05-04 10:30"]
    assert [event for event, _ in place.told].count("dumb") == 1


def test_it_shows_that_it_lives_while_it_waits_and_while_it_runs(place: Place) -> None:
    """The sign is never older than a slice, and says what comes next and what was last."""
    ages: list[float] = []

    def look(now: datetime) -> None:
        ages.append((now - datetime.fromisoformat(place.pulse.read()["at"])).total_seconds())

    start = new_york("2026-05-04T09:00")
    place.serve(Turned(start, new_york("2026-05-04T10:10"), slice_s=SLICE_S, at_wait=look))
    assert max(ages) <= LONGEST_S
    kept = place.pulse.read()
    assert kept["next"] == "2026-05-04T14:30:00+00:00"
    assert (kept["last"]["outcome"], kept["handled"]) == ("traded", "2026-05-04T14:00:00+00:00")
