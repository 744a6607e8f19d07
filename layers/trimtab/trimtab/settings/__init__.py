"""Settings: config.json, environment and flags, made into what the owner decided.

`load` reads them in this order of precedence: flag, environment, file, default. Whatever is wrong is one
`Misconfigured` that names the key, what was seen and what is allowed. `salvage` finds the store in what can't
be loaded, for a halt.
"""

from trimtab.settings.document import schema, starter
from trimtab.settings.loading import load
from trimtab.settings.model import Alerts, Data, Schedule, Settings, Store, Strategy
from trimtab.settings.redaction import Redactor, error_document, log_line, redactor
from trimtab.settings.salvage import Salvaged, salvage
from trimtab.settings.secret import Receivers, Secrets, receivers, secrets

__all__ = [
    "Alerts",
    "Data",
    "Receivers",
    "Redactor",
    "Salvaged",
    "Schedule",
    "Secrets",
    "Settings",
    "Store",
    "Strategy",
    "error_document",
    "load",
    "log_line",
    "receivers",
    "redactor",
    "salvage",
    "schema",
    "secrets",
    "starter",
]
