"""What every call passes: token, limits, the version in the path, scopes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from .hubspot_auth import Tokens
from .hubspot_errors import Refusal, missing_scopes
from .hubspot_settings import Settings
from .kernel_clock import Clock, RateLimit, Verdict

BURST_SECONDS = 10
POLICIES: Mapping[str, tuple[str, str]] = {
    "burst": ("TEN_SECONDLY_ROLLING", "You have reached your ten_secondly_rolling limit."),
    "associations": ("TEN_SECONDLY_ROLLING", "You have reached your ten_secondly_rolling limit."),
    "search": ("SECONDLY", "You have reached your secondly limit."),
    "daily": ("DAILY", "You have reached your daily limit."),
}


def rate_limited(bucket: str, *, retry_after: float | None = None) -> Refusal:
    """The 429 of a bucket: `burst`, `associations`, `search` or `daily`."""
    policy, message = POLICIES[bucket]
    headers = {} if retry_after is None else {"Retry-After": str(max(1, round(retry_after)))}
    extra = {"errorType": "RATE_LIMIT", "policyName": policy}
    return Refusal(429, "RATE_LIMITS", message, extra=extra, headers=headers)


@dataclass(frozen=True, slots=True)
class Admission:
    """A call that may go on: its credential, the scopes behind it, the headers its answer carries."""

    credential: str
    scopes: frozenset[str]
    headers: Mapping[str, str]

    def need(self, *alternatives: Sequence[str]) -> None:
        """403 unless one scope of each list of alternatives was granted."""
        for any_of in alternatives:
            if not self.scopes.intersection(any_of):
                raise missing_scopes(any_of)


class Gate:
    """The limits of the app and the portal, and the day's count."""

    def __init__(self, clock: Clock, settings: Settings, tokens: Tokens) -> None:
        self._clock = clock
        self._settings = settings
        self._tokens = tokens
        self._buckets = {
            "burst": RateLimit(clock, limit=settings.burst, seconds=BURST_SECONDS, rolling=True),
            "associations": RateLimit(clock, limit=settings.association_burst, seconds=BURST_SECONDS, rolling=True),
            "search": RateLimit(clock, limit=settings.search_burst, seconds=1, rolling=True),
        }
        self._day = clock.now().date()
        self._used = 0

    def admit(self, header: str, bucket: str) -> Admission:
        """Let a call in, or raise HubSpot's 401 or 429. `bucket` is one of `POLICIES`."""
        credential = self._tokens.identify(header, now=self._clock.now())
        settings = self._settings
        limits = {
            "burst": settings.burst,
            "associations": settings.association_burst,
            "search": settings.search_burst,
        }
        self._buckets[bucket].limit = limits[bucket]
        has_daily = credential == "static"
        if has_daily and self.used_today >= settings.daily:
            raise self._refusal("daily", (self.resets_at - self._clock.now()).total_seconds())
        verdict = self._buckets[bucket].take("app")
        if not verdict.allowed:
            raise self._refusal(bucket, verdict.retry_after)
        self._count()
        headers = {} if bucket == "search" else self._headers(verdict, has_daily=has_daily)
        return Admission(credential, frozenset(settings.scopes), headers)

    @property
    def used_today(self) -> int:
        """Calls since midnight in the portal's time zone, which is UTC."""
        return self._used if self._day == self._clock.now().date() else 0

    @property
    def resets_at(self) -> datetime:
        midnight = self._clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight + timedelta(days=1)

    def _count(self) -> None:
        self._used = self.used_today + 1
        self._day = self._clock.now().date()

    def _refusal(self, bucket: str, wait: float) -> Refusal:
        return rate_limited(bucket, retry_after=wait if self._settings.retry_after else None)

    def _headers(self, verdict: Verdict, *, has_daily: bool) -> dict[str, str]:
        headers = {
            "X-HubSpot-RateLimit-Max": str(verdict.limit),
            "X-HubSpot-RateLimit-Remaining": str(verdict.remaining),
            "X-HubSpot-RateLimit-Interval-Milliseconds": str(BURST_SECONDS * 1000),
        }
        if has_daily:
            daily = self._settings.daily
            headers["X-HubSpot-RateLimit-Daily"] = str(daily)
            headers["X-HubSpot-RateLimit-Daily-Remaining"] = str(max(0, daily - self._used))
        return headers
