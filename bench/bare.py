"""The least that a webhook route can do: check the signature, commit one row, answer 202."""

from __future__ import annotations

import hashlib
import hmac
import os
import threading

import psycopg
from flask import Flask, Response, request

SECRET = os.environ["BENCH_SECRET"].encode()
URL = os.environ["BENCH_DATABASE"]
local = threading.local()


def create_app() -> Flask:
    """What gunicorn calls."""
    app = Flask("bare", static_folder=None)

    @app.post("/webhooks/nextcap")
    def receive() -> Response:
        body = request.get_data(cache=False)
        given = request.headers.get("X-Nextcap-Signature", "").removeprefix("sha256=")
        if not hmac.compare_digest(given, hmac.new(SECRET, body, hashlib.sha256).hexdigest()):
            return Response(status=401)
        if not hasattr(local, "connection"):
            local.connection = psycopg.connect(URL, autocommit=True)
        local.connection.execute("INSERT INTO inbox (body, at) VALUES (%s, now())", (body,))
        return Response(status=202)

    @app.get("/readyz")
    def readyz() -> Response:
        return Response(status=200)

    return app
