"""The status block of the file → the planner's `StatusRule`."""

from __future__ import annotations

from connector.domain.lifecycle import PathPolicy, Status
from connector.domain.rules import AfterFinal, StatusRule
from connector.mapping.context import Context
from connector.mapping.labels import options_of


def compile_status(context: Context) -> StatusRule:
    """The status table in native CRM values. Unknown labels, and rows for one and the same value, are reported."""
    block = context.file.status
    to_crm = {status: context.stage(word, "status", "to_crm", status.value) for status, word in block.to_crm.items()}
    to_nextcap: dict[str, Status] = {}
    when: dict[tuple[str, Status], Status] = {}
    for native, word in native_rows(context).items():
        ask = block.to_nextcap[word]
        to_nextcap[native] = ask.to
        when |= {(native, present): wanted for present, wanted in ask.when.items()}
    options = options_of(context.status_field, context.pipeline.value)
    return StatusRule(
        crm=context.status_field.name,
        to_crm=to_crm,
        to_nextcap=to_nextcap,
        when=when,
        ignore=frozenset(context.stage(word, "status", "ignore", place) for place, word in enumerate(block.ignore)),
        substitutes=block.substitute,
        policy=PathPolicy(frozenset(block.walk.forbid), block.walk.max_hops),
        direction=block.direction,
        owner=block.owner,
        first=block.first,
        close_race=block.close_race,
        final=frozenset(context.stage(word, "status", "final", place) for place, word in enumerate(block.final)),
        after_final=block.after_final or AfterFinal.PARK,
        labels={option.value: option.label for option in options},
        line=context.report.marks.key(("status",))[0],
    )


def native_rows(context: Context) -> dict[str, str]:
    """For each native CRM value that the table has a row for, the word that stands in the file. Reports doubles."""
    rows: dict[str, str] = {}
    for word in context.file.status.to_nextcap:
        path = ("status", "to_nextcap", word)
        native = context.stage(word, *path, at_key=True)
        if native in rows:
            context.report.add_at_key("M003", f"'{word}' is the same CRM value as '{rows[native]}'", *path)
        rows.setdefault(native, word)
    return rows
