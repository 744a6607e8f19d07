"""Alpaca: the `Broker` and `Market` ports over Alpaca's REST API. No pandas is ever imported."""

from trimtab.adapters.alpaca.broker import AlpacaBroker
from trimtab.adapters.alpaca.hosts import DATA_HOST, LIVE_HOST, PAPER_HOST, Keys, check_host, declared_mode
from trimtab.adapters.alpaca.http import AlpacaHost, ReadPolicy
from trimtab.adapters.alpaca.market import AlpacaMarket

__all__ = [
    "DATA_HOST",
    "LIVE_HOST",
    "PAPER_HOST",
    "AlpacaBroker",
    "AlpacaHost",
    "AlpacaMarket",
    "Keys",
    "ReadPolicy",
    "check_host",
    "declared_mode",
]
