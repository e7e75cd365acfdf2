"""Configuration: one TOML file; `CONNECTOR__SECTION__KEY` overrides, `${NAME}` reads the environment.

Every mistake is told at once, with the key, what is wrong and how to mend it. Values never appear in a message.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, SecretStr, SerializeAsAny, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource
from pydantic_settings import SettingsConfigDict as SettingsConfig

from connector.adapters.registry import CRMS, kind, known
from connector.adapters.settings import ConnectionSettings, Secret, Secrets, Section, listed, shown
from connector.adapters.transport import UNSAFE_PATH, is_loopback
from connector.domain.errors import ConfigError
from connector.events import catalogue, signing
from connector.events.catalogue import EventType

PREFIX = "CONNECTOR__"
NAME = r"[a-z][a-z0-9-]{0,30}"
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class StoreSettings(Section):
    """Where the truth is kept."""

    url: str = Field(default="sqlite:///connector.db", repr=False)
    keep_deliveries_days: int = Field(default=30, ge=7)
    keep_bodies_days: int = Field(default=7, ge=1)
    keep_journal_days: int = Field(default=90, ge=30)


class QueueSettings(Section):
    """Who rings the bell: this process (`memory://`) or Celery over Redis."""

    url: str = Field(default="memory://", repr=False)
    check_certificate: bool = True
    """Off only for platforms whose Redis shows a self-signed chain."""


class NextCapSettings(Section):
    """The helpdesk."""

    api_url: str = "https://api.nextcap.ai/api/v1"
    chat_url: str = "https://api.nextcap.ai"
    web_url: str = "https://app.nextcap.ai/tickets/{id}"
    api_key: Secret = None
    data_key: Secret = None
    webhook_secrets: Secrets = Field(default=[])
    signature: str = "auto"
    calls_per_minute: int = Field(default=60, ge=1)
    share_of_limit: int = Field(default=80, ge=10, le=100)
    poll_seconds: float = Field(default=15.0, ge=1)
    rotation_hours: float = Field(default=6.0, gt=0)


class FuseSettings(Section):
    """What stops the connector before it does much harm."""

    mass_changes_per_minute: int = Field(default=200, ge=1)
    """So many tickets closed, reassigned or created by us in Next Cap, or edited by a new mapping, pause that way."""


def _off_or_some_minutes(value: float) -> float:
    if 0 < value < 2:
        raise ValueError("must be 0 (off), or at least 2 minutes")
    return value


def _signing_keys(secrets: list[SecretStr]) -> list[SecretStr]:
    for one in secrets:
        signing.key_of(one.get_secret_value())
    return secrets


def _choosable(types: list[EventType]) -> list[EventType]:
    if not catalogue.CHOOSABLE.issuperset(types) or not types:
        raise ValueError(f"must name some of {', '.join(sorted(catalogue.CHOOSABLE))}")
    return types


class HeartbeatSettings(Section):
    """A synthetic ticket that makes the round trip, for each connection."""

    every_minutes: Annotated[float, AfterValidator(_off_or_some_minutes)] = Field(default=0.0, ge=0.0)

    @property
    def every(self) -> timedelta | None:
        """How often; None where it is off."""
        return timedelta(minutes=self.every_minutes) if self.every_minutes else None


class EventsSettings(Section):
    """Somebody who only wants to listen: where outgoing events are sent, and which."""

    url: str = Field(repr=False)
    """May hold a secret in its path or query, so only its host is ever shown."""
    secrets: Annotated[Secrets, AfterValidator(_signing_keys)] = Field(default=[])
    types: Annotated[list[EventType], BeforeValidator(listed), AfterValidator(_choosable)] = sorted(catalogue.USUAL)
    connections: Annotated[list[str], BeforeValidator(listed)] = Field(default=[])
    """Only tickets that one of these carries; all where none is named."""
    words: bool = False
    """Whether it is told what people wrote: subjects, custom fields, customers, comments."""
    allow_private: bool = False
    """Whether it may stand in a private network, or on this machine."""

    def trouble(self) -> str:
        """What is wrong with the address, or missing; empty where nothing is."""
        parts = urlsplit(self.url)
        here = self.allow_private and parts.scheme == "http" and is_loopback(parts.hostname or "")
        if not parts.hostname or not (parts.scheme == "https" or here) or parts.fragment or parts.username:
            return "url must be https://host/path; http only on this machine, with allow_private = true"
        if UNSAFE_PATH.search(parts.path):
            return "url has a path that is not plain: no spaces, no encoded slashes, no dots that climb"
        if not self.secrets:
            return "give secrets; a ${NAME} that is not set in the environment counts as missing"
        return ""


def _of_its_kind(value: object) -> object:
    """A connection with the keys that its kind of CRM has."""
    if not isinstance(value, dict):
        return value
    crm = value.get("crm")
    if crm not in CRMS and crm not in known():
        told = "is missing" if crm is None else f"{crm!r} is not known"
        raise ValueError(f"crm {told}; there are {', '.join(sorted(known()))}")
    return kind(str(crm)).settings.model_validate(value)


Connection = Annotated[SerializeAsAny[ConnectionSettings], BeforeValidator(_of_its_kind)]


class _Texts(EnvSettingsSource):
    """The environment's values as they are written: whether one is a list or a number, its setting says."""

    def decode_complex_value(self, field_name: str, field: FieldInfo | None, value: Any) -> Any:  # noqa: ARG002
        return value


