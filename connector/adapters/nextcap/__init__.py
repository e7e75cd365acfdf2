"""The adapter of Next Cap."""

from connector.adapters.nextcap.adapter import NextCap
from connector.adapters.nextcap.answers import rate, sort

__all__ = ["NextCap", "rate", "sort"]
