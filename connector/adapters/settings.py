"""What the configuration of a connection may say, whatever its CRM; each kind of CRM adds its own keys."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, ClassVar, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr
from pydantic_settings import NoDecode

from connector.adapters.oauth import Grant, StaticCredentials, client_credentials_grant, jwt_bearer_grant, refresh_grant

IDENTITIES = frozenset({"client_id", "username"})
"""Keys of whose credentials they are, without being secret."""


def listed(value: object) -> object:
    """A comma list from the environment, or the list that stands in the file; empty entries are left out."""
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",")]
    return [part for part in value if part] if isinstance(value, list) else value


def _blank_is_none(value: object) -> object:
    return None if value == "" else value


T = TypeVar("T")
CommaList = Annotated[list[T], NoDecode, BeforeValidator(listed)]
"""A list in the file, a comma list in the environment."""

Secrets = CommaList[SecretStr]
Secret = Annotated[SecretStr | None, BeforeValidator(_blank_is_none)]


def shown(secret: SecretStr | None) -> str:
    """The text of a secret, for what sends it; empty where it is not set."""
    return secret.get_secret_value() if secret else ""


class Section(BaseModel):
    """A part of the configuration: no unknown keys, and no value in a message."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class ConnectionSettings(Section):
    """One CRM account. A kind of CRM subclasses it with the keys that it needs."""

    address_key: ClassVar[str] = "api_url"
    """The key that holds the vendor's address."""

    crm: str
    mapping: Path
    label: str | None = None
    webhook_secrets: Secrets = Field(default=[])
    share_of_limit: int = Field(default=80, ge=10, le=100)
    """Per cent of the vendor's limits that may be ours; the rest is for the customer's other programs."""

    sweep_seconds: float = Field(default=120.0, ge=10)
    """How often this system is asked what changed, for what no webhook told of."""
    rotation_hours: float = Field(default=6.0, gt=0)
    """How often each linked record is read whole and compared, as far as calls allow."""

    @property
    def address(self) -> str:
        """The vendor's address that is called first."""
        return str(getattr(self, self.address_key))

    def credential(self) -> tuple[object, ...]:
        """With what we prove who we are, and where: equal for two connections that share it.

        It holds secrets, which hide themselves from a repr: compare it, keep it nowhere.
        """
        names = [name for name in type(self).model_fields if name not in ConnectionSettings.model_fields]
        told = [(name, getattr(self, name)) for name in names]
        return (
            *self.place(),
            *((name, one) for name, one in told if isinstance(one, SecretStr) or name in IDENTITIES),
        )

    def place(self) -> tuple[str, str]:
        """Where its records are: two connections with one place may look at the same ones."""
        return self.crm, self.address.rstrip("/")

    def counted_by(self) -> tuple[object, ...]:
        """What this vendor counts our calls by: the credential, or less where all of an account share one limit."""
        return self.credential()

    def missing(self) -> str:
        """What of the credentials is not there, in words; empty where they are complete."""
        return ""

    def credentials(self) -> tuple[str, str]:
        """How we prove who we are, in words without a secret; and a doubt about it, or nothing."""
        return "configured", ""


class TokenSettings(ConnectionSettings):
    """An account that is reached with a lasting token, or with an OAuth app's refresh token."""

    token_prefix: ClassVar[str] = ""
    """How the vendor's lasting tokens begin; one that begins otherwise was probably meant for something else."""

    access_token: Secret = None
    client_id: str | None = None
    client_secret: Secret = None
    refresh_token: Secret = None

    def missing(self) -> str:
        """One of the two ways must be whole."""
        if self.access_token or (self.client_id and self.client_secret and self.refresh_token):
            return ""
        return "give access_token, or client_id + client_secret + refresh_token"

    def login(self, token_path: str, *, advice: str) -> StaticCredentials | Grant:
        """What proves who we are; `token_path` is where the OAuth app's tokens are given."""
        if self.access_token:
            return StaticCredentials(shown(self.access_token))
        return refresh_grant(
            token_path,
            client_id=self.client_id or "",
            client_secret=shown(self.client_secret),
            refresh_token=shown(self.refresh_token),
            advice=advice,
        )

    def credentials(self) -> tuple[str, str]:
        """Which of the two ways it is."""
        if not self.access_token:
            return "OAuth: client_id, client_secret and refresh_token", ""
        if not shown(self.access_token).startswith(self.token_prefix):
            doubt = f"access_token does not begin with {self.token_prefix}: a token that expires cannot serve"
            return "access_token", doubt
        return f"access_token {self.token_prefix}…", ""


class AppSettings(ConnectionSettings):
    """An account that is reached by an OAuth app: with its secret, or with its key, which signs for a named user."""

    client_id: str | None = None
    client_secret: Secret = None
    private_key: Secret = None
    username: str | None = None

    def missing(self) -> str:
        """One of the two ways must be whole."""
        if self.client_id and (self.client_secret or (self.private_key and self.username)):
            return ""
        return "give client_id + client_secret, or client_id + private_key + username"

    def login(self, token_path: str, *, audience: str, clock: Callable[[], datetime]) -> Grant:
        """How tokens are given at `token_path`. `audience` is for whom the key signs."""
        client_id = self.client_id or ""
        if not self.private_key:
            return client_credentials_grant(token_path, client_id=client_id, client_secret=shown(self.client_secret))
        return jwt_bearer_grant(
            token_path,
            client_id=client_id,
            username=self.username or "",
            private_key=shown(self.private_key),
            audience=audience,
            clock=clock,
        )

    def credentials(self) -> tuple[str, str]:
        """Which of the two ways it is."""
        return ("JWT bearer: client_id, private_key and username" if self.private_key else "client credentials", "")
