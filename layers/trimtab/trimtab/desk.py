"""Desk: the composition root. Simulated, paper, live and dry run differ here and nowhere else."""

from __future__ import annotations

import hashlib
import math
import random
import secrets as chance
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

import requests

from trimtab import __version__
from trimtab.adapters.alpaca import AlpacaBroker, AlpacaHost, AlpacaMarket, Keys, check_host, declared_mode
from trimtab.adapters.clock import SystemClock
from trimtab.adapters.healthchecks import Healthchecks
from trimtab.adapters.inputs import inputs_file, read_inputs
from trimtab.adapters.keyring import with_ring
from trimtab.adapters.loopback import is_loopback
from trimtab.adapters.notify import notifiers
from trimtab.adapters.stores import open_store
from trimtab.adapters.strategy_loader import Loaded, resolve
from trimtab.adapters.webhook import Wire
from trimtab.configuration import with_parameters
from trimtab.core.mandate import Mandate
from trimtab.errors import Misconfigured
from trimtab.ports import World
from trimtab.rebalance import rebalance
from trimtab.settings import Settings, Strategy, receivers, redactor, secrets
from trimtab.settings.model import DECIDES
from trimtab.settings.redaction import learn
from trimtab.settings.secret import ALERT_URLS, BROKER, HEARTBEAT_URL, SECRET_NAMES
from trimtab.stations.arrive import Arrival
from trimtab.stations.naming import demand_names
from trimtab.strategies import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime
    from types import TracebackType

    from pydantic import JsonValue

    from trimtab.adapters.exchange.exchange import Exchange
    from trimtab.adapters.exchange.tape import Tape
    from trimtab.core.record import Document
    from trimtab.ports import Broker, Clock, Heartbeat, Market, Notifier, Source

SIMULATED_HOST = "http://localhost"
"""Where the embedded exchange is mounted; no socket is opened."""


@dataclass(slots=True)
class Desk:
    """One portfolio, ready to run: its mandate and its wired world. Close it, or use it as a context.

    `exchange` is the embedded one in simulated mode, else None.
    """

    settings: Settings
    mandate: Mandate
    world: World
    exchange: Exchange | None
    _open: ExitStack

    @classmethod
    def of(
        cls,
        settings: Settings,
        environ: Mapping[str, str],
        *,
        seconds_left: Callable[[], float] = lambda: math.inf,
        warn: Callable[[str], None] | None = None,
    ) -> Self:
        """Wire a desk as the settings say; nothing is asked of the broker yet.

        `seconds_left` says how long a run may still take; `warn` hears what the owner could not be told.
        Without it nobody is told anything, and a bad URL keeps nobody from halting.

        Raises:
            Misconfigured: keys, hosts, alert or ping URLs, strategy, universe or store are not usable, a
                secret stands in a name, or an SSM parameter that holds one of them can't be read.
        """
        environ = _own_keys(settings, _read(settings, environ, told=warn is not None))
        loaded = decider(settings)
        universe = loaded.symbols
        store, trades = open_store(settings.store_url)
        channels, heartbeat = ((), None) if warn is None else outlets(settings, environ)
        with ExitStack() as stack:
            if settings.mode == "simulated":
                outside = _simulated(settings, universe, stack)
            else:
                outside = _alpaca(settings, environ)
            hosts = [outside.host(kind, seconds_left) for kind in ("trading", "data")]
            for host in hosts:
                stack.callback(host.close)
            world = World(
                AlpacaBroker(hosts[0]),
                AlpacaMarket(hosts[1], feed=settings.data.feed, adjustment=settings.data.adjustment),
                store,
                trades,
                outside.clock,
                inputs_file,
                read_inputs,
                lambda: _fresh_id(outside.clock.now()),
                seconds_left,
                channels,
                heartbeat,
                redactor(environ).value,
                warn or (lambda _text: None),
            )
            mandate = _mandate(settings, loaded, outside.urls["trading"])
            if warn is not None:  # whoever halts is not kept from it
                demand_names(world.redact, mandate)
            return cls(settings, mandate, world, outside.exchange, stack.pop_all())
        raise AssertionError  # the stack never swallows an error

    def run(self, arrival: Arrival | None = None) -> Document:
        """Run the line once and give its record."""
        return rebalance(self.world, self.mandate, arrival or Arrival())

    def next_session(self) -> None:
        """Move the embedded exchange to the next session's `run_time`.

        Raises:
            Misconfigured: the mode is not simulated.
            Halted: its data ends here.
        """
        if self.exchange is None:
            raise Misconfigured(
                "not_simulated",
                "only the simulated exchange can be moved to another session",
                seen=f"mode {self.settings.mode}",
                allowed="mode simulated",
                hint="leave --next and --sessions away",
            )
        self.exchange.step()

    def close(self) -> None:
        """Close what was opened."""
        self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class _Outside:
    """Where orders and bars come from: hosts, keys, a clock, and perhaps an exchange of our own."""

    urls: dict[str, str]
    keys: Keys
    clock: Clock
    session: Callable[[], requests.Session]
    exchange: Exchange | None = None

    def host(self, kind: str, seconds_left: Callable[[], float]) -> AlpacaHost:
        return AlpacaHost(
            self.urls[kind],
            "trading" if kind == "trading" else "data",
            self.keys,
            self.clock,
            rng=random.Random(),  # noqa: S311 - jitter of retries, not a secret
            deadline=seconds_left,
            session=self.session(),
        )


