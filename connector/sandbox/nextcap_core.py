"""The parts of the Next Cap imitation joined together, without its web side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from .kernel import Answer, Calls, Deliveries, Environ, Gate, HttpServer, Imitation, RateLimit
from .nextcap_access import Access
from .nextcap_chat import Chats, Contacts, Listener
from .nextcap_desk import Desk
from .nextcap_files import Files, Storage
from .nextcap_hooks import Hooks, render, sign
from .nextcap_records import Ticket, TimelineEvent
from .nextcap_settings import Settings
from .nextcap_world import World


class Core(Imitation):
    """Next Cap's state and rules. The storage is a second origin, with its own port and record of calls."""

    name: ClassVar[str] = "nextcap"

    settings: Settings
    world: World
    desk: Desk
    files: Files
    hooks: Hooks
    chats: Chats
    contacts: Contacts
    access: Access

    def __init__(self, port: int = 0, **settings: Any) -> None:
        self._first_settings = settings
        self.chat_listeners: list[Listener] = []
        super().__init__(port)
        self.rate = RateLimit(self.clock, limit=60, seconds=60)
        self.storage_calls = Calls()
        self._storage_server = HttpServer(self._storage_gate(), 0)
        self.storage = Storage(self.clock, lambda: self._storage_server.url)
        self.forget()

    def make_deliveries(self) -> Deliveries:
        """Webhooks, signed and repeated as the settings say."""
        return Deliveries(
            self.clock,
            lambda delivery: sign(self.settings, self.clock, delivery),
            render=lambda delivery: render(self.settings, self.clock, delivery),
            schedule=(),
        )

    def start(self) -> None:
        """Serve the API and the storage."""
        self._storage_server.start()
        super().start()

    def stop(self) -> None:
        """Stop both; state is kept."""
        super().stop()
        self._storage_server.stop()

    @property
    def storage_url(self) -> str:
        """The origin of presigned addresses."""
        return self._storage_server.url

    def forget(self) -> None:
        """An organisation as at first: seeds, and the settings given at construction."""
        self.settings = Settings()
        self.world = World(self.clock.now())
        self.access = Access(self.settings)
        self.hooks = Hooks(self.world, self.settings, self.clock, self.deliveries)
        self.desk = Desk(self.world, self.settings, self.clock, self.hooks.ticket)
        self.files = Files(self.world, self.settings, self.clock, self.storage)
        self.chats = Chats(self.world, self.clock, self.hooks, self.chat_listeners)
        self.contacts = Contacts(self.world, self.clock, self.hooks)
        self.answered: dict[tuple[str, ...], tuple[int, bytes]] = {}
        self.storage.leaks.clear()
        self.storage_calls.reset()
        self.rate.reset()
        self.configure(**self._first_settings)

    def configure(self, **changes: Any) -> None:
        """Change settings, see `Settings`."""
        with self.lock:
            self.settings.change(changes)
            self.rate.limit = self.settings.rate_limit
            self.deliveries.schedule = tuple(self.settings.retry_schedule)
            self.deliveries.retry_factor = self.settings.retry_factor

    def settings_view(self) -> Mapping[str, Any]:
        """The settings in force."""
        return self.settings.view()

    def state(self) -> Mapping[str, Any]:
        """Everything the organisation has, and which key headers have leaked to the storage."""
        with self.lock:
            return {**self.world.view(), "storage_leaks": list(self.storage.leaks)}

    def ticket_view(self, ticket: Ticket) -> dict[str, Any]:
        """A ticket as GET /tickets/:id shows it: with its files and fresh addresses."""
        files = [self.world.attachments[one] for one in ticket.attachment_ids]
        return {**ticket.view(), "attachments": [self.files.view(one) for one in files]}

    def timeline_view(self, ticket: Ticket, *, with_internal: bool = True) -> list[dict[str, Any]]:
        """A ticket's timeline, oldest first."""
        events = [one for one in self.world.timelines[ticket.id] if with_internal or not one.is_internal]
        return [self.event_view(one) for one in events]

    def event_view(self, event: TimelineEvent) -> dict[str, Any]:
        """One entry of a timeline, with its files and fresh addresses."""
        files = [self.world.attachments[one] for one in event.attachment_ids]
        return {**event.view(), "attachments": [self.files.view(one) for one in files]}

    def _storage_gate(self) -> Gate:
        def answer(environ: Environ) -> Answer:
            return self.storage.answer(environ, self.world.attachments)

        return self.gate(answer, lambda _method, _path: "(storage)", self.storage_calls)
