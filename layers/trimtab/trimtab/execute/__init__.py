"""Execute: sells, waits for the fills, then buys; safe to run again at any point.

Each order of the plan is a chain of up to four slots, each with an id made of account, portfolio, session
and symbol alone. Slot n is sized only after slots 0..n-1 have ended, from their fills, against the stored
plan; the broker admits one order per id. So whatever crashes, is delayed or runs twice, the fills cannot
pass the plan.
"""

from trimtab.execute.floor import Chain, Floor
from trimtab.execute.phases import execute
from trimtab.execute.reconcile import reconcile

__all__ = ["Chain", "Floor", "execute", "reconcile"]
