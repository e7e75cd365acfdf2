"""A mapping in plain words: every sentence that the language can give rise to."""

from __future__ import annotations

from connector.domain.schema import FieldSchema
from connector.mapping.explain import explain
from tests.mapping.helpers import document, schema

EVERYTHING = """\
carry:
  when:
    - {field: priority, in: [high, urgent]}
    - {field: tags, not_in: [internal]}
    - {field: department_id, empty: false}
  filter: custom_fields.plan
  on_leave: unlink
create: to_crm
pipeline: Support
find: [{crm: ext, nextcap: number}]
constants: {origin: Web}
requester: false
on_delete: close
comments: {to_crm: [note], to_nextcap: [], reply_markers: ['#reply', '/r'], history: 36 hours}
fields:
  subject: {crm: title, owner: ask, first: crm, class: personal}
  headline: {crm: headline, template: '{number} {subject}'}
  tier: {crm: tier, expression: custom_fields.tier}
  source: {crm: origin_word, direction: to_crm, only_on_create: true}
  category:
    crm: topic
    to_crm: {a: A}
    to_nextcap: {A: a}
    otherwise: {to_crm: A, to_nextcap: stop}
    required_on: [Closed]
  priority: {crm: prio, values: {low: L}, otherwise: stop, empty: {to_nextcap: low}}
  assignee: {nextcap: assigned_agent_id, crm: owner, person: email, otherwise: {to_crm: nobody}}
  department: {nextcap: department_id, crm: queue, department: true}
  tags: {crm: labels, transform: {join: ', '}, direction: to_nextcap}
"""


IN_WORDS = """\
mappings/test.yaml: what Next Cap and acme tell each other about a ticket

Tickets
  - A ticket is carried where priority is high or urgent, tags is not internal, department_id is not empty and \
the expression custom_fields.plan gives something. Where that ends, its link to the record ends.
  - Records lie in the pipeline Support.
  - Before a record is made, one is looked for by ext = the ticket's number.
  - A record that somebody makes in the CRM is left alone.
  - A new record gets Web as its origin.
  - The customer is not joined to the record as a contact.
  - When a record is deleted in the CRM, the Next Cap ticket is closed.

Status (stage)
  - new is New in the CRM.
  - open, in_progress, waiting_internal and reopened are Us in the CRM.
  - waiting_customer is Contact in the CRM.
  - resolved and closed are Closed in the CRM.
  - New asks for new; open where new cannot be reached.
  - Us asks for open; reopened where the ticket is resolved or closed.
  - Contact asks for waiting_customer.
  - Closed asks for resolved.
  - Next Cap is moved there by its own legal steps, 3 at most.
  - A ticket that the CRM closed without having seen the customer's newest reply is opened again there.
  - Where both sides moved, the later change counts. When a ticket and an existing record are linked, Next Cap's \
value is taken.

Fields
  - subject ↔ title: where both changed it, a person chooses; when a ticket and an existing record are linked, \
the CRM's value is taken; hidden as personal.
  - "{number} {subject}" → headline.
  - custom_fields.tier → tier.
  - source → origin_word: only when the record is made.
  - category ↔ topic: a → A; A → a; any other value is A in the CRM; for any other value on its way to Next Cap \
a person is asked; must be filled before Closed is set.
  - priority ↔ prio: low = L; for any other value a person is asked; an empty one is low in Next Cap.
  - assigned_agent_id ↔ owner: the person with the same e-mail address; any other value is nobody in the CRM.
  - department_id ↔ queue: the department's name.
  - tags ← labels: a list in Next Cap, one text with ', ' between the entries in the CRM.

Conversation
  - Mirrored in the CRM: internal notes. A note always stays a note.
  - Mirrored in Next Cap: nothing.
  - A CRM note that begins with '#reply' or '/r' is sent to the customer as a reply.
  - A new link mirrors the last 36 hours of the older conversation.
"""


def test_everything_is_said_in_words() -> None:
    assert explain(document(EVERYTHING)) == IN_WORDS


def test_an_account_lends_its_labels() -> None:
    account = schema(FieldSchema("title", "Ticket name"))

    text = explain(document("fields: {subject: {crm: title}}\ncomments: {history: none}"), account)

    assert "Status (Stage, stage)" in text
    assert "subject ↔ Ticket name, title." in text
    assert "A new link mirrors nothing of the older conversation." in text


def test_a_one_way_status_is_told_one_way() -> None:
    tables = "to_nextcap: {A: open}, ignore: [B, C], walk: {forbid: [closed]}"
    one_way = f"status: {{field: stage, direction: to_nextcap, {tables}}}\n"

    text = explain(document(status=one_way))

    assert "B and C in the CRM change nothing." in text
    assert "3 at most, never through closed." in text
    assert "in the CRM.\n" not in text
