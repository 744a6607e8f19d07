"""Fleet: many portfolios of one store, each run by itself, from its own configuration with its own keys."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from trimtab.adapters.clock import SystemClock
from trimtab.adapters.notify import fit_notifiers
from trimtab.adapters.stores import open_store
from trimtab.adapters.webhook import Wire
from trimtab.configuration import with_parameters
from trimtab.desk import Desk
from trimtab.errors import Halted, Misconfigured, TrimtabError
from trimtab.ports import Undelivered
from trimtab.settings import load, receivers, redactor
from trimtab.settings.model import PORTFOLIO
from trimtab.settings.secret import ALERT_URLS, HEARTBEAT_URL
from trimtab.show.alert import GRAVITY, Occasion, message_of
from trimtab.show.document import stopped_record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from trimtab.core.record import Document
    from trimtab.ports import Store
    from trimtab.settings import Settings
    from trimtab.stations.arrive import Arrival

__all__ = ["portfolios", "run_member"]

TELL_S = 5.0
_CONFIG = re.compile(rf"config/({PORTFOLIO})\.json")


def portfolios(store: Store) -> tuple[str, ...]:
    """Name the portfolios that have a configuration in the store, in ascending order.

    Raises:
        OSError: the store can't be read.
    """
    found = (_CONFIG.fullmatch(key) for key in store.list("config/"))
    return tuple(sorted(match[1] for match in found if match))


def run_member(
    url: str,
    name: str,
    environ: Mapping[str, str],
    arrival: Arrival,
    *,
    dry_run: bool,
    seconds_left: Callable[[], float],
    warn: Callable[[str], None],
) -> Document:
    """Run one portfolio of the store at `url`, and give its record.

    What keeps its run from beginning is told to whoever is told of the whole fleet; the run tells the rest.

    Raises:
        Misconfigured: its configuration is not there or not usable, its keys are not there.
        Halted | Interrupted: the store can't be written, so that no record could tell of the run.
    """
    try:
        settings = _settings(url, name, environ, dry_run=dry_run)
        desk = Desk.of(settings, environ, seconds_left=seconds_left, warn=warn)
    except Exception as error:
        if isinstance(error, TrimtabError):
            error.mask(redactor(environ).value)
        _tell(error, name, environ, warn)
        raise
    with desk:
        return desk.run(arrival)


def _settings(url: str, name: str, environ: Mapping[str, str], *, dry_run: bool) -> Settings:
    """Give the settings of a portfolio, from the store that is to keep its records, too.

    Raises:
        Misconfigured: they are not there or not usable, or are of another portfolio.
    """
    data = open_store(url)[0].get(f"config/{name}.json")
    if data is None:
        raise Misconfigured(
            "no_config",
            f"there is no config/{name}.json in the store",
            seen=url,
            allowed="a configuration for each portfolio that is run",
            hint=f"copy the portfolio's configuration there: aws s3 cp config.json {url}/config/{name}.json",
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.json"
        path.write_bytes(data)
        settings = load(path, {"store.url": url, "dry_run": dry_run or None}, environ)
    if settings.portfolio != name:
        raise Misconfigured(
            "wrong_portfolio",
            f"config/{name}.json is of another portfolio",
            seen=settings.portfolio,
            allowed=name,
            hint='give it "portfolio": ' + f'"{name}", or the name of its portfolio',
        )
    return settings


def _tell(error: Exception, name: str, environ: Mapping[str, str], warn: Callable[[str], None]) -> None:
    """Tell of a run that never began; what can't be told is warned of."""
    known = error if isinstance(error, TrimtabError) else Halted("bug", f"{type(error).__name__}: {error}")
    record = redactor(environ).value(stopped_record(known, name, "fleet", dry_run=False))
    message = message_of(record, Occasion(), GRAVITY)
    clock, wire = SystemClock(), Wire(allow_private=False)
    try:
        heard = receivers(with_parameters(environ, (ALERT_URLS, HEARTBEAT_URL)))
        urls = [url.get_secret_value() for url in heard.alert_urls]
        channels = fit_notifiers(urls, clock, wire, where=ALERT_URLS, allow_private=False)
    except Misconfigured as untold:
        warn(f"not told: {untold}")
        return
    for channel in channels:
        try:
            if message is not None:
                channel.tell(message, TELL_S)
        except Undelivered as untold:  # one that is down, or not usable, keeps nothing from the others
            warn(f"not told: {channel.name}: {untold}")
