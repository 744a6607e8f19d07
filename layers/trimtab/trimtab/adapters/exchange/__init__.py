"""Exchange: a simulated broker and market that replays daily prices on a virtual clock."""

from trimtab.adapters.exchange.clock import ExchangeClock
from trimtab.adapters.exchange.exchange import Exchange
from trimtab.adapters.exchange.records import Behaviour

__all__ = ["Behaviour", "Exchange", "ExchangeClock"]
