"""Sweeping: many backtests of one grid, as cells that are played apart and judged together.

A grid's parameters, universes and terms are its combinations; its dates are windows, each perhaps split into
a part to choose by and a part after it to judge by. A cell is one combination over one window.
"""

from trimtab.sweeping.cells import Cell, Window
from trimtab.sweeping.grid import Grid
from trimtab.sweeping.trial import Common, trial

__all__ = ["Cell", "Common", "Grid", "Window", "trial"]
