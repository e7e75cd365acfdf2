"""The file that is shipped for Salesforce: right on a stock org with our fields, without editing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from connector.adapters.registry import forms
from connector.adapters.testing.salesforce import SalesforceArena
from connector.domain.lifecycle import Status
from connector.domain.schema import Schema
from connector.mapping.compile import bind
from connector.mapping.explain import explain
from connector.mapping.lint import check
from connector.mapping.load import Document, parse
from connector.sandbox.salesforce import Salesforce as Imitation

FILE = Path(__file__).parents[2] / "mappings" / "salesforce.yaml"


@pytest.fixture
def document() -> Document:
    return parse(FILE.read_text(encoding="utf-8"), name="salesforce.yaml")


@pytest.fixture(scope="module")
def served() -> Iterator[Imitation]:
    with Imitation() as running:
        yield running


@pytest.fixture
def org(served: Imitation) -> Iterator[SalesforceArena]:
    served.reset()
    with closing(SalesforceArena(served)) as arena:
        arena.set_up()
        yield arena


def test_it_is_right_by_itself_and_its_examples_come_out(document: Document) -> None:
    assert check(document) == []


def test_it_fits_a_stock_org(document: Document, org: SalesforceArena) -> None:
    assert check(document, org.salesforce.schema()) == []


def test_every_status_of_a_stock_org_asks_for_something(document: Document, org: SalesforceArena) -> None:
    mapping = bind(document, org.salesforce.schema())
    field = org.salesforce.schema().field("Status")

    assert field is not None
    assert {one.value for one in field.options} == set(mapping.status.to_nextcap)
    assert set(mapping.status.to_crm) == set(Status)


def test_a_record_type_is_chosen_by_its_label(org: SalesforceArena) -> None:
    org.sandbox.configure(record_types={"Sales": {}, "Support": {}})
    schema: Schema = org.salesforce.schema()
    text = FILE.read_text(encoding="utf-8")
    chosen = parse(text.replace("# pipeline: Support ", "pipeline: Support #"), name="salesforce.yaml")
    kinds = schema.field("RecordTypeId")

    assert kinds is not None
    support = next(one.value for one in kinds.options if one.label == "Support")
    assert bind(chosen, schema).scope == {"RecordTypeId": support}


def test_the_lines_about_mails_and_posts_are_right_once_they_are_let_in() -> None:
    text = FILE.read_text(encoding="utf-8")
    named = text.replace("  # forms: {", "  forms: {").replace("  # written_as: {", "  written_as: {")
    again = named.replace("email: note", "email: as_is")

    assert check(parse(named, name="salesforce.yaml"), forms=forms) == []
    assert bind(parse(named, name="salesforce.yaml"), None).comments.every_form() == {"email", "post"}
    assert [one.code for one in check(parse(again, name="salesforce.yaml"), forms=forms)] == ["M212"]
    told = explain(parse(named, name="salesforce.yaml"))
    assert "each email is read too, and arrives in Next Cap as an internal note" in told
    assert "internal notes are each written as a post" in told
