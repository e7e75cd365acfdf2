"""Everything that can be said against a mapping file before a ticket meets it."""

from __future__ import annotations

from collections.abc import Iterable

from connector.domain.schema import Schema
from connector.mapping import examples
from connector.mapping.comment_proofs import Forms, check_comments
from connector.mapping.compile import compile_mapping, context_of
from connector.mapping.field_proofs import check_fields
from connector.mapping.grammar_lint import check_grammar
from connector.mapping.load import Document
from connector.mapping.problems import Problem, in_order
from connector.mapping.status_proofs import MakesFollowUps, check_status


def check(
    document: Document,
    schema: Schema | None = None,
    *,
    follows: MakesFollowUps | None = None,
    forms: Forms | None = None,
) -> list[Problem]:
    """Every mistake in a file, in its order; with the account's schema also what the account does not have.

    `follows` says which kinds of CRM make follow-ups, `forms` what a kind has beside comments. Examples are run once
    nothing else is wrong.
    """
    report = document.report()
    context = context_of(document, schema, report)
    mapping = compile_mapping(context)
    check_status(context, mapping.status, follows)
    check_fields(context)
    check_grammar(document, report)
    check_comments(context, forms)
    if not report.errors():
        report.problems.extend(examples.run(document))
    return list(in_order(report.problems))


def passes(problems: Iterable[Problem]) -> bool:
    """Whether a file with these problems may be used."""
    return not any(problem.is_error for problem in problems)