def _read(settings: Settings, environ: Mapping[str, str], *, told: bool) -> Mapping[str, str]:
    """Give the environment with what SSM holds of the broker's keys and, if anybody is told, of the URLs.

    Raises:
        Misconfigured: it can't be read.
    """
    names = () if settings.mode == "simulated" else BROKER
    return with_parameters(environ, (*names, *((ALERT_URLS, HEARTBEAT_URL) if told else ())))


def told_from(settings: Settings, environ: Mapping[str, str]) -> Mapping[str, str]:
    """Give the environment with what AWS keeps of the alert and ping URLs.

    Raises:
        Misconfigured: it can't be read.
    """
    return _own_keys(settings, with_parameters(environ, (ALERT_URLS, HEARTBEAT_URL)))


def _own_keys(settings: Settings, environ: Mapping[str, str]) -> Mapping[str, str]:
    """Give the environment with what lies below `broker.parameters` in its place, if that is set.

    Raises:
        Misconfigured: it can't be read, or holds no keys.
    """
    found = with_ring(settings.broker.parameters, environ)
    if found is not environ:
        learn(found[name] for name in SECRET_NAMES if found.get(name))
    return found


def _simulated(settings: Settings, universe: tuple[str, ...], stack: ExitStack) -> _Outside:
    """Open the embedded exchange kept in the store, mounted below the broker's adapter."""
    from trimtab.adapters.exchange import Exchange, ExchangeClock  # noqa: PLC0415 - only this mode pays for it
    from trimtab.adapters.sandbox import Face, SandboxTransport  # noqa: PLC0415 - as above

    path = settings.store_path / "exchange" / f"{settings.portfolio}.db"
    path.parent.mkdir(parents=True, exist_ok=True)
    exchange = Exchange.open(replayed(settings, universe), path=path)
    stack.callback(exchange.close)

    transport = SandboxTransport(Face(exchange, rate_limit=None))

    def session() -> requests.Session:
        mounted = requests.Session()
        mounted.mount(SIMULATED_HOST, transport)
        return mounted

    urls = {"trading": SIMULATED_HOST, "data": SIMULATED_HOST}
    return _Outside(urls, Keys("simulated", "simulated"), ExchangeClock(exchange), session, exchange)


def _alpaca(settings: Settings, environ: Mapping[str, str]) -> _Outside:
    """Check the keys and hosts of a paper or live account."""
    given = secrets(settings, environ)
    urls = {"trading": check_host(given.base_url, "trading"), "data": check_host(given.data_url, "data")}
    if declared_mode(urls["trading"]) != settings.mode:
        raise Misconfigured(
            "host_mode",
            "the trading host does not serve this mode",
            seen=f"{urls['trading']} with mode {settings.mode}",
            allowed="the paper host (or loopback) for paper, the live host for live",
            hint="set APCA_API_BASE_URL or mode so that they agree",
        )
    return _Outside(urls, Keys(given.key_id, given.secret_key), SystemClock(), requests.Session)


