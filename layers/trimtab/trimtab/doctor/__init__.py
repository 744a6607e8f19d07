"""Doctor: everything that a run stands on, looked at before it has to: each thing ok, warn or FAIL.

Checks stand by themselves: one that fails keeps only those from looking that need it. Nothing is traded;
the one order that is sent, on paper, can't fill.
"""

from trimtab.doctor import broker, keeping, owner, telling
from trimtab.doctor.check import Check, Result, Visit, examine
from trimtab.doctor.duty import duty

__all__ = ["CHECKS", "Check", "Result", "Visit", "examine"]

CHECKS = (
    Check("python", "Python and the packages that a run imports", (), owner.python),
    Check("config", "config.json and the environment over it", (), owner.config),
    Check("extras", "packages that this configuration needs besides", ("config",), owner.extras),
    Check("parameters", "SSM parameters can be read", ("config", "extras"), owner.parameters),
    Check("strategy", "the strategy loads, and has a universe", ("config",), owner.strategy),
    Check("keys", "keys are there, and host and mode agree", ("parameters",), owner.keys),
    Check("account", "the account may trade, and adds up", ("keys",), broker.account),
    Check("store", "put-if-absent really excludes", ("config", "extras"), keeping.store),
    Check("binding", "the store is this account's and mode's", ("account", "store"), broker.binding),
    Check("clock", "this machine's clock and the broker's", ("keys", "account"), broker.clock),
    Check("calendar", "the exchange's sessions, and the next window", ("clock",), broker.calendar),
    Check("schedule", "the run's time is within that window", ("calendar",), broker.schedule),
    Check("data", "bars and quotes of the universe in this feed", ("calendar", "strategy"), broker.data),
    Check("symbols", "the broker lists each symbol as tradable", ("account", "strategy"), broker.symbols),
    Check("trades", "trades.db opens and is sound", ("keys", "store"), keeping.trades),
    Check("halts", "no flag keeps the portfolio from trading", ("keys", "store"), keeping.halts),
    Check("approval", "no run waits for a person", ("trades",), keeping.approval),
    Check("alerts", "alert URLs are allowed, and reached", ("parameters",), telling.alerts),
    Check("heartbeat", "the watcher's URL is allowed, and reached", ("parameters",), telling.heartbeat),
    Check("duty", "paper: an id is taken once, even after its order ended", ("account", "calendar"), duty),
)
"""Every check, in the order in which they are made."""
