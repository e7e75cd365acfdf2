"""Configuration: one TOML file; `CONNECTOR__SECTION__KEY` overrides, `${NAME}` reads the environment.

Every mistake is told at once, with the key, what is wrong and how to mend it. Values never appear in a message.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource
from pydantic_settings import SettingsConfigDict as SettingsConfig

from connector.domain.errors import ConfigError

PREFIX = "CONNECTOR__"
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def _listed(value: object) -> object:
    """A comma list from the environment, or the list that stands in the file; empty entries are left out."""
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",")]
    return [part for part in value if part] if isinstance(value, list) else value


def _blank_is_none(value: object) -> object:
    return None if value == "" else value


Secrets = Annotated[list[SecretStr], NoDecode, BeforeValidator(_listed)]
Secret = Annotated[SecretStr | None, BeforeValidator(_blank_is_none)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class StoreSettings(_Section):
    """Where the truth is kept."""

    url: str = "sqlite:///connector.db"
    keep_deliveries_days: int = Field(default=30, ge=7)
    keep_bodies_days: int = Field(default=7, ge=1)
    keep_journal_days: int = Field(default=90, ge=30)


class QueueSettings(_Section):
    """Who rings the bell: this process (`memory://`) or Celery over Redis."""

    url: str = "memory://"
    check_certificate: bool = True
    """Off only for platforms whose Redis shows a self-signed chain."""


class NextCapSettings(_Section):
    """The helpdesk."""

    api_url: str = "https://api.nextcap.ai/api/v1"
    chat_url: str = "https://api.nextcap.ai"
    web_url: str = "https://app.nextcap.ai/tickets/{id}"
    api_key: Secret = None
    data_key: Secret = None
    webhook_secrets: Secrets = []
    signature: str = "auto"
    calls_per_minute: int = Field(default=60, ge=1)
    poll_seconds: float = Field(default=15.0, ge=1)


class ConnectionSettings(_Section):
    """One CRM account."""

    crm: Literal["hubspot"]
    mapping: Path
    api_url: str = "https://api.hubapi.com"
    access_token: Secret = None
    client_id: str | None = None
    client_secret: Secret = None
    refresh_token: Secret = None
    webhook_secrets: Secrets = []
    signatures: list[Literal["v1", "v2", "v3"]] = ["v3"]
    calls_per_10_seconds: int = Field(default=100, ge=1)
    label: str | None = None


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
    connections: dict[str, ConnectionSettings] = {}
    folder: Path = Field(default=Path(), exclude=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic calls it by these names
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (env_settings, init_settings)


def config_path() -> Path:
    """Where the file is expected: `CONNECTOR_CONFIG`, else `config.toml` in the working directory."""
    return Path(os.environ.get("CONNECTOR_CONFIG") or "config.toml").absolute()


def load(path: Path | None = None) -> Settings:
    """Read and check the configuration. Raises ConfigError with every mistake. No file: the defaults."""
    path = path or config_path()
    written: dict[str, Any] = {}
    if path.exists():
        written = _substituted(_toml(path), path)
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


def _substituted(value: Any, path: Path) -> Any:
    """`${NAME}` from the environment; a name that is not set becomes nothing, and a key that needs it says so."""
    if isinstance(value, dict):
        return {key: _substituted(one, path) for key, one in value.items()}
    if isinstance(value, list):
        return [_substituted(one, path) for one in value]
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
        if name == "nextcap" or not re.fullmatch(r"[a-z][a-z0-9-]{0,30}", name):
            problems.append(f"connections.{name}: a name is lower-case letters, digits and dashes, and not `nextcap`")
        has_oauth = connection.client_id and connection.client_secret and connection.refresh_token
        if not connection.access_token and not has_oauth:
            problems.append(
                f"connections.{name}: give access_token, or client_id + client_secret + refresh_token; "
                "a ${NAME} that is not set in the environment counts as missing"
            )
    key = settings.nextcap.api_key.get_secret_value() if settings.nextcap.api_key else ""
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
