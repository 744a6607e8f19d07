"""Board: what the dashboard shows, shaped from trades.db and the records; pages only lay it out.

`reading` asks trades.db, and the other modules shape what it gave: `days` the calendar of outcomes,
`standing` the last run and its holdings, `curve` the account's performance, `dealing` its orders, `health`
what went wrong and what changed.
"""
