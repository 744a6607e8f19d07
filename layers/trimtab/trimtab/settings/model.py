"""Settings model: every key of config.json, its default and its meaning; limits have theirs in core."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, PrivateAttr
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from trimtab.core.limits import Execution, Gates, Risk
from trimtab.core.record import digest
from trimtab.errors import Misconfigured

Document = dict[str, JsonValue]
"""A JSON object."""

REPLACED_WHOLE = (("strategy", "params"), ("risk", "max_order_size_by_symbol"))
"""The owner's own dictionaries: a higher layer's replaces a lower one's; sections are merged key by key.
Weights or limits mixed from two places would be nobody's decision."""

DECIDES = ("strategy", "universe", "data", "execution", "risk", "portfolio", "mode")
"""The keys that decide what is traded: the config digest is theirs."""

PORTFOLIO = "[a-z0-9-]{1,24}"
"""A portfolio's name, as a regular expression."""
DEFAULT_STORE = {"simulated": "./trimtab-data", "paper": "./trimtab-paper", "live": "./trimtab-live"}

BUCKET_URL = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9_-][A-Za-z0-9._-]*)*/?", re.ASCII)

_FIRM = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _unique(value: tuple[str, ...]) -> tuple[str, ...]:
    repeated = sorted({item for item in value if value.count(item) > 1})
    if repeated:
        raise ValueError(f"{', '.join(repeated)} is named more than once; each is named once")
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (OSError, ValueError, KeyError):
        raise ValueError("no such time zone; it is an IANA name such as America/New_York") from None
    return value


_Distinct = (
    BeforeValidator(_as_tuple),
    AfterValidator(_unique),
    Field(json_schema_extra={"uniqueItems": True}),
)
Symbol = Annotated[str, Field(pattern=r"^[A-Z0-9.\-/]{1,16}$")]
Outcome = Literal["traded", "halted", "interrupted", "latched", "recovered", "missed", "outside_hours"]


class Strategy(BaseModel):
    """What decides the weights."""

    model_config = _FIRM

    name: Annotated[str, Field(min_length=1, max_length=200)]
    """A built-in strategy's name, or `package.module:function` of your own, found beside this file."""
    params: dict[str, JsonValue] = Field(default_factory=dict)
    """What the strategy's factory is called with."""


class Schedule(BaseModel):
    """When the weights are decided."""

    model_config = _FIRM

    job_interval: Literal["daily", "weekly", "monthly"] = "daily"
    """How often: on every session, or on the first of the week or the month."""
    run_time: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] = "10:00"
    """When the bot wakes, HH:MM on a 24-hour clock."""
    timezone: Annotated[str, AfterValidator(_zone)] = "America/New_York"
    """The IANA time zone of `run_time`."""


class Data(BaseModel):
    """Where prices come from and how they are adjusted."""

    model_config = _FIRM

    feed: Literal["sip", "iex"] = "sip"
    """`sip`: all US exchanges, at least 16 minutes old. `iex`: one exchange, about 2.5 % of the volume."""
    adjustment: Literal["raw", "split", "dividend", "all"] = "all"
    """What bars are adjusted for."""
    lookback_sessions: Annotated[int, Field(ge=2)] | None = None
    """Sessions of history that the strategy sees. Default: as many as it asks for, else 400."""
    gates: Gates = Field(default_factory=Gates)
    """When bars are doubted."""
    file: Annotated[str, Field(pattern=r"^[^\x00-\x1f]+$")] | None = None
    """Daily bars, beside this file if relative: what backtests play, and simulated mode replays."""


class Store(BaseModel):
    """Where the records are kept."""

    model_config = _FIRM

    url: Annotated[str, Field(pattern=r"^[^\x00-\x1f]+$")] | None = None
    """A directory (from this file) or s3://bucket/prefix. Default: ./trimtab-data, -paper, -live by mode."""


class Broker(BaseModel):
    """Where the broker's keys are, if not in the environment."""

    model_config = _FIRM

    parameters: Annotated[str, Field(pattern=r"^(/[A-Za-z0-9_.-]+)+$")] | None = None
    """A path in AWS's parameter store with the keys, hosts and alert URLs under their variables' names."""


class Alerts(BaseModel):
    """What the owner is told of."""

    model_config = _FIRM

    on: Annotated[tuple[Outcome, ...], *_Distinct] = (
        *("traded", "halted", "interrupted", "latched", "recovered", "missed", "outside_hours"),
    )
    """The events that send an alert."""
    allow_private: bool = False
    """Whether alert and ping URLs may point into a private network."""


class _Layer(PydanticBaseSettingsSource):
    """One layer of settings: a document, checked already, of the same shape as config.json."""

    def __init__(self, settings_cls: type[BaseSettings], document: Document) -> None:
        super().__init__(settings_cls)
        self.document = document

    def get_field_value(self, field: object, field_name: str) -> tuple[JsonValue, str, bool]:
        """Give the field's value, its key, and that it needs no decoding."""
        del field
        return self.document.get(field_name), field_name, False

    def __call__(self) -> Document:
        """Give the layer without the dictionaries that a higher layer replaces whole."""
        document = dict(self.document)
        for section, key in REPLACED_WHOLE:
            above, own = self.current_state.get(section), document.get(section)
            if isinstance(above, dict) and key in above and isinstance(own, dict):
                document[section] = {name: value for name, value in own.items() if name != key}
        return document


