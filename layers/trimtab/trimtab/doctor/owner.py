"""Owner: what this machine and the owner bring: Python, the configuration, the strategy, keys and extras."""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from trimtab import __version__
from trimtab.configuration import load, with_parameters
from trimtab.desk import decider
from trimtab.doctor.check import Result, Visit
from trimtab.settings.secret import ALERT_URLS, BROKER, PARAMETER, SECRET_NAMES, named_parameters, split_urls
from trimtab.stations.naming import demand_names

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["config", "extras", "keys", "parameters", "python", "strategy"]

OLDEST = (3, 11)
"""The oldest Python that Trimtab is made for (pyproject.toml, requires-python)."""


def python(_visit: Visit) -> Result:
    """Look at Python and at the packages that a run imports."""
    here = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        return Result("FAIL", f"Python {here}", f"Trimtab needs Python {oldest} or newer")
    missing = list(_missing())
    if missing:
        hint = (
            "install the packages as they are locked: pip install --require-hashes -r requirements/core.txt"
        )
        return Result("FAIL", f"Python {here}, without {', '.join(missing)}", hint)
    return Result("ok", f"Python {here}, trimtab {__version__}")


def _missing() -> Iterable[str]:
    """Name each package that Trimtab requires and is not here; none is known in a folder of sources."""
    try:
        named = requires("trimtab") or []
    except PackageNotFoundError:
        return
    for requirement in named:
        name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
        try:
            version(name)
        except PackageNotFoundError:
            if "extra ==" not in requirement:
                yield name


def config(visit: Visit) -> Result:
    """Load the configuration, with the environment over it.

    Raises:
        Misconfigured: anything about it is wrong.
    """
    settings = visit.settings_found = load(visit.config, {}, visit.environ)
    seen = f"{settings.portfolio}, {settings.mode}, every {_every(settings.schedule.job_interval)}"
    if settings.dry_run and settings.mode != "simulated":
        return Result("warn", f"{seen}; dry_run", '"dry_run": false lets runs send orders')
    return Result("ok", seen + (", dry_run" if settings.dry_run else ""))


def _every(interval: str) -> str:
    return {"daily": "session", "weekly": "week", "monthly": "month"}[interval]


def extras(visit: Visit) -> Result:
    """Look for the packages that this configuration needs besides."""
    urls = split_urls(visit.environ.get(ALERT_URLS, ""))
    apprise = any(urlsplit(url).scheme not in {"http", "https"} for url in urls if "://" in url)
    named = any(visit.environ.get(name + PARAMETER) for name in (*BROKER, *SECRET_NAMES))
    in_aws = named or visit.settings.store_url.startswith("s3://")
    wanted = {
        "boto3": ("aws", in_aws, "what is kept in AWS"),
        "apprise": ("alerts", apprise, "an alert URL"),
    }
    needed = {name: (extra, why) for name, (extra, needs, why) in wanted.items() if needs}
    for name, (extra, why) in needed.items():
        if find_spec(name) is None:
            return Result("FAIL", f"{why} needs {name}", f"pip install 'trimtab[{extra}]'")
    return Result("ok", ", ".join(needed) or "none needed")


def parameters(visit: Visit) -> Result:
    """Read the SSM parameters that the environment names; their values are shown nowhere.

    Raises:
        Misconfigured: one is absent, forbidden, or given beside its value.
    """
    named = named_parameters(visit.environ, dict.fromkeys((*BROKER, *SECRET_NAMES)))
    if not named:
        return Result("ok", "none named")
    with_parameters(visit.environ, named)
    return Result("ok", f"read: {', '.join(named)}")


def strategy(visit: Visit) -> Result:
    """Load the strategy, with the universe it trades.

    Raises:
        Misconfigured: it can't be loaded, or has no universe.
    """
    loaded = visit.loaded = decider(visit.settings)
    symbols = f"{len(loaded.symbols)} symbol{'' if len(loaded.symbols) == 1 else 's'}"
    return Result("ok", f"{loaded.name}, {symbols}, {loaded.lookback_sessions} sessions of history")


def keys(visit: Visit) -> Result:
    """Wire the broker: keys are there, stand in no name, and the hosts may see them and serve the mode.

    Raises:
        Misconfigured: they are not.
        Skipped: simulated mode, and no strategy.
    """
    visit.wire()
    demand_names(visit.world.redact, visit.mandate)
    if visit.settings.mode == "simulated":
        return Result("ok", "simulated: no keys, the exchange is embedded")
    return Result("ok", f"{visit.settings.mode} keys, for {visit.mandate.host}")
