"""How a connection's adapter is built: what `wiring` gives, what each kind of CRM says of itself, the parts joined."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from connector.adapters.base import Adapter, Capabilities, Describes, Listens, Reads, Talks, Tells, Writes
from connector.adapters.budget import Limit
from connector.adapters.oauth import Anonymous, Grant, OAuthCredentials, TokenStore
from connector.adapters.settings import ConnectionSettings
from connector.adapters.transport import Budget, Call, Credentials, Rate, Response, Sort, Transport, Wire
from connector.domain.schema import Form, Schema


@dataclass(frozen=True, slots=True)
class Parts:
    """What an adapter is built from, for the connection `name`.

    `keep` remembers a wire, so that it is closed with the process. `webhook_secrets` are the configured ones and the
    one that the vendor handed out, which `keep_webhook_secret` keeps. `path_tokens` are the secret last parts of our
    webhook's address, newest first, for vendors that do not sign (`signing.check_path_token`). `watched` names the
    CRM fields that the mapping in force looks at, `forms` the forms of entries beside the CRM's usual comments that it
    reads or writes; `mapping_text` is its text.
    """

    name: str
    public_url: str
    keep: Callable[[Any], Any]
    budget: Callable[[Mapping[str, Limit]], Budget]
    observe: Callable[[Call], None]
    token_store: TokenStore
    webhook_secrets: Sequence[str] = field(repr=False)
    keep_webhook_secret: Callable[[str], None]
    path_tokens: Callable[[], Sequence[str]] = field(repr=False)
    watched: Callable[[], tuple[str, ...]]
    mapping_text: Callable[[], str]
    forms: Callable[[], frozenset[str]]
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    @property
    def path(self) -> str:
        """Where our hook is, below `public_url`."""
        return f"/webhooks/{self.name}"

    @property
    def target(self) -> str:
        """The whole address of our hook."""
        return self.public_url.rstrip("/") + self.path

    def transport(
        self,
        login: Credentials | Grant,
        *,
        base_url: str,
        wire: Wire,
        limits: Mapping[str, Limit],
        sort: Sort,
        rate: Callable[[Response], Rate | None] = lambda _: None,
    ) -> Transport:
        """A sender of this connection; all that are made share its call budget.

        A grant's tokens are asked for at the same address, unless it names its own, and kept in the connection's store.
        """

        def over(credentials: Credentials, base_url: str = base_url) -> Transport:
            return Transport(
                system=self.name,
                base_url=base_url,
                wire=wire,
                credentials=credentials,
                budget=self.budget(limits),
                sort=sort,
                rate=rate,
                observe=self.observe,
                address=credentials.address if isinstance(credentials, OAuthCredentials) else str,
            )

        if isinstance(login, Grant):
            asks = over(Anonymous(), login.base_url or base_url)
            login = OAuthCredentials(asks, login, store=self.token_store, clock=self.clock)
        return over(login)


@dataclass(frozen=True, slots=True)
class Ask:
    """One thing that `connector init` asks for. `env` is the variable that is read where nothing is given.

    Where one of the keys `instead` is given, it is neither asked for nor written: it would win over what is meant.
    """

    key: str
    question: str
    env: str
    hidden: bool = True
    is_list: bool = False
    instead: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of CRM: what people call it, what its connections configure, and how their adapters are built.

    `forms` are what the entries of a conversation can be there beside its usual comments.
    `capabilities` are those of every account of this kind; None where they depend on its mapping.
    """

    label: str
    settings: type[ConnectionSettings]
    build: Callable[[Parts, Any], Adapter]
    asks: tuple[Ask, ...] = ()
    capabilities: Capabilities | None = None
    forms: tuple[Form, ...] = ()


class Catalogue(Describes, Protocol):
    """The fields, kept for a while."""

    def learn(self, schema: Schema) -> None:
        """Take a schema that was read before, so that no call is needed."""


class Assembled:
    """An adapter put together from parts. Each attribute is a call of the adapter protocol, documented there.

    Beyond the protocol, `learn(schema)` takes a stored schema, so that webhooks' values are read right without a call.
    """

    def __init__(
        self,
        *,
        webhooks: Listens,
        records: Reads,
        writing: Writes,
        comments: Talks,
        catalogue: Catalogue,
        account: Tells,
    ) -> None:
        self.verify, self.parse, self.answer = webhooks.verify, webhooks.parse, webhooks.answer
        self.subscribe = webhooks.subscribe
        self.read, self.find, self.changes = records.read, records.find, records.changes
        self.fate, self.requesters = records.fate, records.requesters
        self.write, self.probe_create = writing.write, writing.probe_create
        self.comments, self.add_comments = comments.comments, comments.add_comments
        self.recognise, self.tickets_of = comments.recognise, comments.tickets_of
        self.schema, self.ensure_schema, self.learn = catalogue.schema, catalogue.ensure_schema, catalogue.learn
        self.people, self.check = account.people, account.check
