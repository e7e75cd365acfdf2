"""The attachment routes of the CRM API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from .kernel import iso
from .nextcap_access import TICKETING
from .nextcap_errors import invalid, positive, text
from .nextcap_records import Attachment
from .nextcap_web import CRM, answer, no_body, read_body

if TYPE_CHECKING:
    from .nextcap_core import Core

FILE = f"{CRM}/attachments/<attachment_id>"
PRESIGN = {"filename": text, "content_type": text, "size": positive}

Answered = tuple[Response, int]


class FileRoutes:
    """One method a route; each needs any ticketing permission."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def register(self, app: Flask) -> None:
        """Add all routes."""
        table: Mapping[tuple[str, str], Callable[..., Any]] = {
            ("POST", f"{CRM}/attachments"): self.upload,
            ("POST", f"{CRM}/attachments/presign"): self.presign,
            ("POST", f"{FILE}/complete"): self.complete,
            ("GET", FILE): self.show,
            ("GET", f"{FILE}/download"): self.download,
            ("DELETE", FILE): self.delete,
        }
        for (method, path), view in table.items():
            app.add_url_rule(path, f"attachments.{view.__name__}", view, methods=[method])

    def upload(self) -> Answered:
        """A multipart upload with a part `file`."""
        self._core.access.need(*TICKETING)
        part = request.files.get("file")
        if part is None:
            raise invalid(file="is required")
        name, kind = part.filename or "file", part.mimetype or "application/octet-stream"
        return answer(self._core, self._core.files.view(self._core.files.put(name, kind, part.read())), 201)

    def presign(self) -> Answered:
        """Announce a file that will be PUT to the storage."""
        self._core.access.need(*TICKETING)
        body = read_body(PRESIGN, tuple(PRESIGN))
        attachment, url, expires = self._core.files.presign(**body)
        facts = {**self._core.files.view(attachment), "upload_url": url, "expires_at": iso(expires)}
        return answer(self._core, facts, 201)

    def complete(self, attachment_id: str) -> Answered:
        """The file was PUT."""
        attachment = self._attachment(attachment_id)
        no_body()
        self._core.files.complete(attachment)
        return answer(self._core, self._core.files.view(attachment))

    def show(self, attachment_id: str) -> Answered:
        """Facts and a fresh address."""
        return answer(self._core, self._core.files.view(self._attachment(attachment_id)))

    def download(self, attachment_id: str) -> AnyResponse:
        """302 to a fresh address at the storage."""
        return redirect(self._core.files.download_url(self._attachment(attachment_id)), 302)

    def delete(self, attachment_id: str) -> tuple[str, int]:
        """Remove a file that is not linked."""
        self._core.files.delete(self._attachment(attachment_id))
        return "", 204

    def _attachment(self, attachment_id: str) -> Attachment:
        self._core.access.need(*TICKETING)
        attachment = self._core.files.find(attachment_id)
        if attachment.ticket_id is not None:
            self._core.access.need_widget(self._core.world.tickets[attachment.ticket_id].widget_id)
        return attachment
