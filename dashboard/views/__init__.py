"""Views: the pages, one file each; `app.py` names them.

The folder is not called `pages`: Streamlit serves the files of such a folder by their addresses, past the
router and its guard, until somebody has opened the router.
"""
