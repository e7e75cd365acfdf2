"""The HubSpot adapter: `HubSpot` for the engine, `refusals` for its transport's hooks, `kind` for what builds it."""

from connector.adapters.hubspot.adapter import HubSpot
from connector.adapters.hubspot.api import DEFAULT_VERSIONS
from connector.adapters.hubspot.refusals import LIMITS, rate, sort

__all__ = ["DEFAULT_VERSIONS", "LIMITS", "HubSpot", "rate", "sort"]
