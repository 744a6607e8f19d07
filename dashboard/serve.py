"""Serve: Streamlit's own command line, with what the pages import loaded before it listens.

The first page would wait for it otherwise: `python serve.py run app.py …` is `streamlit run app.py …`.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:] = [
    str(HERE.parent),
    *(place for place in sys.path if place != str(HERE)),
]  # the package's, not ours

import streamlit.web.cli as command_line  # noqa: E402 - found by the path above

from dashboard import checking, onerun, playing  # noqa: E402, F401 - loaded for the pages, which find them so

if __name__ == "__main__":
    command_line.main(prog_name="streamlit")
