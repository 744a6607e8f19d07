"""App: the router: who may look, and which pages there are.

`trimtab dashboard` serves it; so does `streamlit run dashboard/app.py` in a folder with a config.json.
"""

from __future__ import annotations

import sys
from pathlib import Path

import streamlit as st

HERE = Path(__file__).resolve().parent
if str(HERE.parent) not in sys.path:  # Streamlit puts the script's own folder there, not the package's
    sys.path.insert(0, str(HERE.parent))

from dashboard import guard  # noqa: E402 - found by the path above

st.set_page_config("Trimtab", ":material/balance:", layout="wide")
guard.keep()
PAGES = (
    st.Page(HERE / "pages/now.py", title="Now", icon=":material/schedule:", default=True),
    st.Page(HERE / "pages/performance.py", title="Performance", icon=":material/show_chart:"),
    st.Page(HERE / "pages/runs.py", title="Runs", icon=":material/event_available:"),
    st.Page(HERE / "pages/trading.py", title="Trading", icon=":material/swap_horiz:"),
    st.Page(HERE / "pages/health.py", title="Health", icon=":material/monitor_heart:"),
)
st.navigation(PAGES, position="top").run()
