"""Every kind of CRM, by the word that the configuration uses: ours, one line each, and those of installed packages.

A package brings a CRM by an entry point of the group `connector.adapters`, whose name is the word and which leads to a
`Kind`. Nothing of a package is imported before a connection names its word, and none can take the place of one of ours.
"""

from __future__ import annotations

import importlib
import re
from collections import defaultdict
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Final

from connector.domain.errors import ConfigError

if TYPE_CHECKING:
    from connector.adapters.building import Kind
    from connector.domain.schema import Form

CRMS: Final = {
    "custom": "connector.adapters.custom.kind",
    "hubspot": "connector.adapters.hubspot.kind",
    "salesforce": "connector.adapters.salesforce.kind",
    "zendesk": "connector.adapters.zendesk.kind",
    "capsule": "connector.adapters.capsule.kind",
}
"""Where each kind of ours says what it is, in a `KIND`; loaded only where a connection needs it."""

GROUP: Final = "connector.adapters"
WORD: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")


def kind(crm: str) -> Kind:
    """What this kind of CRM is. Raises KeyError on one that is not known, ConfigError on one that cannot be used."""
    if crm in CRMS:
        found: Kind = importlib.import_module(CRMS[crm]).KIND
        return found
    return _from_package(crm)


def _from_package(crm: str) -> Kind:
    from connector.adapters.building import Kind

    found = loaded(crm, outside(GROUP)[crm])
    if not isinstance(found, Kind):
        raise ConfigError(f"crm {crm!r}: its package's entry point leads to a {type(found).__name__}, not to a Kind")
    return found


def makes_follow_ups(crm: str) -> bool:
    """Whether this kind of CRM can make a record that follows one closed for good; also True of a kind not known."""
    if crm not in known():
        return True
    can = kind(crm).capabilities
    return can is not None and can.follow_ups


def forms(crm: str) -> tuple[Form, ...] | None:
    """What the entries of a conversation can be in this kind of CRM beside comments; None of a kind not known."""
    return kind(crm).forms if crm in known() else None


def known() -> dict[str, str]:
    """Every word, and who brings it: ourselves (empty), or the packages that claim it."""
    theirs = {crm: ", ".join(_package(one) for one in claims) for crm, claims in outside(GROUP).items()}
    return {**dict.fromkeys(CRMS, ""), **theirs}


def outside(group: str) -> dict[str, Sequence[EntryPoint]]:
    """What installed packages bring under words that are not ours, by word."""
    found: dict[str, list[EntryPoint]] = defaultdict(list)
    for one in entry_points(group=group):
        if WORD.fullmatch(one.name) and one.name not in CRMS:
            found[one.name].append(one)
    return dict(found)


def loaded(crm: str, claims: Sequence[EntryPoint]) -> Any:
    """What an entry point leads to. Raises ConfigError where several packages claim the word, or it leads nowhere."""
    if len(claims) > 1:
        told = " and ".join(_package(one) for one in claims)
        raise ConfigError(f"crm {crm!r} is brought by {told}: uninstall one of them")
    (entry,) = claims
    try:
        return entry.load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"crm {crm!r}: {entry.value} of {_package(entry)} cannot be loaded: {error}") from error


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "a package without a name"
