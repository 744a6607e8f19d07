"""Pages: one file each; `app.py` names them."""
