"""Who may call Next Cap's API: keys, permissions, widgets."""

from __future__ import annotations

from .nextcap_errors import refuse
from .nextcap_settings import Settings

CRM_PREFIX = "nextcap_ck_"
DATA_PREFIX = "sk_live_"
SEES_CONVERSATIONS = ("conversations:view", "conversations:view-own")
TICKETING = ("tickets:view", "tickets:manage", "tickets:reply", "tickets:assign", "tickets:close")


def presented_key(api_key: str, authorization: str) -> str | None:
    """The key in either header, X-Api-Key or Authorization; None without one, or where the two differ."""
    bearer = authorization.removeprefix("Bearer ") if authorization.startswith("Bearer ") else ""
    found = {api_key, bearer} - {""}
    return found.pop() if len(found) == 1 else None


class Access:
    """The checks before a route; each raises the refusal that Next Cap answers."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def check_key(self, key: str | None, *, is_crm: bool) -> None:
        """401 unless the key is the one for this API; a removed seat is answered as the settings say."""
        prefix = CRM_PREFIX if is_crm else DATA_PREFIX
        if key is None:
            raise refuse(401, "Missing or ambiguous API key")
        if not key.startswith(prefix):
            raise refuse(401, f"This API takes a key that starts with {prefix}")
        if key != (self._settings.crm_key if is_crm else self._settings.data_key):
            raise refuse(401, "Invalid API key")
        if is_crm and not self._settings.seat_active:
            raise refuse(self._settings.revoked_status, "The seat of this API key was removed")

    def has(self, permission: str) -> bool:
        """Whether the seat has a permission."""
        return permission in self._settings.permissions

    def need(self, *any_of: str) -> None:
        """403 unless the seat has one of the permissions."""
        if not any(self.has(one) for one in any_of):
            raise refuse(403, f"Missing permission: {' or '.join(any_of)}")

    def sees(self, widget_id: str | None) -> bool:
        """Whether the seat is assigned to the widget; what has no widget is seen by all."""
        return widget_id is None or widget_id in self._settings.widgets

    def need_widget(self, widget_id: str | None) -> None:
        """403 unless the seat is assigned to the widget."""
        if not self.sees(widget_id):
            raise refuse(403, "No access to this widget")