class Settings(BaseSettings):
    """The settings of one portfolio: config.json."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True, validate_default=False
    )

    strategy: Strategy
    """What decides the weights. The one key that has no default."""
    portfolio: Annotated[str, Field(pattern=f"^{PORTFOLIO}$")] = "main"
    """The portfolio's name, part of every path. One account serves one portfolio."""
    mode: Literal["simulated", "paper", "live"] = "simulated"
    """`simulated`: the embedded exchange, no account needed. `paper`, `live`: Alpaca."""
    dry_run: bool = True
    """Log what would happen, send nothing, store no plan."""
    universe: Annotated[tuple[Symbol, ...], Field(min_length=1), *_Distinct] | None = None
    """What the bot may trade, spelt as Alpaca does (BRK.B). Default: the strategy's own symbols."""
    schedule: Schedule = Field(default_factory=Schedule)
    """When the weights are decided."""
    data: Data = Field(default_factory=Data)
    """Where prices come from."""
    execution: Execution = Field(default_factory=Execution)
    """How targets become orders."""
    risk: Risk = Field(default_factory=Risk)
    """What no order may go beyond."""
    store: Store = Field(default_factory=Store)
    """Where the records are kept."""
    broker: Broker = Field(default_factory=Broker)
    """Where the broker's keys are."""
    alerts: Alerts = Field(default_factory=Alerts)
    """What the owner is told of."""

    _folder: Path | None = PrivateAttr(default_factory=Path)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Give the layers that `of` was given, highest first, and nothing found behind its back."""
        del env_settings, dotenv_settings, file_secret_settings
        if not isinstance(init_settings, InitSettingsSource):
            raise TypeError("settings are made by Settings.of")
        return tuple(_Layer(settings_cls, layer) for layer in init_settings.init_kwargs["layers"])

    @classmethod
    def of(cls, *layers: Document, folder: Path | None) -> Settings:
        """Make settings of documents, highest first, found in `folder`; None where they are in none.

        Raises:
            pydantic.ValidationError: a value is not allowed.
        """
        settings = cls(layers=layers)  # type: ignore[call-arg]  # settings_customise_sources reads it
        settings._folder = folder
        return settings

    @property
    def folder(self) -> Path:
        """The folder in which relative paths and strategy modules are found.

        It is the configuration's; where that is in S3, the working folder, which in Lambda is the function's.
        """
        return self._folder or Path()

    @property
    def store_url(self) -> str:
        """Where the store is: a directory's path, or `s3://bucket/prefix`.

        Raises:
            Misconfigured: there can be no store there, or none of this mode.
        """
        url = self.store.url or DEFAULT_STORE[self.mode]
        if "://" not in url:
            self._demand_place(url)
            return str(self.folder / url)
        if not BUCKET_URL.fullmatch(url):
            raise Misconfigured(
                "invalid_value",
                "store.url: no store has such a URL",
                seen=url,
                allowed="a directory, or s3://bucket/prefix in plain letters, digits, dots and hyphens",
                hint="name a directory, such as ./trimtab-data, or a bucket",
            )
        if self.mode == "simulated":
            raise Misconfigured(
                "simulated_in_s3",
                "store.url: simulated mode keeps its exchange in the store, and that needs a directory",
                seen=url,
                allowed="a directory; s3:// with mode paper or live",
                hint="name a directory, such as ./trimtab-data, or set mode",
            )
        return url.rstrip("/")

    def _demand_place(self, url: str) -> None:
        """Refuse a store that would be another one in every folder that a run is started from.

        Raises:
            Misconfigured: the configuration is in S3, and the store's path is relative.
        """
        if self._folder is None and not Path(url).is_absolute():
            raise Misconfigured(
                "store_nowhere",
                "store.url: beside a configuration in S3 there is no folder that a relative path could be in",
                seen=url,
                allowed="s3://bucket/prefix, or an absolute path",
                hint="set store.url, or TRIMTAB_STORE__URL",
            )

    @property
    def store_path(self) -> Path:
        """The store's directory.

        Raises:
            Misconfigured: the store is in S3.
        """
        url = self.store_url
        if "://" in url:
            raise Misconfigured(
                "store_no_directory",
                "store.url: this reads a store in a directory only",
                seen=url,
                allowed="a directory",
                hint=f"copy it (aws s3 sync {url} DIR) and name the copy: TRIMTAB_STORE__URL=DIR",
            )
        return Path(url)

    @property
    def log_file(self) -> Path:
        """Where the command line keeps its log: in the store; beside the configuration if that is in S3."""
        return (self.folder if "://" in self.store_url else self.store_path) / "app.log"

    @property
    def data_file(self) -> Path:
        """Where daily bars are kept: `data.file`, else bars.parquet beside the configuration."""
        return self.folder / (self.data.file or "bars.parquet")

    def document(self) -> Document:
        """Give every key and its value, defaults too, as JSON holds them; absent where there is none."""
        return self.model_dump(mode="json", exclude_none=True)

    def digest(self) -> str:
        """Give the config digest: SHA-256 of the canonical JSON of what decides the trades."""
        document = self.document()
        return digest({key: document.get(key) for key in DECIDES})
