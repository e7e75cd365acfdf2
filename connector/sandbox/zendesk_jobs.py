"""Jobs: many tickets changed by one call, whose outcome is asked for later."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from .kernel import Refusal
from .zendesk_account import Account
from .zendesk_errors import bad_request, not_found

Raw = dict[str, Any]
MOST = 100


@dataclass(slots=True)
class Job:
    id: str
    done_at: datetime
    items: Sequence[Mapping[str, Any]]
    results: list[Raw] | None = field(default=None)


class Jobs:
    """A job is worked when its time has come, in its own order."""

    def __init__(self, account: Callable[[], Account], actor: int) -> None:
        self._account, self._actor = account, actor
        self.all: dict[str, Job] = {}

    def update_many(self, items: Any) -> Job:
        """Queue the changes of up to 100 tickets."""
        account = self._account()
        if not isinstance(items, list) or not items or len(items) > MOST:
            raise bad_request("TooManyTickets" if items else "MissingParameters", f"give 1 to {MOST} tickets")
        self.work()
        if sum(one.results is None for one in self.all.values()) >= account.settings.most_jobs:
            raise Refusal(
                429, {"error": "TooManyJobs", "description": "Too many jobs are queued"}, {"Retry-After": "5"}
            )
        job = Job(uuid4().hex, account.now() + timedelta(seconds=account.settings.job_seconds), items)
        self.all[job.id] = job
        return job

    def work(self) -> None:
        """Do what is due."""
        for job in self.all.values():
            if job.results is None and self._account().now() >= job.done_at:
                job.results = [self._one(place, item) for place, item in enumerate(job.items)]

    def view(self, job_id: str, url: str) -> Raw:
        self.work()
        job = self.all.get(job_id)
        if job is None:
            raise not_found()
        done = job.results is not None
        return {
            "id": job.id,
            "url": f"{url}/api/v2/job_statuses/{job.id}.json",
            "total": len(job.items),
            "status": "completed" if done else "queued",
            "progress": len(job.items) if done else None,
            "message": "Completed" if done else None,
            "results": job.results,
        }

    def _one(self, place: int, item: Mapping[str, Any]) -> Raw:
        told: Raw = {"index": place, "id": int(str(item.get("id") or 0)), "action": "update"}
        try:
            account = self._account()
            account.update(account.ticket(item.get("id")), item, self._actor)
        except Refusal as refusal:
            body = refusal.body
            error = {404: "TicketNotFound", 409: "UpdateConflict"}.get(refusal.status, "TicketUpdateFailed")
            texts = [one["description"] for each in (body.get("details") or {}).values() for one in each]
            details = ", ".join(texts) or str(body.get("description"))
            return {**told, "success": False, "status": "Failed", "error": error, "details": details}
        return {**told, "success": True, "status": "Updated"}
