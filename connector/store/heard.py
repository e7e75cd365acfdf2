"""What a CRM's events told of a link's record beside that it changed: when a field did, and what our own write made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from connector.store import bulk
from connector.store.links import LinkRow
from connector.store.tables import links

Told = str | list[str]
"""When a field changed: the moment, and the mark of the value that it got then, where that was told."""


def moment_of(told: Told, mark: str | None = None) -> str:
    """The moment; empty where it is that of a change to another value than the one with this mark."""
    at, *marks = [told] if isinstance(told, str) else told
    return "" if marks and mark is not None and marks != [mark] else at


def note_moment(moments: dict[str, Told], field: str, told: Told) -> None:
    """Note when a field changed, unless a later change of it is known."""
    if moment_of(told) >= moment_of(moments.get(field, "")):
        moments[field] = told


_set_moments = bulk.Each(
    lambda new: links.update().where(links.c.id == new["the_link"]).values(moments=new["to_moments"]),
    {"the_link": links.c.id.type, "to_moments": links.c.moments.type},
)


def set_moments(connection: sa.Connection, moments: Mapping[int, Mapping[str, Told]]) -> None:
    """When each CRM field of these links (by id) was last said to have changed."""
    _set_moments(connection, [{"the_link": one, "to_moments": dict(told)} for one, told in moments.items()])


def _is_older(told: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    return sa.or_(links.c.echo_version.is_(None), links.c.echo_version < told)


_note_echoes = bulk.Each(
    lambda new: (
        links.update().where(links.c.id == new["the_link"], _is_older(new["told"])).values(echo_version=new["told"])
    ),
    {"the_link": links.c.id.type, "told": links.c.echo_version.type},
)


def note_echoes(connection: sa.Connection, versions: Mapping[int, datetime]) -> None:
    """The versions that these records (by link id) got by writes of ours, as the vendor's events told; the newest."""
    _note_echoes(connection, [{"the_link": one, "told": version} for one, version in versions.items()])


def forget_moments(connection: sa.Connection, link: LinkRow, fields: Sequence[str]) -> None:
    """Forget when these CRM fields changed, as far as that was known at the claim; what came since stays."""
    if not link.moments:
        return
    row = connection.execute(sa.select(links.c.moments).where(links.c.id == link.id).with_for_update()).one()
    old = {name for name in fields if name in link.moments and link.moments[name] == row.moments.get(name)}
    if old:
        set_moments(connection, {link.id: {name: at for name, at in row.moments.items() if name not in old}})
