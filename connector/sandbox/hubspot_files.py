"""Uploaded files: access, duplicates, and addresses that expire."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from .hubspot_body import Body, optional_text, required_text
from .hubspot_errors import CONFLICT, Refusal, bad_request, not_found
from .kernel_clock import iso

ACCESS = ("PUBLIC_INDEXABLE", "PUBLIC_NOT_INDEXABLE", "PRIVATE")
HIDDEN_ACCESS = ("HIDDEN_INDEXABLE", "HIDDEN_NOT_INDEXABLE", "HIDDEN_PRIVATE", "HIDDEN_SENSITIVE")
STRATEGIES = ("NONE", "REJECT", "RETURN_EXISTING")
RANGES = ("ENTIRE_PORTAL", "EXACT_FOLDER")
IMAGE_EXTENSIONS = frozenset({"png", "jpg", "jpeg", "gif", "webp", "svg"})


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file. HubSpot's `name` leaves the extension out."""

    id: str
    folder: str
    file_name: str
    content: bytes
    media_type: str
    access: str
    made_at: datetime

    @property
    def stem(self) -> str:
        return PurePosixPath(self.file_name).stem

    @property
    def extension(self) -> str:
        return PurePosixPath(self.file_name).suffix.removeprefix(".").lower()

    @property
    def path(self) -> str:
        return f"{self.folder}/{self.file_name}"

    @property
    def md5(self) -> str:
        return hashlib.md5(self.content, usedforsecurity=False).hexdigest()

    @property
    def kind(self) -> str:
        return "IMG" if self.extension in IMAGE_EXTENSIONS else "DOCUMENT"

    @property
    def is_public(self) -> bool:
        return self.access.startswith("PUBLIC")

    @property
    def is_hidden(self) -> bool:
        return self.access in HIDDEN_ACCESS


@dataclass(frozen=True, slots=True)
class UploadOptions:
    """The `options` part of an upload."""

    access: str
    strategy: str
    scope: str
    overwrite: bool

    @classmethod
    def read(cls, body: Body) -> UploadOptions:
        access = required_text(body, "access")
        if access not in ACCESS:
            raise bad_request(f"access must be one of [{', '.join(ACCESS)}]")
        strategy = optional_text(body, "duplicateValidationStrategy") or "NONE"
        scope = optional_text(body, "duplicateValidationScope") or "ENTIRE_PORTAL"
        if strategy not in STRATEGIES:
            raise bad_request(f"duplicateValidationStrategy must be one of [{', '.join(STRATEGIES)}]")
        if scope not in RANGES:
            raise bad_request(f"duplicateValidationScope must be one of [{', '.join(RANGES)}]")
        return cls(access, strategy, scope, body.get("overwrite") is True)


class Files:
    """The portal's file manager. `base_url` is where its public and signed addresses are served."""

    def __init__(self, new_id: Callable[[], str], now: Callable[[], datetime], portal_id: int) -> None:
        self._new_id = new_id
        self._now = now
        self._portal_id = portal_id
        self._folder_ids: dict[str, str] = {}
        self.by_id: dict[str, StoredFile] = {}
        self.uploads = 0

    def get(self, file_id: str) -> StoredFile:
        if file_id not in self.by_id:
            raise not_found()
        return self.by_id[file_id]

    def folder_id(self, folder: str) -> str:
        """The id of a folder path, which is made if it is missing."""
        return self._folder_ids.setdefault(folder, self._new_id())

    def folder_path(self, folder_id: str) -> str:
        for path, known in self._folder_ids.items():
            if known == folder_id:
                return path
        raise bad_request(f"Folder {folder_id} does not exist")

    def upload(
        self,
        *,
        folder: str,
        file_name: str,
        content: bytes,
        media_type: str,
        options: UploadOptions,
        same: str,
    ) -> StoredFile:
        """Keep a file, or do what the options say about a duplicate.

        `same` says what makes a duplicate: the `name`, or the `content`. HubSpot does not tell.
        """
        self.uploads += 1
        folder = "/" + folder.strip("/")
        twin = self._twin(folder, file_name, content, options.scope, same)
        if twin is not None and options.strategy == "RETURN_EXISTING":
            return twin
        if twin is not None and options.strategy == "REJECT":
            raise Refusal(409, CONFLICT, f"File {file_name} already exists: {twin.id}")
        self.folder_id(folder)
        taken = self._named(folder, file_name)
        if taken is not None and options.overwrite:
            return self.keep(folder, file_name, content, media_type, options.access, file_id=taken.id)
        return self.keep(folder, self._free_name(folder, file_name), content, media_type, options.access)

    def keep(
        self,
        folder: str,
        file_name: str,
        content: bytes,
        media_type: str,
        access: str,
        *,
        file_id: str | None = None,
    ) -> StoredFile:
        made_id = file_id or self._new_id()
        made = StoredFile(made_id, folder, file_name, content, media_type, access, self._now())
        self.by_id[made.id] = made
        return made

    def as_json(self, found: StoredFile, *, base_url: str) -> dict[str, Any]:
        url = f"{base_url}/hubfs/{self._portal_id}{quote(found.path)}"
        return {
            "id": found.id,
            "createdAt": iso(found.made_at),
            "updatedAt": iso(found.made_at),
            "archived": False,
            "parentFolderId": self.folder_id(found.folder),
            "name": found.stem,
            "path": found.path,
            "size": len(found.content),
            "type": found.kind,
            "extension": found.extension,
            "url": url,
            "defaultHostingUrl": url,
            "isUsableInContent": found.is_public,
            "access": found.access,
            "fileMd5": found.md5,
        }

    def public(self, path: str) -> StoredFile:
        """The file behind a plain address; private and hidden ones are not there."""
        for found in self.by_id.values():
            if found.path == path and found.is_public:
                return found
        raise not_found()

    def _twin(self, folder: str, file_name: str, content: bytes, scope: str, same: str) -> StoredFile | None:
        for found in self.by_id.values():
            is_near = scope == "ENTIRE_PORTAL" or found.folder == folder
            is_same = found.file_name == file_name if same == "name" else found.content == content
            if is_near and is_same:
                return found
        return None

    def _named(self, folder: str, file_name: str) -> StoredFile | None:
        wanted = f"{folder}/{file_name}"
        return next((found for found in self.by_id.values() if found.path == wanted), None)

    def _free_name(self, folder: str, file_name: str) -> str:
        path = PurePosixPath(file_name)
        name, turn = file_name, 0
        while self._named(folder, name) is not None:
            turn += 1
            name = f"{path.stem}-{turn}{path.suffix}"
        return name


def sign_address(secret: str, file_id: str, expires: int) -> str:
    """The signature of a temporary address."""
    return hmac.new(secret.encode(), f"{file_id}:{expires}".encode(), hashlib.sha256).hexdigest()


def check_address(secret: str, file_id: str, query: Mapping[str, str], *, now: datetime) -> None:
    """Refuse a temporary address that is forged or over."""
    expires = query.get("Expires", "")
    given = query.get("Signature", "")
    is_ours = expires.isdecimal() and hmac.compare_digest(given, sign_address(secret, file_id, int(expires)))
    if not is_ours or now.timestamp() >= int(expires):
        raise Refusal(403, "ACCESS_DENIED", "The address is not valid or has expired")