class Settings(BaseSettings):
    """Everything that is configured."""

    model_config = SettingsConfig(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", hide_input_in_errors=True, env_ignore_empty=True
    )

    public_url: str = "http://127.0.0.1:8000"
    secret_key: Secrets = []
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    behind_proxy: bool = False
    largest_delivery: int = Field(default=1024 * 1024, ge=1024)
    metrics_token: Secret = None
    store: StoreSettings = StoreSettings()
    queue: QueueSettings = QueueSettings()
    nextcap: NextCapSettings = NextCapSettings()
    fuses: FuseSettings = FuseSettings()
    heartbeat: HeartbeatSettings = HeartbeatSettings()
    connections: dict[str, Connection] = {}
    events: dict[str, EventsSettings] = {}
    folder: Path = Field(default=Path(), exclude=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (_Texts(settings_cls), init_settings)


def config_path() -> Path:
    """Where the file is expected: `CONNECTOR_CONFIG`, else `config.toml` in the working directory."""
    return Path(os.environ.get("CONNECTOR_CONFIG") or "config.toml").absolute()


def load(path: Path | None = None) -> Settings:
    """Read and check the configuration. Raises ConfigError with every mistake. No file: the defaults."""
    path = path or config_path()
    written: dict[str, Any] = {}
    if path.exists():
        written = _substituted(_toml(path))
    elif os.environ.get("CONNECTOR_CONFIG"):
        raise ConfigError(f"{path} does not exist; CONNECTOR_CONFIG names it. `connector init` writes one")
    _refuse_unknown_variables()
    merged = _platform(written)
    merged["folder"] = path.parent
    try:
        settings = Settings(**merged)
    except ValidationError as problem:
        raise ConfigError(_told(problem, path)) from problem
    return _checked(settings, path)


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise ConfigError(f"{path} is not valid TOML: {problem}") from problem


def _substituted(value: Any) -> Any:
    """`${NAME}` from the environment; a name that is not set becomes nothing, and a key that needs it says so."""
    if isinstance(value, dict):
        return {key: _substituted(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_substituted(one) for one in value]
    if isinstance(value, str):
        return VARIABLE.sub(lambda match: os.environ.get(match[1], ""), value)
    return value


def _platform(written: Mapping[str, Any]) -> dict[str, Any]:
    """The names that Heroku-like platforms set; they win over the file, and `CONNECTOR__…` over them."""
    merged = {key: dict(value) if isinstance(value, dict) else value for key, value in written.items()}
    for variable, section, key in (("DATABASE_URL", "store", "url"), ("REDIS_URL", "queue", "url")):
        if os.environ.get(variable):
            merged.setdefault(section, {})[key] = os.environ[variable]
    if os.environ.get("REDIS_TLS_URL"):
        merged.setdefault("queue", {})["url"] = os.environ["REDIS_TLS_URL"]
    if os.environ.get("SECRET_KEY"):
        merged["secret_key"] = os.environ["SECRET_KEY"]
    return merged


def _refuse_unknown_variables() -> None:
    known = {name.upper() for name in Settings.model_fields} - {"FOLDER"}
    for variable in os.environ:
        if variable.upper().startswith(PREFIX):
            section = variable.upper()[len(PREFIX) :].split("__")[0]
            if section not in known:
                raise ConfigError(f"the variable {variable} names no setting; sections are {', '.join(sorted(known))}")


def _told(problem: ValidationError, path: Path) -> str:
    lines = []
    for error in problem.errors(include_url=False, include_context=False, include_input=False):
        place = ".".join(str(part) for part in error["loc"])
        lines.append(f"  {place}: {error['msg']}")
    return f"{path} (with the environment) has {len(lines)} mistake(s):\n" + "\n".join(lines)


def _checked(settings: Settings, path: Path) -> Settings:
    """What one key alone cannot tell."""
    problems = []
    for name, connection in settings.connections.items():
        if name == "nextcap" or not re.fullmatch(NAME, name):
            problems.append(f"connections.{name}: a name is lower-case letters, digits and dashes, and not `nextcap`")
        if missing := connection.missing():
            told = "a ${NAME} that is not set in the environment counts as missing"
            problems.append(f"connections.{name}: {missing}; {told}")
    for name, listener in settings.events.items():
        if not re.fullmatch(NAME, name):
            problems.append(f"events.{name}: a name is lower-case letters, digits and dashes")
        if trouble := listener.trouble():
            problems.append(f"events.{name}: {trouble}")
        if unknown := sorted(set(listener.connections) - settings.connections.keys()):
            problems.append(f"events.{name}.connections: there is no connection {', '.join(unknown)}")
    key = shown(settings.nextcap.api_key)
    if key.startswith(("pk_", "sk_live_")):
        problems.append("nextcap.api_key: this is not a CRM key; use the one that begins with nextcap_ck_")
    if problems:
        raise ConfigError(f"{path} has {len(problems)} mistake(s):\n" + "\n".join(f"  {one}" for one in problems))
    return settings


def absolute(settings: Settings, path: Path) -> Path:
    """A path of the configuration: relative ones are relative to its file."""
    return path if path.is_absolute() else settings.folder / path


def store_url(settings: Settings) -> str:
    """The database's address, with a relative SQLite file beside the configuration."""
    url = settings.store.url
    prefix = "sqlite:///"
    if url.startswith(prefix) and not url.startswith("sqlite:////") and url != "sqlite:///:memory:":
        return prefix + str(absolute(settings, Path(url[len(prefix) :])).absolute())
    return url


def secrets_of(settings: BaseModel) -> list[str]:
    """Every secret that is configured, the passwords inside addresses included: what no log may show."""
    found: list[str] = []
    for name, value in settings:
        for one in value if isinstance(value, list) else value.values() if isinstance(value, dict) else [value]:
            if isinstance(one, SecretStr):
                found.append(one.get_secret_value())
            elif isinstance(one, BaseModel):
                found += secrets_of(one)
            elif name == "url" and isinstance(one, str) and (password := urlsplit(one).password):
                found.append(unquote(password))
    return found
