"""The HubSpot adapter: `HubSpot` for the engine, `refusals` for its transport's hooks, `kind` for what builds it."""

from connector.adapters.hubspot.adapter import HubSpot
from connector.adapters.hubspot.api import VERSIONS
from connector.adapters.hubspot.refusals import LIMITS, rate, sort

__all__ = ["LIMITS", "VERSIONS", "HubSpot", "rate", "sort"]
