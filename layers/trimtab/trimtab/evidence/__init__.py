"""Evidence: what shows a backtest, tries its strategy, and holds it against what the account did.

`report_html` makes one page that opens anywhere, offline.
"""

from __future__ import annotations

from trimtab.evidence.report import report_html

__all__ = ["report_html"]
