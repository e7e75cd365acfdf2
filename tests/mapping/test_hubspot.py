"""The file that is shipped for HubSpot: right on a stock account, without editing."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from connector.adapters.testing.hubspot import HubSpotArena
from connector.domain.lifecycle import Status
from connector.domain.rules import Direction
from connector.domain.schema import FieldSchema, Option, Schema
from connector.domain.ticket import CommentKind
from connector.mapping.compile import bind
from connector.mapping.explain import explain
from connector.mapping.lint import check
from connector.mapping.load import Document, parse
from connector.mapping.schema import FILE, schema_text
from connector.sandbox.hubspot import HubSpot as Imitation
from tests.mapping.helpers import ticket

MAPPINGS = Path(__file__).parents[2] / "mappings"


def choices(*pairs: tuple[str, str], group: str = "") -> tuple[Option, ...]:
    return tuple(Option(value, label, group) for value, label in pairs)


STAGES = choices(("1", "New"), ("2", "Waiting on contact"), ("3", "Waiting on us"), ("4", "Closed"), group="0")
STOCK = Schema(
    (
        FieldSchema("subject", "Ticket name", required=True),
        FieldSchema("content", "Ticket description"),
        FieldSchema("hs_pipeline", "Pipeline", options=choices(("0", "Support Pipeline"))),
        FieldSchema("hs_pipeline_stage", "Ticket status", options=STAGES, parent="hs_pipeline", required=True),
        FieldSchema(
            "hs_ticket_priority",
            "Priority",
            options=choices(("LOW", "Low"), ("MEDIUM", "Medium"), ("HIGH", "High"), ("URGENT", "Urgent")),
        ),
        FieldSchema(
            "hs_ticket_category",
            "Category",
            multiple=True,
            options=choices(
                ("PRODUCT_ISSUE", "Product Issue"),
                ("BILLING_ISSUE", "Billing Issue"),
                ("FEATURE_REQUEST", "Feature Request"),
                ("GENERAL_INQUIRY", "General Inquiry"),
            ),
        ),
        FieldSchema(
            "source_type",
            "Source",
            options=choices(("CHAT", "Chat"), ("EMAIL", "Email"), ("FORM", "Form"), ("PHONE", "Phone")),
        ),
        FieldSchema("hubspot_owner_id", "Ticket owner"),
        FieldSchema("createdate", writable=False),
        FieldSchema("nextcap_status", options=choices(*((one.value, one.value.title()) for one in Status))),
        *(
            FieldSchema(f"nextcap_{name}")
            for name in ("ticket_id", "ticket_url", "department", "tags", "custom_fields")
        ),
    )
)


@pytest.fixture(scope="module")
def shipped() -> Document:
    path = MAPPINGS / "hubspot.yaml"
    return parse(path.read_text(), name=f"mappings/{path.name}")


def test_it_has_no_mistake_and_no_warning(shipped: Document) -> None:
    assert check(shipped) == []
    assert check(shipped, STOCK) == []


def test_it_has_no_mistake_on_a_new_portal_that_was_set_up(shipped: Document) -> None:
    """As the adapter reads the portal, once our own properties are made."""
    with Imitation() as portal, closing(HubSpotArena(portal)) as arena:
        arena.set_up()

        assert check(shipped, arena.adapter.schema()) == []


def test_it_has_examples_of_every_kind(shipped: Document) -> None:
    given = [example.given for example in shipped.file.examples]

    assert len(given) >= 8
    assert any(one.was is None and one.crm is None for one in given)
    assert any(one.was is None and one.nextcap is None for one in given)


def test_stages_and_the_pipeline_are_bound_to_ids(shipped: Document) -> None:
    bound = bind(shipped, STOCK)

    assert bound.scope == {"hs_pipeline": "0"}
    assert bound.status.to_crm == {
        Status.NEW: "1",
        Status.OPEN: "3",
        Status.IN_PROGRESS: "3",
        Status.WAITING_INTERNAL: "3",
        Status.REOPENED: "3",
        Status.WAITING_CUSTOMER: "2",
        Status.RESOLVED: "4",
        Status.CLOSED: "4",
    }
    assert bound.creates_in_nextcap
    assert bound.comments.reply_markers == ("#reply",)
    assert CommentKind.CUSTOMER_REPLY not in bound.comments.to_nextcap


def test_our_own_words_travel_one_way(shipped: Document) -> None:
    one_way = {one.crm for one in bind(shipped, STOCK).rules if one.direction is Direction.TO_CRM}

    assert one_way == {"nextcap_status", "nextcap_ticket_url", "nextcap_custom_fields", "source_type"}


def test_custom_fields_are_lines_that_people_can_read(shipped: Document) -> None:
    rule = bind(shipped, STOCK).rule("custom_fields")

    assert rule is not None
    value = rule.observe_nextcap(ticket(custom_fields__seats=5, custom_fields__plan="pro"))
    assert value == ("plan: pro", "seats: 5")


def test_a_portal_with_another_stage_is_told_so(shipped: Document) -> None:
    more = FieldSchema("hs_pipeline_stage", options=(*STAGES, Option("9", "Escalated", "0")), parent="hs_pipeline")
    portal = Schema(tuple(more if one.name == more.name else one for one in STOCK.fields))

    assert [(problem.code, "Escalated" in problem.message) for problem in check(shipped, portal)] == [("M303", True)]


def test_it_can_be_explained(shipped: Document) -> None:
    text = explain(shipped, STOCK)

    assert "Status (Ticket status, hs_pipeline_stage)" in text
    assert "Records lie in the pipeline Support Pipeline." in text
    assert "Waiting on us asks for open; reopened where the ticket is resolved or closed." in text
    assert "A note always stays a note." in text


def test_the_editors_schema_is_current() -> None:
    """Rewrite it with: connector mappings schema > mappings/schema.json."""
    assert (MAPPINGS / FILE).read_text() == schema_text()


@pytest.mark.parametrize("path", sorted(MAPPINGS.glob("*.yaml")), ids=lambda path: path.name)
def test_every_shipped_file_names_the_schema_for_editors(path: Path) -> None:
    assert path.read_text().splitlines()[0] == f"# yaml-language-server: $schema={FILE}"
