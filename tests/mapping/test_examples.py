"""Examples: what they take for granted, and that each kind of situation reaches the planner."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.mapping import examples
from connector.mapping.load import Document, parse
from tests.mapping.helpers import document

MAPPINGS = Path(__file__).parents[2] / "mappings"
BLOCKS = """\
create: %s
carry: {when: [{field: tags, not_in: [secret]}]}
constants: {origin: Web}
fields:
  priority:
    crm: prio
    values: {low: L, normal: M, high: H, urgent: U}
    otherwise: stop
    empty: {to_nextcap: normal}
  subject: {crm: title, owner: ask}
  line: {crm: line, template: '{number} {subject}'}
  assignee: {nextcap: assigned_agent_id, crm: owner, person: email}
examples:
  - name: one
    given: %s
    expect: %s
"""


def example(given: str, expect: str, *, create: str = "both") -> Document:
    return document(BLOCKS % (create, given, expect))


@pytest.mark.parametrize(
    ("given", "expect"),
    [
        pytest.param(
            "{nextcap: {status: open, priority: high, number: 7, subject: x}}",
            "{to_crm: {stage: Us, prio: H, origin: Web, title: x, line: 7 x}}",
            id="a record is made, with its constants",
        ),
        pytest.param("{nextcap: {tags: [secret]}}", "{carried: false}", id="the filter decides first"),
        pytest.param(
            "{crm: {stage: Closed, prio: null}}",
            "{to_nextcap: {priority: normal}, walk: [open, resolved]}",
            id="a ticket is made and then walked",
        ),
        pytest.param("{crm: {prio: X}}", "{parked: [priority]}", id="a value without counterpart is parked"),
        pytest.param("{was: {nextcap: {status: open}}, crm: {stage: Us}}", "nothing", id="as the mapping has it"),
        pytest.param(
            "{was: {nextcap: {priority: low}}, crm: {prio: H}}",
            "{to_nextcap: {priority: high}}",
            id="what a side said before is made from the other",
        ),
        pytest.param(
            "{was: {crm: {prio: L}}, nextcap: {priority: high}}",
            "{to_crm: {prio: H}}",
            id="and the other way round",
        ),
        pytest.param(
            "{was: {nextcap: {subject: x}}, nextcap: {number: 7, subject: y}}",
            "{to_crm: {title: y, line: 7 y}}",
            id="a template over changed and unchanged fields",
        ),
        pytest.param(
            "{was: {nextcap: {subject: a}}, nextcap: {subject: b}, crm: {title: c}}",
            "{parked: [subject]}",
            id="a conflict that asks",
        ),
        pytest.param(
            "{was: {nextcap: {priority: low}}, nextcap: {priority: high}, crm: {prio: U}, newer: crm}",
            "{to_nextcap: {priority: urgent}}",
            id="the newer change counts",
        ),
        pytest.param(
            "{nextcap: {priority: low, status: new}, crm: {prio: H, stage: New}}",
            "nothing",
            id="first contact keeps both values",
        ),
        pytest.param(
            "{nextcap: {priority: low}, crm: {prio: null}}",
            "{to_crm: {prio: L}}",
            id="first contact fills what is empty",
        ),
        pytest.param(
            "{was: {nextcap: {status: open}}, crm: {stage: Closed}, unseen_reply: true}",
            "{to_crm: {stage: Us}}",
            id="a close that did not know of a reply",
        ),
        pytest.param(
            "{people: [{email: a@x.io, nextcap: n, crm: c}], was: {nextcap: {assigned_agent_id: null}}, "
            "crm: {owner: c}}",
            "{to_nextcap: {assigned_agent_id: n}}",
            id="people",
        ),
    ],
)
def test_an_example_that_tells_the_truth_passes(given: str, expect: str) -> None:
    assert examples.run(example(given, expect)) == []


def test_a_crm_record_makes_no_ticket_where_the_mapping_does_not_say_so() -> None:
    assert examples.run(example("{crm: {prio: H}}", "{carried: false}", create="to_crm")) == []


@pytest.mark.parametrize("crm", ["hubspot", "salesforce", "zendesk", "capsule", "custom-example"])
def test_a_filter_or_one_way_creation_spoils_no_example_of_a_shipped_file(crm: str) -> None:
    text = (MAPPINGS / f"{crm}.yaml").read_text()
    text = text.replace("carry:\n", "carry:\n  when: [{field: tags, in: [sales]}]\n").replace(
        "create: both", "create: to_crm"
    )

    assert examples.run(parse(text, name=crm)) == []


@pytest.mark.parametrize(
    ("given", "expect", "message"),
    [
        (
            "{was: {nextcap: {status: open}}, crm: {stage: Closed}}",
            "{walk: [closed]}",
            "the walk is resolved, not closed: the CRM changed",
        ),
        (
            "{was: {nextcap: {priority: low}}, nextcap: {priority: high}}",
            "{to_crm: {prio: L}}",
            "to_crm: prio is written as 'H' not as 'L' (Next Cap changed)",
        ),
        (
            "{was: {nextcap: {priority: low}}, nextcap: {priority: high}}",
            "nothing",
            "to_crm: prio is written as 'H' (Next Cap changed)",
        ),
        (
            "{was: {nextcap: {priority: low}}}",
            "{to_nextcap: {priority: high}}",
            "to_nextcap: priority is not written (neither side changed)",
        ),
        ("{nextcap: {tags: [secret]}}", "{carried: true}", "the ticket is not carried: not carried: tags is secret"),
    ],
)
def test_an_example_that_errs_says_what_came_and_why(given: str, expect: str, message: str) -> None:
    assert [problem.message for problem in examples.run(example(given, expect))] == [message]
