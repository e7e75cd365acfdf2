"""A strict imitation of Next Cap: tickets, attachments, members, conversations, webhooks, over real HTTP.

    with NextCap(rate_limit=6000) as nextcap: …

`nextcap.api_url` is the REST base. The keys are `CRM_KEY` and `DATA_KEY`. Settings are those of
`nextcap_settings.Settings`, people's actions those of `nextcap_people.People`.
"""

from __future__ import annotations

from flask import Flask

from .nextcap_people import People
from .nextcap_routes_chat import ChatRoutes
from .nextcap_routes_files import FileRoutes
from .nextcap_routes_more import DataRoutes, MemberRoutes
from .nextcap_routes_tickets import TicketRoutes
from .nextcap_settings import CRM_KEY, DATA_KEY
from .nextcap_web import BASE, add_manners

__all__ = ["CRM_KEY", "DATA_KEY", "NextCap"]


class NextCap(People):
    """Next Cap, served."""

    @property
    def api_url(self) -> str:
        """The base of the REST API."""
        return self.url + BASE

    def routes(self, app: Flask) -> None:
        """The CRM API and the Data API."""
        add_manners(app, self)
        for group in (TicketRoutes, FileRoutes, ChatRoutes, MemberRoutes, DataRoutes):
            group(self).register(app)
