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

from dashboard import guard, looks  # noqa: E402 - found by the path above

st.set_page_config("Trimtab", str(HERE / "icon.svg"), layout="wide")  # a named icon is fetched from afar
guard.keep()
PAGES = (
    st.Page(HERE / "views/now.py", title="Now", icon=":material/schedule:", default=True),
    st.Page(HERE / "views/performance.py", title="Performance", icon=":material/show_chart:"),
    st.Page(HERE / "views/runs.py", title="Runs", icon=":material/event_available:"),
    st.Page(HERE / "views/trading.py", title="Trading", icon=":material/swap_horiz:"),
    st.Page(HERE / "views/health.py", title="Health", icon=":material/monitor_heart:"),
)
st.navigation(PAGES, position="top").run()
st.html(looks.SCRIPT, unsafe_allow_javascript=True)  # ours to the letter: it follows the pointer over charts
