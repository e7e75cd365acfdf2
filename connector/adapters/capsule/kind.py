"""What a Capsule connection configures, and how its adapter is built."""

from __future__ import annotations

from typing import Final

from connector.adapters.building import Ask, Kind, Parts
from connector.adapters.capsule.adapter import CAPABILITIES, Capsule
from connector.adapters.capsule.refusals import LIMITS, rate, sort
from connector.adapters.capsule.schema import Wanted
from connector.adapters.settings import TokenSettings
from connector.adapters.wires import HttpxWire
from connector.domain.errors import ConfigError
from connector.mapping.load import parse

TOKEN: Final = "/oauth/token"  # noqa: S105 - a path
ADVICE: Final = "let an administrator allow the application again and configure its new refresh token"


class Settings(TokenSettings):
    """One Capsule account."""

    api_url: str = "https://api.capsulecrm.com"


def build(parts: Parts, settings: Settings) -> Capsule:
    """The adapter of one account; an OAuth app is needed for hooks, a personal token does without."""
    login, wire = settings.login(TOKEN, advice=ADVICE), parts.keep(HttpxWire())
    transport = parts.transport(login, base_url=settings.api_url, wire=wire, limits=LIMITS, sort=sort, rate=rate)
    target, wanted = read_mapping(parts)
    return Capsule(
        transport,
        tokens=parts.path_tokens,
        has_hooks=not settings.access_token,
        target=target,
        wanted=wanted,
        watched=parts.watched,
    )


def read_mapping(parts: Parts) -> tuple[str, Wanted]:
    """What kind of record the mapping makes of a ticket, and which board and stages it names.

    A mapping that cannot be read yet is somebody else's to report: then the defaults stand.
    """
    try:
        file = parse(parts.mapping_text(), name="mapping").file
    except ConfigError:
        return "projects", Wanted()
    return file.target or "projects", Wanted(file.pipeline or "", file.status.words())


KIND = Kind(
    label="Capsule",
    settings=Settings,
    build=build,
    capabilities=CAPABILITIES,
    asks=(
        Ask("access_token", "Capsule personal access token", "CAPSULE_TOKEN", instead=("client_id", "refresh_token")),
    ),
)
