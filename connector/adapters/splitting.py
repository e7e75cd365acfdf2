"""Texts that are longer than one entry of a CRM takes: written in parts that say which they are, read as one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from connector.domain.ticket import Comment

PART: Final = re.compile(r"\n\((\d{1,2})/(\d{1,2})\)\Z")
ROOM_FOR_PLACE: Final = 10


def split(text: str, longest: int) -> list[str]:
    """The text in parts of at most `longest` bytes of UTF-8, cut between words where that can be: `…\\n(1/3)`."""
    if len(text.encode()) <= longest:
        return [text]
    room, parts = longest - ROOM_FOR_PLACE, []
    while text:
        piece = text.encode()[:room].decode("utf-8", "ignore")
        if len(piece) < len(text) and (end := max(piece.rfind("\n"), piece.rfind(" "))) > len(piece) // 2:
            piece = piece[:end]
        parts.append(piece.strip())
        text = text[len(piece) :].strip()
    return [f"{part}\n({place}/{len(parts)})" for place, part in enumerate(parts, start=1)]


def put_together(entries: Sequence[Comment]) -> list[Comment]:
    """The entries in order, with those that `split` cut put together under the id of their first part."""
    whole: list[Comment] = []
    open_part: tuple[int, int] | None = None
    for entry in entries:
        found = PART.search(entry.text)
        place = (int(found[1]), int(found[2])) if found else None
        same = whole and all(getattr(whole[-1], one) == getattr(entry, one) for one in ("author_id", "kind", "form"))
        text = PART.sub("", entry.text)
        if place and open_part and same and place == (open_part[0] + 1, open_part[1]):
            whole[-1] = replace(whole[-1], text=f"{whole[-1].text}\n{text}")
        else:
            starts = place is not None and place[0] == 1
            whole.append(replace(entry, text=text) if starts else entry)
            place = place if starts else None
        open_part = place if place and place[0] < place[1] else None
    return whole
