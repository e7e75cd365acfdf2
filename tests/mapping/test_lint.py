"""Every code of the linter: what provokes it, where it points, and what it suggests."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import pytest

from connector.domain.lifecycle import Status
from connector.domain.schema import FieldSchema, Form, Option, Schema
from connector.mapping.lint import check, passes
from connector.mapping.load import parse
from connector.mapping.problems import CODES, WARNINGS, MappingErrors, Problem
from tests.mapping.helpers import FILE, STATUS, document, marked, options, schema, text_of


@dataclass(frozen=True, slots=True)
class Case:
    """A mistake, its place marked with `«`; `blocks` follow the usual status table unless `status` replaces it."""

    code: str
    blocks: str = ""
    suggestion: str = ""
    status: str = STATUS
    schema: Schema | None = None


PRIORITY = FieldSchema("prio", options=options("Low", "Medium", "High", "Urgent"))
FORMS = (Form("email", writable=False, delivered=True), Form("post"))
MANY = FieldSchema("many", options=options("A", "B"), multiple=True)
ACCOUNT = schema(
    PRIORITY,
    MANY,
    FieldSchema("text", "A text"),
    FieldSchema("calculated", writable=False),
    FieldSchema("twins", options=(Option("1", "Same"), Option("2", "Same"))),
)
TOTAL = "{low: Low, normal: Medium, high: High, urgent: Urgent}"
PIPELINES = Schema(
    (
        FieldSchema("pipe", options=(Option("p1", "Support"), Option("p2", "Sales"))),
        FieldSchema(
            "stage",
            parent="pipe",
            options=(*options("New", "Us", "Contact", "Closed", group="p1"), *options("New", "Won", group="p2")),
        ),
    )
)


def status(to_nextcap: str, *, more: str = "", to_crm: str = "") -> str:
    """The usual table to the CRM (unless another is given) and another one back."""
    usual = "{new: New, open: Us, in_progress: Us, waiting_internal: Us, reopened: Us, waiting_customer: Contact, "
    usual += "resolved: Closed, closed: Closed}"
    return f"status:\n  field: stage\n  to_crm: {to_crm or usual}\n  to_nextcap:\n{to_nextcap}{more}"


US = "    Us: {to: open, when: {resolved: reopened, closed: reopened}}\n"
REST = "    Contact: waiting_customer\n    Closed: resolved\n"
NEW = "    New: new\n"
SUBSTITUTE = "  substitute: {new: [open]}\n"

CASES = [
    Case("M001", "fields: {a: {crm: b, values: {" + ", ".join(f"k{n}: v" for n in range(1_000)) + ", x: «y}}}"),
    Case("M002", "fields: {a: [«"),
    Case("M003", "fields:\n  a: {nextcap: subject, crm: b}\n  «a: {nextcap: subject, crm: c}"),
    Case("M003", status=status(NEW + US + "    «us: open\n" + REST, more=SUBSTITUTE), schema=ACCOUNT),
    Case(
        "M003",
        "fields: {priority: {crm: prio, to_crm: " + TOTAL + ", to_nextcap: {Low: low, Medium: normal, High: high, "
        "Urgent: urgent, «LOW: low}}}",
        schema=ACCOUNT,
    ),
    Case("M004", "constants: {a: «&x b}"),
    Case("M101", "«feilds: {}", "fields"),
    Case("M101", "fields: {subject: {crm: a, «direktion: both}}", "direction"),
    Case("M102", "fields: {subject: «{owner: crm}}"),
    Case("M103", "fields: {subject: {crm: a, owner: «nextcp}}", "nextcap"),
    Case("M103", "fields: {subject: {crm: a, transform: «trimm}}", "trim"),
    Case("M103", "fields: {subject: {crm: a, transform: «truncate}}"),
    Case("M103", "fields: {subject: {crm: a, transform: «{truncate: many}}}"),
    Case("M103", "comments: {history: «3 weeks}"),
    Case("M103", status=status(NEW + "    Us: «opn\n" + REST), suggestion="open"),
    Case("M104", "fields: {«status: {crm: a}}"),
    Case("M104", "fields: {«comments: {nextcap: subject, crm: a}}"),
    Case("M104", "fields: {a: {crm: b, template: '{subject}', «expression: subject}}"),
    Case("M104", "fields: {a: {nextcap: subject, crm: b, «template: '{subject}'}}"),
    Case("M104", "fields: {subject: {crm: a, «otherwise: stop}}"),
    Case("M104", "fields: {assignee: {nextcap: assigned_agent_id, crm: b, person: email, «transform: trim}}"),
    Case("M104", "fields: {tags: {crm: b, «person: email, direction: to_crm}}"),
    Case("M104", "fields: {priority: {crm: b, «values: " + TOTAL + ", to_crm: " + TOTAL + "}}"),
    Case("M104", "fields: {«priority: {crm: b, to_crm: " + TOTAL + "}}"),
    Case("M104", "fields: {priority: {crm: b, direction: to_crm, to_crm: " + TOTAL + ", «to_nextcap: {Low: low}}}"),
    Case("M104", "carry: {when: [«{field: priority}]}"),
    Case("M201", "fields: {«assignee: {crm: a}}", "assigned_agent_id"),
    Case("M201", "fields: {a: {nextcap: «sbject, crm: a}}", "subject"),
    Case("M201", "carry: {when: [{field: «priorty, in: [low]}]}", "priority"),
    Case("M201", "find: [{crm: a, nextcap: «nmber}]", "number"),
    Case("M202", "fields: {subject: {crm: «txt}}", "text", schema=ACCOUNT),
    Case("M202", status=STATUS.replace("field: stage", "field: «stgae"), suggestion="stage", schema=ACCOUNT),
    Case(
        "M203",
        "fields: {priority: {crm: prio, values: " + TOTAL.replace("High", "«Hgih") + "}}",
        "High",
        schema=ACCOUNT,
    ),
    Case("M203", "constants: {prio: «Lo}", "Low", schema=ACCOUNT),
    Case("M203", status=STATUS.replace("    Us:", "    «Uss:"), suggestion="Us", schema=ACCOUNT),
    Case("M203", "fields: {subject: {crm: text, required_on: [«Close]}}", "Closed", schema=ACCOUNT),
    Case("M204", "constants: {twins: «Same}", schema=ACCOUNT),
    Case("M205", "fields: {subject: {crm: «calculated}}", schema=ACCOUNT),
    Case("M206", "pipeline: «Suport", "Support", schema=PIPELINES),
    Case("M206", "pipeline: «Support", schema=ACCOUNT),
    Case("M207", "fields: {category: {crm: «many, values: {x: A, y: B}, otherwise: stop}}", schema=ACCOUNT),
    Case("M207", "fields: {tags: {crm: «text}}", schema=ACCOUNT),
    Case(
        "M208",
        "«fields: {subject: {crm: a}}",
        schema=schema(FieldSchema("a"), FieldSchema("must", required=True)),
    ),
    Case("M209", "fields: {priority: {crm: a, values: {low: L, normal: M, high: H, urgent: U, «urgnt: X}}}", "urgent"),
    Case("M209", "fields: {priority: {crm: a, values: {low: L}, otherwise: {to_crm: stop, to_nextcap: «midle}}}"),
    Case("M209", "carry: {when: [{field: priority, in: [high, «urgnt]}]}", "urgent"),
    Case("M301", status="status:\n  field: stage\n  «to_crm: {new: New}\n  to_nextcap: {New: new}\n" + SUBSTITUTE),
    Case(
        "M302", status=status(NEW + US + "    Closed: resolved\n", more=SUBSTITUTE).replace("r: Contact", "r: «Contact")
    ),
    Case(
        "M303",
        status=STATUS.replace("  to_nextcap", "  «to_nextcap"),
        schema=Schema((FieldSchema("stage", options=options("New", "Us", "Contact", "Closed", "Escalated")),)),
    ),
    Case("M304", status=status("    New: «new\n" + US + REST)),
    Case(
        "M304",
        status=status(
            NEW + US + "    Contact: «waiting_customer\n    Closed: resolved\n",
            more=SUBSTITUTE + "  walk: {max_hops: 1}\n",
        ),
    ),
    Case(
        "M305", status=status(NEW + US + REST + "    Late: «{to: open, when: {open: in_progress}}\n", more=SUBSTITUTE)
    ),
    Case("M305", status=status(NEW + US + "    Contact: «waiting_internal\n    Closed: resolved\n", more=SUBSTITUTE)),
    Case(
        "M306",
        status=status(
            NEW + "    Us: {to: open, when: {«in_progress: open, resolved: reopened, closed: reopened}}\n" + REST,
            more=SUBSTITUTE,
        ),
    ),
    Case(
        "M306",
        status=status(
            NEW + "    Us: {to: open, when: {resolved: reopened, closed: reopened, «new: open}}\n" + REST,
            more=SUBSTITUTE,
        ),
    ),
    Case("M306", status=status(NEW + US + REST, more="  substitute: {new: [open], «closed: [resolved]}\n")),
    Case("M306", status=status(NEW + US + REST, more=SUBSTITUTE + "  «after_final: note\n")),
    Case("M308", status=status(NEW + US + REST, more=SUBSTITUTE + "  final: [Closed]\n  after_final: «follow_up\n")),
    Case(
        "M307",
        status=status(
            NEW + US + "    «Contact: waiting_customer\n    Closed: resolved\n",
            more=SUBSTITUTE + "  ignore: [Contact]\n",
        ),
    ),
    Case("M401", "fields: {subject: {crm: a}, description: {crm: «a}}"),
    Case("M401", "fields: {subject: {crm: «stage}}"),
    Case("M401", "fields: {subject: {crm: «a}}\nconstants: {a: b}"),
    Case("M401", "constants: {«stage: New}"),
    Case("M402", "fields:\n  subject: {crm: a}\n  «title: {nextcap: subject, crm: b}"),
    Case("M403", "fields: {priority: {crm: a, values: {low: L, normal: «L, high: H, urgent: U}}}"),
    Case("M403", "fields: {category: {crm: a, to_crm: {«x: A, y: B}, to_nextcap: {B: y}, otherwise: {to_crm: stop}}}"),
    Case("M404", "fields: {category: {crm: a, to_crm: {«x: A, y: B}, to_nextcap: {A: y, B: y}, otherwise: stop}}"),
    Case(
        "M404",
        "fields: {category: {crm: a, to_crm: {x: A, y: B}, to_nextcap: {A: x, B: y, «C: z}, "
        "otherwise: {to_crm: A, to_nextcap: stop}}}",
    ),
    Case("M405", "fields: {priority: {crm: a, «values: {low: L, normal: M}}}"),
    Case("M405", "fields: {category: {crm: a, «values: {x: A}}}"),
    Case("M405", "fields: {source: {crm: a, direction: to_crm, «values: {api: A}}}"),
    Case("M405", "fields: {priority: {crm: prio, direction: to_nextcap, «to_nextcap: {Low: low}}}", schema=ACCOUNT),
    Case("M405", "fields: {category: {crm: text, «values: {x: A}, otherwise: {to_crm: stop}}}", schema=ACCOUNT),
    Case("M405", "fields: {priority: {crm: «prio}}", schema=ACCOUNT),
    Case("M406", "fields: {a: {crm: b, template: '{subject}', direction: «both}}"),
    Case("M406", "fields: {«subject: {crm: b, transform: {truncate: 20}}}"),
    Case("M407", "fields: {category: {crm: a, values: {x: A}, otherwise: {to_crm: «B, to_nextcap: stop}}}"),
    Case("M408", "fields: {«source: {crm: a}}"),
    Case("M408", "fields: {«word: {nextcap: status, crm: a}}"),
    Case("M409", "fields: {subject: {crm: a, direction: to_nextcap, «required_on: [Closed]}}"),
    Case("M501", "fields: {a: {crm: b, expression: «'subject ||'}}"),
    Case("M501", "carry: {filter: «'jion(tags)'}", "join"),
    Case("M502", "carry: {filter: «'" + "(" * 20 + "subject" + ")" * 20 + "'}"),
    Case("M503", "fields: {a: {crm: b, template: «'{sbject}'}}", "subject"),
    Case("M503", "fields: {a: {crm: b, expression: «'custom_filds.plan'}}", "custom_fields"),
    Case("M504", "fields: {a: {crm: b, template: «'{subject'}}"),
    Case(
        "M601",
        "examples: [{name: a, given: {was: {nextcap: {status: new}}, nextcap: {status: open}}, "
        "expect: {to_crm: {stage: «Closed}}}]",
    ),
    Case("M210", "comments: {forms: {«pst: as_is}}", "post"),
    Case("M210", "comments: {written_as: {note: «chat}}"),
    Case("M211", "comments: {written_as: {reply: «email}}"),
    Case("M212", "comments: {forms: {email: «as_is}}"),
    Case("M601", "examples: [{name: a, given: {was: {nextcap: {status: new}}, crm: {stage: Us}}, expect: «nothing}]"),
    Case(
        "M601",
        "examples: [{name: a, given: {nextcap: {status: new}}, expect: {to_crm: {stage: New}, carried: «false}}]",
    ),
    Case(
        "M601",
        "examples: [{name: a, given: {was: {nextcap: {status: new}}}, expect: {parked: «[status]}}]",
    ),
    Case("M602", "examples: [{name: a, given: {crm: {«stgae: Us}}, expect: nothing}]", "stage"),
    Case("M602", "examples: [{name: a, given: {nextcap: {«sbject: Us}}, expect: nothing}]", "subject"),
    Case("M602", "examples: [{name: a, given: {nextcap: {}}, expect: {parked: [«stats]}}]", "status"),
]


def found(text: str, account: Schema | None) -> list[Problem]:
    try:
        return check(parse(text, name=FILE), account, follows=lambda _: False, forms=lambda _: FORMS)
    except MappingErrors as refused:
        return list(refused.problems)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.code}-{case.blocks or 'status'}"[:60])
def test_a_mistake_is_shown_where_it_stands(case: Case) -> None:
    text, line, column = marked(text_of(case.blocks, status=case.status))

    problems = found(text, case.schema)

    here = [
        problem for problem in problems if (problem.code, problem.line, problem.column) == (case.code, line, column)
    ]
    assert len(here) == 1, [str(problem) for problem in problems]
    assert here[0].suggestion == case.suggestion
    assert here[0].file == FILE
    assert here[0].severity == ("warning" if case.code in WARNINGS else "error")


def test_every_code_has_a_case() -> None:
    """Those of an adapter block are in `test_grammar`."""
    assert {case.code for case in CASES} == {code for code in CODES if code < "M7"}


def test_the_plain_table_has_no_mistake() -> None:
    assert check(document()) == []
    assert check(document(), schema()) == []


def test_forms_that_the_crm_has_are_right() -> None:
    fits = document("comments: {forms: {email: note, post: as_is}, written_as: {note: post}}")

    assert check(fits, forms=lambda _: FORMS) == []
    assert [one.code for one in check(fits, forms=lambda _: ())] == ["M210"] * 3
    assert check(document("comments: {to_nextcap: [note], forms: {email: as_is}}"), forms=lambda _: FORMS) == []


def test_all_mistakes_are_shown_at_once_and_in_order() -> None:
    blocks = "fields:\n  source: {crm: a}\n  subject: {crm: a}\n  description: {nextcap: descripton, crm: b}\n"

    problems = check(document(blocks))

    assert [(problem.code, problem.line) for problem in problems] == [("M408", 13), ("M401", 14), ("M201", 15)]


def test_warnings_do_not_keep_a_file_from_use() -> None:
    needless = check(document(status=STATUS.replace("new: [open]", "new: [open], closed: [resolved]")))

    assert [problem.code for problem in needless] == ["M306"]
    assert passes(needless)
    assert not passes(check(document("fields: {source: {crm: a}}")))


@pytest.mark.parametrize("labels", ["right", "wrong"])
def test_a_file_as_large_as_may_be_is_checked_in_time(labels: str) -> None:
    """A thousand stages and several tables of a thousand rows, bound to an account with as many options."""
    stages = [f"Stage {number}" for number in range(1_000)]
    account = Schema((FieldSchema("stage", options=options(*stages)), FieldSchema("a", options=options(*stages))))
    written = stages if labels == "right" else [f"{stage}?" for stage in stages]
    table = ", ".join(f"w{number}: {word}" for number, word in enumerate(written))
    to_crm = ", ".join(f"{one.value}: {written[place]}" for place, one in enumerate(Status))
    to_nextcap = "\n".join(f"    {word}: open" for word in written[:900])
    text = (
        f"crm: acme\nstatus:\n  field: stage\n  to_crm: {{{to_crm}}}\n  to_nextcap:\n{to_nextcap}\n"
        f"fields:\n  category: {{crm: a, values: {{{table}}}, otherwise: stop}}\n"
        f"  subject: {{crm: b, values: {{{table}}}, otherwise: stop}}\n"
    )
    begun = time.thread_time()

    problems = found(text, account)

    assert problems
    assert time.thread_time() - begun < 10


def test_a_problem_reads_as_one_line() -> None:
    problem = Problem("M104", "message", 12, 5, suggestion="x", file="mappings/hubspot.yaml")

    assert str(problem) == "mappings/hubspot.yaml:12:5 M104 message (did you mean 'x'?)"
    assert (
        str(replace(problem, suggestion="", severity="warning")) == "mappings/hubspot.yaml:12:5 M104 warning: message"
    )
