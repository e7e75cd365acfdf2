"""Routes of files: upload, facts, temporary addresses, and the addresses themselves."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from flask import Flask, Response, request

from .hubspot_api import Api, ApiCall, Reply
from .hubspot_body import Body
from .hubspot_errors import Refusal, bad_request, not_found
from .hubspot_files import StoredFile, UploadOptions, check_address, sign_address
from .hubspot_portal import Portal
from .kernel_clock import iso

READ = ("files", "files.read")
WRITE = ("files", "files.write")
HIDDEN = ("files.ui_hidden.read",)
DEFAULT_SECONDS = 3600
SIGNED_PATH = "/signed-files"


def add_file_routes(api: Api, app: Flask, portal: Callable[[], Portal]) -> None:
    api.add("POST", "files", "/files", upload)
    api.add("GET", "files", "/files/<file_id>", get_file)
    api.add("GET", "files", "/files/<file_id>/signed-url", signed_url)
    _add_addresses(app, portal)


def upload(call: ApiCall) -> Reply:
    """One file a request: parts `file`, `options` and exactly one of `folderId` and `folderPath`."""
    call.need(WRITE)
    if request.mimetype != "multipart/form-data":
        raise Refusal(415, "VALIDATION_ERROR", "Unsupported media type: send multipart/form-data")
    part = request.files.get("file")
    if part is None or len(request.files.getlist("file")) > 1:
        raise bad_request("Exactly one part named 'file' is required")
    files = call.portal.files
    folder_id, folder_path = request.form.get("folderId"), request.form.get("folderPath")
    if (folder_id is None) is (folder_path is None):
        raise bad_request("Exactly one of folderId and folderPath is required")
    file_name = request.form.get("fileName") or part.filename
    if not file_name or "/" in file_name:
        raise bad_request(f"{file_name!r} is not a file name")
    kept = files.upload(
        folder=str(folder_path) if folder_id is None else files.folder_path(folder_id),
        file_name=file_name,
        content=part.stream.read(),
        media_type=part.mimetype or "application/octet-stream",
        options=UploadOptions.read(_options()),
        same=call.portal.settings.file_duplicates,
    )
    return 201, files.as_json(kept, base_url=_base_url())


def get_file(call: ApiCall, file_id: str) -> Reply:
    return 200, call.portal.files.as_json(_readable(call, file_id), base_url=_base_url())


def signed_url(call: ApiCall, file_id: str) -> Reply:
    """An address that works without a token until it expires."""
    found = _readable(call, file_id)
    seconds = call.number("expirationSeconds", default=DEFAULT_SECONDS, most=7 * 24 * 3600)
    expires_at = call.portal.now() + timedelta(seconds=seconds)
    expires = int(expires_at.timestamp())
    signature = sign_address(call.portal.settings.client_secret, found.id, expires)
    address = f"{_base_url()}{SIGNED_PATH}/{found.id}/{quote(found.file_name)}"
    return 200, {
        "url": f"{address}?Expires={expires}&Signature={signature}",
        "expiresAt": iso(expires_at),
        "name": found.stem,
        "extension": found.extension,
        "type": found.kind,
        "size": len(found.content),
    }


def _readable(call: ApiCall, file_id: str) -> StoredFile:
    call.need(READ)
    found = call.portal.files.get(file_id)
    if found.is_hidden:
        call.need(HIDDEN)
    return found


def _options() -> Body:
    text = request.form.get("options")
    if text is None:
        raise bad_request("The part 'options' is required")
    try:
        options: Any = json.loads(text)
    except ValueError as malformed:
        raise bad_request(f"options is not JSON: {malformed}") from malformed
    if not isinstance(options, dict):
        raise bad_request("options must be an object")
    return options


def _add_addresses(app: Flask, portal: Callable[[], Portal]) -> None:
    @app.get("/hubfs/<int:portal_id>/<path:path>")
    def plain_address(portal_id: int, path: str) -> Response:
        """What everybody can read: public files only."""
        if portal_id != portal().portal_id:
            raise not_found()
        return _bytes(portal().files.public(f"/{path}"))

    @app.get(f"{SIGNED_PATH}/<file_id>/<file_name>")
    def temporary_address(file_id: str, file_name: str) -> Response:
        """The storage behind HubSpot, which takes no other credential than the address."""
        if "Authorization" in request.headers:
            raise Refusal(400, "VALIDATION_ERROR", "Only one authentication mechanism is allowed")
        found = portal().files.get(file_id)
        if found.file_name != file_name:
            raise not_found()
        check_address(portal().settings.client_secret, file_id, request.args, now=portal().now())
        return _bytes(found)


def _bytes(found: StoredFile) -> Response:
    return Response(found.content, 200, content_type=found.media_type)


def _base_url() -> str:
    return request.host_url.rstrip("/")
