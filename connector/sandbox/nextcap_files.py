"""Next Cap's attachments, and the storage behind them: another origin, which no key may reach."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, quote

from .kernel import Answer, Clock, Environ, iso
from .nextcap_errors import invalid, refuse
from .nextcap_records import Attachment, new_id
from .nextcap_settings import Settings
from .nextcap_world import World, file_facts

LIFE = timedelta(hours=24)
KEY_HEADERS = ("HTTP_X_API_KEY", "HTTP_AUTHORIZATION")


class Storage:
    """The storage service: presigned PUT and GET, valid 24 h, refusing any request that carries a key."""

    def __init__(self, clock: Clock, origin: Callable[[], str]) -> None:
        self.leaks: list[str] = []
        self._clock = clock
        self._origin = origin
        self._secret = secrets.token_bytes(32)

    def presign(self, method: str, attachment_id: str) -> tuple[str, datetime]:
        """An address for one method and file, and when it ends."""
        expires = self._clock.now() + LIFE
        seconds = str(int(expires.timestamp()))
        signature = self._signature(method, attachment_id, seconds)
        path = f"/files/{quote(attachment_id, safe='')}"
        return f"{self._origin()}{path}?expires={seconds}&signature={signature}", expires

    def answer(self, environ: Environ, attachments: Mapping[str, Attachment]) -> Answer:
        """Serve one request for one of the files; errors are XML, as from an object store."""
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        for name in KEY_HEADERS:
            if name in environ:
                self.leaks.append(name.removeprefix("HTTP_").replace("_", "-").title())
                return _error(400, "InvalidArgument")
        query = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
        attachment = attachments.get(path.removeprefix("/files/"))
        expires = query.get("expires", "0")
        expected = self._signature(method, path.removeprefix("/files/"), expires)
        if attachment is None or not hmac.compare_digest(expected, query.get("signature", "")):
            return _error(403, "SignatureDoesNotMatch")
        if int(expires) < self._clock.now().timestamp():
            return _error(403, "RequestExpired")
        return _store(attachment, environ) if method == "PUT" else _fetch(attachment)

    def _signature(self, method: str, attachment_id: str, expires: str) -> str:
        return hmac.new(self._secret, f"{method} {attachment_id} {expires}".encode(), "sha256").hexdigest()


def _store(attachment: Attachment, environ: Environ) -> Answer:
    if environ.get("CONTENT_TYPE", "") != attachment.content_type:
        return _error(403, "SignatureDoesNotMatch")
    attachment.content = environ["wsgi.input"].read()
    return Answer(200)


def _fetch(attachment: Attachment) -> Answer:
    if attachment.content is None:
        return _error(404, "NoSuchKey")
    name = quote(attachment.filename, safe="")
    headers = (
        ("Content-Type", attachment.content_type),
        ("Content-Disposition", f"attachment; filename*=UTF-8''{name}"),
    )
    return Answer(200, attachment.content, headers)


def _error(status: int, code: str) -> Answer:
    body = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code></Error>'
    return Answer(status, body.encode(), (("Content-Type", "application/xml"),))


class Files:
    """Uploads, both ways, and how attachments are shown."""

    def __init__(self, world: World, settings: Settings, clock: Clock, storage: Storage) -> None:
        self._world = world
        self._settings = settings
        self._clock = clock
        self._storage = storage

    def put(self, filename: str, content_type: str, content: bytes) -> Attachment:
        """A direct upload, staged at once."""
        if len(content) > self._settings.max_upload:
            raise refuse(413, "File is too large")
        attachment = self._add(filename, content_type, len(content))
        attachment.content, attachment.state = content, "staged"
        return attachment

    def presign(self, filename: str, content_type: str, size: int) -> tuple[Attachment, str, datetime]:
        """A pending file, where to PUT it, and until when."""
        if size > self._settings.max_upload:
            raise invalid(size=f"must be at most {self._settings.max_upload}")
        attachment = self._add(filename, content_type, size)
        return attachment, *self._storage.presign("PUT", attachment.id)

    def complete(self, attachment: Attachment) -> None:
        """Stage a presigned file: it must be there, with the declared size."""
        if attachment.content is None:
            raise invalid(file="was not uploaded")
        if len(attachment.content) != attachment.size:
            raise invalid(size=f"declared {attachment.size}, uploaded {len(attachment.content)}")
        if attachment.state == "pending":
            attachment.state = "staged"

    def delete(self, attachment: Attachment) -> None:
        """Remove a file that is not linked to a ticket."""
        if attachment.state == "linked":
            raise refuse(400, "Attachment is linked to a ticket")
        del self._world.attachments[attachment.id]

    def find(self, attachment_id: str) -> Attachment:
        """The file, or 404."""
        self.expire()
        found = self._world.attachments.get(attachment_id)
        if found is None:
            raise refuse(404, "Attachment not found")
        return found

    def expire(self) -> None:
        """Remove what was not linked within 24 hours."""
        oldest = self._clock.now() - LIFE
        kept = self._world.attachments
        for one in [one for one in kept.values() if one.state != "linked" and one.created_at < oldest]:
            del kept[one.id]

    def download_url(self, attachment: Attachment) -> str:
        """A fresh presigned address; 404 for a file that was never completed."""
        if attachment.state == "pending":
            raise refuse(404, "Attachment not found")
        return self._storage.presign("GET", attachment.id)[0]

    def view(self, attachment: Attachment) -> dict[str, Any]:
        """The attachment as JSON, with a fresh address where it can be downloaded."""
        facts = {**file_facts(attachment), "url": None, "expires_at": None}
        facts = {self._settings.attachment_id_field: facts.pop("id"), **facts}
        if attachment.state != "pending":
            url, expires = self._storage.presign("GET", attachment.id)
            facts.update(url=url, expires_at=iso(expires))
        return facts

    def _add(self, filename: str, content_type: str, size: int) -> Attachment:
        attachment = Attachment(new_id(), filename, content_type, size, self._clock.now())
        self._world.attachments[attachment.id] = attachment
        return attachment
