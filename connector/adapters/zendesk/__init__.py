"""The Zendesk adapter: `Zendesk` for the engine, `refusals` for its transport's hooks, `kind` for what builds it."""

from connector.adapters.zendesk.adapter import Zendesk
from connector.adapters.zendesk.refusals import LIMITS, rate, sort

__all__ = ["LIMITS", "Zendesk", "rate", "sort"]
