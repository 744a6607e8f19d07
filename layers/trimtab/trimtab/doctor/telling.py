"""Telling: whom alerts and pings go to; without being asked to, nothing is sent."""

from __future__ import annotations

import socket
import threading
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from trimtab.configuration import with_parameters
from trimtab.core.message import Message
from trimtab.desk import outlets
from trimtab.doctor.check import Result, Visit
from trimtab.ports import Undelivered
from trimtab.settings import receivers
from trimtab.settings.secret import ALERT_URLS, HEARTBEAT_URL
from trimtab.stations.evidence import stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["alerts", "heartbeat"]

REACH_S = 4.0
"""Seconds for a connection."""
TELL_S = 8.0
"""Seconds for a message or a ping."""
_PORTS = {"https": 443, "http": 80}


def alerts(visit: Visit) -> Result:
    """Look at the alert URLs; reach their hosts, or with `--send` send each a message.

    Raises:
        Misconfigured: one is not allowed, or needs a package that is not there.
    """
    environ = with_parameters(visit.environ, (ALERT_URLS,))
    urls = [url.get_secret_value() for url in receivers(environ).alert_urls]
    if not urls:
        if visit.settings.mode == "simulated":
            return Result("ok", "none set")
        hint = f"set {ALERT_URLS}: a webhook of Slack, Discord or your own"
        return Result("warn", "nobody is told when a run halts", hint)
    channels, _ = outlets(visit.settings, _without(environ, HEARTBEAT_URL))
    names = ", ".join(channel.name for channel in channels)
    if not visit.send:
        return _reached(urls, f"{names}: reachable, nothing sent", names)
    word = _word(visit)
    answers = [(channel.name, _fault(partial(channel.tell, word, TELL_S))) for channel in channels]
    faults = [f"{name}: {why}" for name, why in answers if why]
    if faults:
        return Result("FAIL", "; ".join(faults), "copy the URL again from the service")
    return Result("ok", f"{names}: a message was taken")


def heartbeat(visit: Visit) -> Result:
    """Look at the watcher's URL; reach its host, or with `--send` ping it.

    Raises:
        Misconfigured: it is not allowed.
    """
    environ = with_parameters(visit.environ, (HEARTBEAT_URL,))
    url = receivers(environ).heartbeat_url
    if url is None:
        if visit.settings.mode == "simulated":
            return Result("ok", "none set")
        hint = f"set {HEARTBEAT_URL}: a check of Healthchecks, so that silence is an alarm"
        return Result("warn", "nobody notices when no run wakes", hint)
    _, watcher = outlets(visit.settings, _without(environ, ALERT_URLS))
    if watcher is None or not visit.send:
        return _reached([url.get_secret_value()], "reachable, nothing sent", "the watcher")
    why = _fault(lambda: watcher.success("doctor", "a ping of trimtab doctor, no run", TELL_S))
    if why:
        return Result("FAIL", why, "copy the URL again from the service")
    return Result("ok", "a ping was taken")


def _without(environ: Mapping[str, str], name: str) -> dict[str, str]:
    """Give the environment without what another check looks at."""
    return {key: value for key, value in environ.items() if key != name}


def _word(visit: Visit) -> Message:
    """Give the message that is sent to see whether it arrives."""
    text = "A message of trimtab doctor: alerts arrive here. Nothing happened."
    portfolio, at = visit.settings.portfolio, stamp(visit.clock.now())
    return Message((), f"{portfolio}: a test", text, "good", "test", portfolio, None, None, at)


def _fault(tell: Callable[[], None]) -> str:
    """Say why something did not arrive; empty where it did."""
    try:
        tell()
    except Undelivered as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - its text may quote the URL: only its name is shown
        return f"failed ({type(error).__name__})"
    return ""


def _reached(urls: list[str], well: str, names: str) -> Result:
    """Connect to each host that is reached over http, and send nothing."""
    away = sum(1 for url in urls if urlsplit(url).scheme in _PORTS and not _connects(url))
    if away:
        hint = "look at the URL and the network; --send shows what the service answers"
        return Result("FAIL", f"{names}: {away} of {len(urls)} hosts can't be reached", hint)
    return Result("ok", well)


def _connects(url: str) -> bool:
    """Say whether a URL's host takes a connection; a name server that hangs is left behind."""
    parts, done = urlsplit(url), []

    def connect() -> None:
        try:
            address = (parts.hostname or "", parts.port or _PORTS[parts.scheme])
            socket.create_connection(address, REACH_S).close()
            done.append(True)
        except OSError:
            done.append(False)

    thread = threading.Thread(target=connect, daemon=True, name="doctor")
    thread.start()
    thread.join(REACH_S + 1)
    return done == [True]
