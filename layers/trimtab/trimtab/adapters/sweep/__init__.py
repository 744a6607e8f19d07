"""Sweep: what a sweep touches: prices mapped into memory, processes that play, results that are kept."""

from trimtab.adapters.sweep.kept import Kept
from trimtab.adapters.sweep.prices import map_prices, prices_file, read_prices_file, write_prices
from trimtab.adapters.sweep.workers import Lost, Workers

__all__ = ["Kept", "Lost", "Workers", "map_prices", "prices_file", "read_prices_file", "write_prices"]
