"""The Capsule adapter: `Capsule` for the engine, `refusals` for its transport's hooks, `kind` for what builds it."""

from connector.adapters.capsule.adapter import Capsule
from connector.adapters.capsule.refusals import LIMITS, rate, sort

__all__ = ["LIMITS", "Capsule", "rate", "sort"]
