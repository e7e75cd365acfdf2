"""Comments of Next Cap as entries in a CRM: what people read around the words, and how ours are known again."""

from __future__ import annotations

import hashlib
import html
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Final

from connector.adapters.base import NewComment
from connector.domain.text import fingerprint, text_to_html
from connector.domain.ticket import Comment, CommentKind

MARKER: Final = re.compile(r"ncref-[0-9a-f]{16}")
Size = Callable[[str], int]


def marker(key: str) -> str:
    """The word that an entry of ours carries, made from its effect's key: it stays in `Comment.text` when read back."""
    return f"ncref-{hashlib.sha256(key.encode()).hexdigest()[:16]}"


def reference(comment: NewComment) -> str:
    """The line that holds the marker."""
    return f"Reference {marker(comment.key)}"


def heading(comment: NewComment) -> str:
    """Who wrote it, where, and on which ticket, in one line: entries are authored by our own account."""
    author = comment.author
    words = {
        CommentKind.REPLY: f"{author or 'An agent'} replied in Next Cap",
        CommentKind.CUSTOMER_REPLY: f"{f'Customer {author}' if author else 'The customer'} wrote in Next Cap",
        CommentKind.NOTE: f"Internal note{f' by {author}' if author else ''} in Next Cap",
    }
    return words[comment.kind] + (f" ({comment.ticket_number})" if comment.ticket_number else "")


def files_named(comment: NewComment) -> str:
    """The line that names the comment's files, which stay in Next Cap; empty where there are none."""
    names = ", ".join(one.name for one in comment.attachments)
    return f"Files in Next Cap: {names}" if names else ""


def cut_remark(system: str) -> str:
    """What ends a text that the CRM has no room for."""
    return f"The rest of this text is too long for {system}: read it in Next Cap."


def html_entry(
    comment: NewComment, *, head: str, tail: Sequence[str], longest: int, system: str, size: Size = len
) -> str:
    """The comment as safe HTML: a heading in bold, the words, small last lines; all but the heading may be empty.

    Where that is longer than `longest`, by `size`, the words are cut at a paragraph, a line or a word, and say so.
    """
    before = f"<p><strong>{html.escape(head)}</strong></p>" if head else ""
    after = "".join(f"<p><small>{html.escape(one)}</small></p>" for one in tail if one)
    words = text_to_html(comment.text)
    if size(before + words + after) > longest:
        remark = f"<p><em>{html.escape(cut_remark(system))}</em></p>"
        words = cut_html(comment.text, longest - size(before + remark + after), size) + remark
    return before + words + after


def cut_html(text: str, room: int, size: Size) -> str:
    """The HTML of as much of a text as fits, ended at a paragraph, a line or a word."""
    longest = bisect_right(range(len(text)), room, key=lambda length: size(text_to_html(text[:length]))) - 1
    for boundary in ("\n\n", "\n", " "):
        if (end := text.rfind(boundary, longest // 2, longest)) > 0:
            return text_to_html(text[:end])
    return text_to_html(text[:longest])


def in_order(entries: Iterable[Comment]) -> list[Comment]:
    """A timeline, oldest first."""
    return sorted(entries, key=lambda one: (one.created_at, one.id))


def recognise(
    comment: NewComment,
    timeline: Sequence[Comment],
    *,
    sent_at: datetime,  # noqa: ARG001 - the marker is of this very comment
    taken: frozenset[str],
) -> str | None:
    """The entry that carries this comment's key or marker and is none of `taken`."""
    wanted, free = marker(comment.key), [one for one in timeline if one.id not in taken]
    return next((one.id for one in free if one.reference == comment.key or wanted in f"{one.html} {one.text}"), None)


def recognise_words(
    words: str,
    timeline: Sequence[Comment],
    *,
    is_note: bool,
    earliest: datetime,
    taken: frozenset[str],
) -> str | None:
    """The oldest entry with these words and this visibility, not older than `earliest` and none of `taken`.

    For vendors that leave no room for a marker.
    """
    wanted = fingerprint(words)
    found = [
        one
        for one in timeline
        if one.id not in taken
        and one.created_at >= earliest
        and (one.kind is CommentKind.NOTE) == is_note
        and fingerprint(one.text) == wanted
    ]
    return in_order(found)[0].id if found else None