def outlets(
    settings: Settings, environ: Mapping[str, str], made: Callable[..., tuple[Notifier, ...]] = notifiers
) -> tuple[tuple[Notifier, ...], Heartbeat | None]:
    """Give what tells the owner, on the machine's clock: it speaks to the real world in every mode.

    Raises:
        Misconfigured: a URL is not allowed, or needs a library that is not installed; of alerts', as `made`.
    """
    given, private = receivers(environ), settings.alerts.allow_private
    clock, wire = SystemClock(), Wire(allow_private=private)
    urls = [url.get_secret_value() for url in given.alert_urls]
    channels = made(urls, clock, wire, where=ALERT_URLS, allow_private=private)
    if given.heartbeat_url is None:
        return channels, None
    url = given.heartbeat_url.get_secret_value()
    return channels, Healthchecks(url, clock, wire, where=HEARTBEAT_URL, allow_private=private)


def replayed(settings: Settings, symbols: Sequence[str]) -> Tape:
    """Give what simulated mode replays: `data.file`, else a sample with these and the account's symbols.

    Raises:
        Misconfigured: the file is not usable.
    """
    from trimtab.adapters.exchange.state import kept_symbols  # noqa: PLC0415 - only this mode pays for it
    from trimtab.adapters.files import read_tape  # noqa: PLC0415 - as above
    from trimtab.adapters.sample import embedded  # noqa: PLC0415 - as above

    if settings.data.file is not None:
        return read_tape(settings.data_file)
    kept = kept_symbols(settings.store_path / "exchange" / f"{settings.portfolio}.db")
    return embedded(sorted({*symbols, *kept}))


def source(settings: Settings, symbols: Sequence[str], file: str | None = None) -> Source:
    """Give the history to look back on: the file named, else what the mode has.

    Simulated mode looks back on what it replays. Paper and live do on `data.file`, else on what `trimtab data
    fetch` keeps: never on the sample, whose prices are not those of the account.

    Raises:
        Misconfigured: there is none.
    """
    from trimtab.adapters.sources import FileSource, TapeSource  # noqa: PLC0415 - a run looks back on the broker

    adjustment = settings.data.adjustment
    if file is not None:
        return FileSource(Path(file), adjustment)
    if settings.data.file is None and settings.mode == "simulated":
        return TapeSource(replayed(settings, symbols), adjustment)
    if settings.data.file is None and not settings.data_file.exists():
        raise Misconfigured(
            "no_data",
            f"a {settings.mode} portfolio has no history to look back on yet",
            seen=f"no --data, no data.file, no {settings.data_file}",
            allowed="a file of daily bars",
            hint="`trimtab data fetch` gets the universe's bars and keeps them there",
        )
    return FileSource(settings.data_file, adjustment)


@contextmanager
def feed(settings: Settings, environ: Mapping[str, str]) -> Iterator[tuple[Market, Broker]]:
    """Give Alpaca's market and broker, to read from.

    In simulated mode the trading host says which account's keys they are: the paper one, unless it is named.

    Raises:
        Misconfigured: keys or hosts are not usable.
    """
    environ = _own_keys(settings, with_parameters(environ, BROKER))
    if settings.mode == "simulated":
        account = declared_mode(environ.get("APCA_API_BASE_URL", "").strip())
        settings = settings.model_copy(update={"mode": account})
    outside = _alpaca(settings, environ)
    with ExitStack() as stack:
        trading, data = (outside.host(kind, lambda: math.inf) for kind in ("trading", "data"))
        for host in (trading, data):
            stack.callback(host.close)
        market = AlpacaMarket(data, feed=settings.data.feed, adjustment=settings.data.adjustment)
        yield market, AlpacaBroker(trading)


def undecided(settings: Settings) -> Settings:
    """Give settings of the same account without the owner's strategy: a broken one must not be in the way.

    The embedded exchange replays the strategy's own symbols, so there it stays.
    """
    if settings.mode == "simulated":
        return settings
    symbols: list[JsonValue] = list(settings.universe or ("SPY",))
    neutral = Strategy(name="equal_weight", params={"symbols": symbols})
    return settings.model_copy(update={"strategy": neutral})


