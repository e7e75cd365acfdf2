"""What comes from outside stands in a query as a text, and nowhere else."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest

from connector.adapters.base import Change, ChangeKind, EventKind
from connector.adapters.salesforce.forms import FORMS
from connector.adapters.testing.salesforce import SalesforceArena
from connector.domain.errors import Gone
from connector.domain.ticket import Requester
from connector.sandbox.salesforce_stock import RIGHTS

QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'", re.DOTALL)
WORDS = "EVIL"
HOSTILE = [
    f"x' OR {WORDS} != '",
    f"\\' OR {WORDS} LIKE '%",
    f"\\\\' OR {WORDS} = null --",
    f"500Hs0000000001') OR ({WORDS} != 'x",
    f"500Hs0000000001AAA\n' OR {WORDS} != '",
    f"x'||{WORDS}@home.example",
    f"{{ids}}' {WORDS}",
    f"ʼ OR {WORDS} = 'x",
]


def queries(arena: SalesforceArena) -> list[str]:
    """Every query that the org was asked, those within composite calls too."""
    found = []
    for call in arena.sandbox.calls.kept():
        found += parse_qs(call.query).get("q", [])
        for part in json.loads(call.body or b"{}").get("compositeRequest", []) if "composite" in call.path else []:
            found += parse_qs(urlsplit(part["url"]).query).get("q", [])
    return found


def outside(soql: str) -> str:
    """A query without its texts."""
    return QUOTED.sub("?", soql)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_hostile_leaves_its_quotes(arena: SalesforceArena, hostile: str) -> None:
    """As an id of a case, of an entry, of ours, as an address, a name or a value."""
    arena.sandbox.configure(rights=list(RIGHTS))
    arena.adapter = arena.salesforce = arena.new_adapter(forms=lambda: frozenset(one.name for one in FORMS))
    victim, one = arena.new_ticket(), arena.salesforce
    who = Requester(f"{hostile}@home.example", hostile, hostile)
    change = Change(ChangeKind.CREATE, "key", {"Subject": hostile}, external_id=hostile, requester=who)
    arena.forget_calls()

    assert one.read([hostile], arena.fields) == {}
    assert one.comments([hostile]) == {hostile: []}
    assert one.tickets_of([hostile, f"00a{hostile}", f"02s{hostile}", f"0D5{hostile}"]) == {}
    assert one.requesters([hostile]) == {}
    assert isinstance(one.fate(hostile), Gone)
    assert one.find("Subject", [hostile], arena.fields) == {hostile: []}
    assert one.find("NextCap_Ticket_Id__c", [hostile], arena.fields) == {hostile: []}
    assert one.probe_create(change, sent_at=arena.now()) is None
    arena.write(change, Change(ChangeKind.UPDATE, "update", {"Subject": hostile}, hostile))
    arena.add(arena.note(hostile, "note", hostile))

    asked = queries(arena)
    assert any("EVIL" in soql for soql in asked)
    assert [soql for soql in asked if WORDS in outside(soql) or "'" in outside(soql)] == []
    assert all(call.status < 400 for call in arena.sandbox.calls.kept() if call.status and call.query)
    assert arena.sandbox.case(victim)["fields"]["Subject"] == "It does not work"
    assert arena.sandbox.case(victim)["comments"] == []


def test_long_values_are_asked_for_in_as_many_queries_as_it_takes(arena: SalesforceArena) -> None:
    """An address of more than 16,384 bytes is answered 414."""
    wanted = "wört " * 40
    case = arena.sandbox.create_case(wanted)
    arena.salesforce.schema()
    arena.forget_calls()

    found = arena.salesforce.find("Subject", [*(f"{number} {wanted}" for number in range(199)), wanted.strip()], [])

    assert [one.id for one in found[wanted.strip()]] == [case]
    assert len(arena.calls()) == 8


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_id_in_a_delivery_is_nobodys(arena: SalesforceArena, hostile: str) -> None:
    events = arena.salesforce.parse(arena.signed({"ids": [hostile]}))

    assert [(event.kind, event.subject) for event in events] == [(EventKind.OTHER, "")]


def test_a_field_that_case_does_not_have_stands_in_no_query(arena: SalesforceArena) -> None:
    """Names of fields come from mappings, and only those that Salesforce itself told are written into a query."""
    arena.forget_calls()
    names = ["Subject", f"Id, {WORDS} FROM Case WHERE"]

    arena.salesforce.read([arena.new_ticket()], names)
    arena.salesforce.changes(arena.now(), names)

    assert [soql for soql in queries(arena) if WORDS in soql] == []
