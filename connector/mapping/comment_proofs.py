"""Whether the CRM has the forms of entries that a file's conversation names."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from connector.domain.rules import Arrival
from connector.domain.schema import Form
from connector.domain.ticket import CommentKind
from connector.mapping.context import Context
from connector.mapping.problems import listed

Forms = Callable[[str], Sequence[Form] | None]
"""The forms that a kind of CRM has beside its comments; None of a kind that is not known."""


def check_comments(context: Context, forms: Forms | None) -> None:
    """Report what is read or written in a form that the CRM does not have, or cannot be written in."""
    block, report = context.file.comments, context.report
    there_are = forms(context.file.crm) if forms else None
    if there_are is None:
        return
    known = {one.name: one for one in there_are}
    there = listed(list(known)) or "none beside its comments"
    for name, arrival in block.forms.items():
        path = ("comments", "forms", name)
        if name not in known:
            told = f"the CRM has no form '{name}'; it has: {there}"
            report.add_at_key("M210", told, *path, suggestion=report.guess(name, known))
        elif known[name].delivered and arrival is Arrival.AS_IS and CommentKind.REPLY in block.to_nextcap:
            told = f"the CRM sends each {name} itself, and Next Cap would send it again; 'note' keeps it inside"
            report.add("M212", told, *path)
    for kind, name in block.written_as.items():
        path = ("comments", "written_as", str(kind))
        if name not in known:
            told = f"the CRM has no form '{name}'; it has: {there}"
            report.add("M210", told, *path, suggestion=report.guess(name, known))
        elif not known[name].writable:
            report.add("M211", f"the CRM's {name} can only be read", *path)
