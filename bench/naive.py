"""What a good developer would write in a day: a route, a task per event with autoretry, one CRM call each."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from functools import cache
from typing import Any

import httpx
import sqlalchemy as sa
from celery import Celery
from flask import Flask, Response, request

SECRET = os.environ["BENCH_SECRET"].encode()
STAGES = {"new": "1", "waiting_customer": "3", "resolved": "4", "closed": "4"}
PRIORITIES = {"low": "LOW", "normal": "MEDIUM", "high": "HIGH", "urgent": "URGENT"}

celery = Celery("naive", broker=os.environ["REDIS_URL"])
celery.conf.update(task_ignore_result=True, worker_prefetch_multiplier=4, worker_send_task_events=False)
metadata = sa.MetaData()
links = sa.Table("links", metadata, sa.Column("ticket", sa.Text, primary_key=True), sa.Column("record", sa.Text))


@cache
def database() -> sa.Engine:
    """This process's pool."""
    return sa.create_engine(os.environ["BENCH_SQLALCHEMY"], pool_size=8)


@cache
def hubspot() -> httpx.Client:
    """This process's connections to the CRM, kept open."""
    headers = {"Authorization": f"Bearer {os.environ['BENCH_TOKEN']}"}
    return httpx.Client(base_url=os.environ["BENCH_HUBSPOT"], headers=headers, timeout=10)


@celery.task(autoretry_for=(httpx.HTTPError,), retry_backoff=True, max_retries=10)
def push(ticket: dict[str, Any]) -> None:
    """Write one event's ticket to the CRM."""
    with database().connect() as connection:
        record = connection.execute(sa.select(links.c.record).where(links.c.ticket == ticket["id"])).scalar_one()
    properties = {
        "subject": ticket["subject"],
        "content": ticket["description"],
        "hs_pipeline_stage": STAGES.get(ticket["status"], "2"),
        "hs_ticket_priority": PRIORITIES[ticket["priority"]],
        "nextcap_status": ticket["status"],
    }
    hubspot().patch(f"/crm/objects/2026-09/tickets/{record}", json={"properties": properties}).raise_for_status()


def create_app() -> Flask:
    """What gunicorn calls."""
    app = Flask("naive", static_folder=None)

    @app.post("/webhooks/nextcap")
    def receive() -> Response:
        body = request.get_data(cache=False)
        given = request.headers.get("X-Nextcap-Signature", "").removeprefix("sha256=")
        if not hmac.compare_digest(given, hmac.new(SECRET, body, hashlib.sha256).hexdigest()):
            return Response(status=401)
        push.delay(json.loads(body)["data"])
        return Response(status=202)

    @app.get("/readyz")
    def readyz() -> Response:
        return Response(status=200)

    return app
