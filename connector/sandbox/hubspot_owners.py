"""Owners: the people of the portal, each with an owner id and a different user id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .hubspot_errors import not_found
from .hubspot_settings import Settings

FIRST_OWNER = 4101
FIRST_USER = 900_101
LEFT = "dora@acme.example"
MADE = "2024-01-15T09:00:00.000Z"


@dataclass(frozen=True, slots=True)
class Owner:
    id: str
    user_id: int
    email: str
    first_name: str
    last_name: str
    archived: bool = False

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "userId": None if self.archived else self.user_id,
            "userIdIncludingInactive": self.user_id,
            "email": self.email,
            "firstName": self.first_name,
            "lastName": self.last_name,
            "type": "PERSON",
            "teams": [],
            "createdAt": MADE,
            "updatedAt": MADE,
            "archived": self.archived,
        }


class Owners:
    """The people whose addresses the settings name, and one who has left."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def all(self) -> list[Owner]:
        people = [*((email, False) for email in self._settings.owner_emails), (LEFT, True)]
        return [
            Owner(
                id=str(FIRST_OWNER + place),
                user_id=FIRST_USER + place,
                email=email,
                first_name=email.partition("@")[0].partition(".")[0].capitalize(),
                last_name="Archived" if archived else "Agent",
                archived=archived,
            )
            for place, (email, archived) in enumerate(people)
        ]

    def is_assignable(self, owner_id: str) -> bool:
        """Only the owner id of a person who is still there can own a record; a user id cannot."""
        return any(owner.id == owner_id and not owner.archived for owner in self.all)

    def named(self, email_or_id: str) -> Owner:
        """The present owner as a person or a test calls them."""
        for owner in self.all:
            if email_or_id in {owner.email, owner.id} and not owner.archived:
                return owner
        raise not_found(f"No owner {email_or_id}")

    def listed(self, *, email: str | None, archived: bool) -> list[Owner]:
        return [owner for owner in self.all if owner.archived is archived and email in (None, "", owner.email)]

    def get(self, key: str, *, by_user: bool, archived: bool) -> Owner:
        for owner in self.all:
            held = str(owner.user_id) if by_user else owner.id
            if held == key and owner.archived is archived:
                return owner
        raise not_found()
