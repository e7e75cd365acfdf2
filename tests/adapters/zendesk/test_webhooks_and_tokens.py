"""Events, their signatures and what setting up keeps; tokens that rotate."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from connector.adapters.base import EventKind
from connector.adapters.budget import MemoryBudget
from connector.adapters.oauth import Anonymous, OAuthCredentials, Token
from connector.adapters.testing.zendesk import TARGET, ZendeskArena
from connector.adapters.transport import Request, Response, Transport
from connector.adapters.zendesk.kind import Settings, grant
from connector.adapters.zendesk.refusals import rate, sort
from connector.domain.errors import BadDelivery, RetryLater


class Memory:
    """A token store of one process."""

    def __init__(self) -> None:
        self.token: Token | None = None

    @contextmanager
    def lock(self) -> Iterator[None]:
        yield

    def load(self) -> Token | None:
        return self.token

    def save(self, token: Token) -> None:
        self.token = token


def oauth(arena: ZendeskArena, store: Memory, *, refresh: bool) -> OAuthCredentials:
    told = arena.sandbox.credentials
    keys = {"crm": "zendesk", "mapping": "zendesk.yaml", "api_url": arena.base_url, "client_id": told.client_id}
    keys |= {"client_secret": told.client_secret, "refresh_token": told.refresh_token if refresh else ""}
    settings = Settings.model_validate(keys)
    transport = Transport(
        system="zendesk",
        base_url=arena.base_url,
        wire=arena.wire,
        credentials=Anonymous(),
        budget=MemoryBudget(),
        sort=sort,
        rate=rate,
    )
    return OAuthCredentials(transport, grant(settings), store=store, clock=arena.now)


def test_client_credentials_need_nothing_that_could_be_lost(arena: ZendeskArena) -> None:
    store = Memory()
    arena.credentials = oauth(arena, store, refresh=False)
    adapter, ticket = arena.new_adapter(), arena.new_ticket()

    adapter.read([ticket], arena.fields)
    arena.imitation.clock.advance(60)
    arena.sandbox.expire_tokens()

    assert set(adapter.read([ticket], arena.fields)) == {ticket}
    assert arena.sandbox.tokens.grants == 2


def test_a_new_pair_is_kept_before_it_is_used(arena: ZendeskArena) -> None:
    store = Memory()
    arena.credentials = oauth(arena, store, refresh=True)

    arena.new_adapter().read([arena.new_ticket()], arena.fields)

    assert store.token is not None
    assert store.token.refresh == arena.sandbox.tokens.refresh_token


def test_a_renewal_whose_answer_was_lost_asks_a_person(arena: ZendeskArena) -> None:
    arena.credentials = oauth(arena, Memory(), refresh=True)
    adapter, ticket = arena.new_adapter(), arena.new_ticket()
    arena.fault("lost_answer", method="POST", path="/oauth/tokens")

    with pytest.raises(RetryLater):
        adapter.read([ticket], arena.fields)
    with pytest.raises(RetryLater) as caught:
        adapter.read([ticket], arena.fields)

    assert caught.value.code == "disconnected"
    assert "a person must connect it again" in str(caught.value)
    assert arena.sandbox.credentials.refresh_token not in str(caught.value)


def test_an_old_signature_is_refused(arena: ZendeskArena) -> None:
    delivery = arena.delivery(arena.new_ticket())

    with pytest.raises(BadDelivery):
        arena.adapter.verify(delivery, now=arena.now() + timedelta(minutes=6))
    with pytest.raises(BadDelivery):
        arena.adapter.verify(delivery, now=arena.now() - timedelta(minutes=6))


def test_the_time_is_signed_too(arena: ZendeskArena) -> None:
    delivery = arena.delivery(arena.new_ticket())
    later = {**delivery.headers, "x-zendesk-webhook-signature-timestamp": "2026-01-01T00:00:00Z"}

    with pytest.raises(BadDelivery):
        arena.adapter.verify(replace(delivery, headers=later), now=arena.now())


def test_an_empty_body_may_be_signed(arena: ZendeskArena) -> None:
    arena.adapter.verify(arena.event("ticket.created", arena.new_ticket(), {}, body=b""), now=arena.now())


def test_setting_up_keeps_the_secret_that_zendesk_made(blank: ZendeskArena) -> None:
    first = blank.adapter.subscribe(TARGET, dry_run=False)
    again = blank.adapter.subscribe(TARGET, dry_run=False)

    hooks = list(blank.sandbox.hooks.all.values())
    assert [one.state for one in (*first, *again)] == ["done", "ok"]
    assert [one.secret for one in hooks] == blank.kept


def test_events_that_zendesk_does_not_know_are_done_without(blank: ZendeskArena) -> None:
    """Their names are not all confirmed; what they would tell is found by the sweep."""
    blank.sandbox.configure(unknown_events=["type_changed", "marked_as_spam"])

    first = blank.adapter.subscribe(TARGET, dry_run=False)
    again = blank.adapter.subscribe(TARGET, dry_run=False)

    (hook,) = blank.sandbox.hooks.all.values()
    assert [one.state for one in (*first, *again)] == ["done", "ok"]
    assert "zen:event-type:ticket.comment_added" in hook.told["subscriptions"]


def test_new_and_closed_are_statuses_even_where_people_cannot_choose_them(blank: ZendeskArena) -> None:
    blank.sandbox.configure(bare_statuses=True)

    status = blank.adapter.schema().field("status")

    assert status is not None
    assert {one.value for one in status.options} == {"new", "open", "pending", "solved", "closed"}


@pytest.mark.parametrize("numeric", [True, False])
def test_a_shouted_status_is_read_as_the_record_says_it(arena: ZendeskArena, numeric: bool) -> None:
    arena.sandbox.configure(numeric_ids=numeric)
    ticket = arena.new_ticket()

    delivery = arena.event("ticket.status_changed", ticket, {"current": "OPEN", "previous": "NEW"})
    event = arena.adapter.parse(delivery)[0]

    assert (event.kind, event.ticket_id, event.field, event.value) == (EventKind.TICKET, ticket, "status", "open")


def test_a_comment_event_names_comment_and_ticket(arena: ZendeskArena) -> None:
    ticket = arena.new_ticket()
    delivery = arena.event("ticket.comment_added", ticket, {"comment": {"id": 7, "is_public": False}})

    event = arena.adapter.parse(delivery)[0]

    assert (event.kind, event.subject, event.ticket_id) == (EventKind.COMMENT, "7", ticket)


def test_deleted_tickets_are_named_by_a_sweep(arena: ZendeskArena) -> None:
    since, ticket = arena.now(), arena.gone_ticket()
    arena.imitation.clock.advance(120)

    assert ticket in {one for part in arena.swept(since) for one in part.gone}


class FullDisk(Memory):
    """A token store that cannot keep anything."""

    def save(self, token: Token) -> None:
        raise OSError("no space left")


def test_a_new_pair_that_cannot_be_kept_is_used_for_nothing(arena: ZendeskArena) -> None:
    """Else the next process would ask with a token that Zendesk has ended, and a person would have to help."""
    arena.credentials = oauth(arena, FullDisk(), refresh=True)
    adapter, ticket = arena.new_adapter(), arena.new_ticket()
    arena.forget_calls()

    with pytest.raises(OSError, match="no space"):
        adapter.read([ticket], arena.fields)

    assert arena.calls() == ["POST /oauth/tokens"]


def test_a_refused_token_is_told_in_zendesks_own_words() -> None:
    told = {"error": "invalid_grant", "error_description": "The grant is revoked"}
    asked = Request("POST", "/oauth/tokens", "/oauth/tokens")

    refused = [sort(asked, Response(400, {}, json.dumps(body).encode(), asked)) for body in (told, {"error": "x"})]

    assert [str(one) for one in refused] == [
        "zendesk POST /oauth/tokens: 400 invalid_grant: «The grant is revoked»",
        "zendesk POST /oauth/tokens: 400 x",
    ]
