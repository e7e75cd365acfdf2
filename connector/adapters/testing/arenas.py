"""Where the arena of an adapter is: ours by a table, an installed package's by an entry point, any by its address."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Final

from connector.adapters.registry import CRMS, known, loaded, outside
from connector.adapters.testing.arena import Arena
from connector.domain.errors import ConfigError

GROUP: Final = "connector.arenas"
ARENAS: Final = {
    "custom": "CustomArena",
    "hubspot": "HubSpotArena",
    "salesforce": "SalesforceArena",
    "zendesk": "ZendeskArena",
    "capsule": "CapsuleArena",
}
"""The class of each of ours, in the module of this folder that bears the CRM's word."""


def arena_of(name: str) -> type[Arena]:
    """The arena of a CRM's word, or at an address like `acme.arena:AcmeArena`. Raises ConfigError without one."""
    if name in CRMS:
        found = getattr(importlib.import_module(f"{__package__}.{name}"), ARENAS[name])
    elif ":" in name:
        found = _at(name)
    elif name in (theirs := outside(GROUP)):
        found = loaded(name, theirs[name])
    elif name in known():
        told = f"give its package an entry point {name} of the group {GROUP}, or name the arena's address"
        raise ConfigError(f"there is no arena for {name}: {told} (docs/adapters.md)")
    else:
        raise ConfigError(f"{name!r} is no CRM that is known; there are {', '.join(sorted(known()))}")
    if not (isinstance(found, type) and issubclass(found, Arena)):
        raise ConfigError(f"{name}: what is there is no subclass of connector.adapters.testing.Arena")
    if missing := [path for path in found.files if not path.is_file()]:
        raise ConfigError(f"{name}: {missing[0]} is missing; it stands in the cloned repository")
    return found


def _at(address: str) -> object:
    """What stands at `module:Name`; a module is looked for in the working directory too."""
    module, _, attribute = address.partition(":")
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{address} cannot be loaded: {error}") from error
    finally:
        sys.path.remove(here)