def decider(settings: Settings) -> Loaded:
    """Give the strategy that the settings name, with the universe as its symbols and the history it is shown.

    Raises:
        Misconfigured: there is no such strategy, it has no universe, or it needs more history.
    """
    loaded = resolve(settings.strategy.name, settings.strategy.params, settings.folder, BUILT_IN)
    universe = _universe(settings, loaded)
    return replace(loaded, symbols=universe, lookback_sessions=_lookback(settings, loaded))


def _universe(settings: Settings, loaded: Loaded) -> tuple[str, ...]:
    universe = settings.universe or loaded.symbols
    small = [symbol for symbol in universe if symbol != symbol.upper()]
    if small:
        raise Misconfigured(
            "unknown_symbol",
            "symbols are written in capitals",
            seen=", ".join(small),
            allowed="as Alpaca spells them: SPY, BRK.B",
            hint=f"did you mean {', '.join(map(str.upper, small))}?",
        )
    unknown = sorted(set(settings.risk.max_order_size_by_symbol) - set(universe))
    if universe and unknown:
        raise Misconfigured(
            "unknown_symbol",
            "risk.max_order_size_by_symbol limits a symbol that is not traded",
            seen=", ".join(unknown),
            allowed=", ".join(sorted(universe)),
            hint="spell it as in the universe, or leave it out",
        )
    if not universe:
        raise Misconfigured(
            "no_universe",
            "the strategy does not name its symbols, so the configuration must",
            seen=f"strategy {settings.strategy.name} without symbols, no universe",
            allowed='"universe": ["SPY", …]',
            hint="add universe to config.json",
        )
    return tuple(sorted(universe))


def on_loopback(netloc: str) -> bool:
    """Say whether a broker's host, as a record names it with its port, is this machine."""
    return is_loopback(urlsplit(f"//{netloc}").hostname or "")


def _mandate(settings: Settings, loaded: Loaded, host: str) -> Mandate:
    document, netloc = settings.document(), urlsplit(host).netloc
    return Mandate(
        portfolio=settings.portfolio,
        mode=settings.mode,
        dry_run=settings.dry_run,
        universe=loaded.symbols,
        rule=loaded,
        lookback=loaded.lookback_sessions,
        interval=settings.schedule.job_interval,
        feed=settings.data.feed,
        execution=settings.execution,
        risk=settings.risk,
        host=netloc,
        loopback=on_loopback(netloc),
        config={key: document.get(key) for key in DECIDES},
        config_digest=settings.digest(),
        code_digest=code_digest(loaded.file),
        version=__version__,
        least_history=loaded.least_history,
        adjustment=settings.data.adjustment,
        gates=settings.data.gates,
        alerts=frozenset(settings.alerts.on),
    )


def _lookback(settings: Settings, loaded: Loaded) -> int:
    """Give the sessions that the strategy sees.

    Raises:
        Misconfigured: fewer than it says it needs.
    """
    asked = settings.data.lookback_sessions
    if asked is not None and asked < loaded.least_history:
        raise Misconfigured(
            "lookback_too_short",
            f"data.lookback_sessions: {loaded.name} needs more history to decide",
            seen=asked,
            allowed=f"at least {loaded.least_history}",
            hint="leave data.lookback_sessions out: the strategy says what it needs",
        )
    return asked or loaded.lookback_sessions


def code_digest(strategy: Path | None) -> str:
    """Give the digest of Trimtab's sources and the strategy's module: names and contents."""
    root = Path(__file__).parent
    files = {path.relative_to(root).as_posix(): path for path in root.rglob("*.py")}
    if strategy is not None and root not in strategy.parents:
        files[f"strategy/{strategy.name}"] = strategy
    whole = hashlib.sha256()
    for name in sorted(files):
        whole.update(f"{name}\n{hashlib.sha256(files[name].read_bytes()).hexdigest()}\n".encode())
    return whole.hexdigest()


def _fresh_id(now: datetime) -> str:
    return f"{now:%Y%m%dT%H%M%SZ}-{chance.token_hex(4)}"
