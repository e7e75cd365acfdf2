"""The end of the story: what passed, by both countings, and every difference. Printed from values, decided nowhere."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from connector.demo.figures import Figures
from connector.demo.sides import State, counted, entries


def tell(console: Console, figures: Figures, differences: Sequence[str], nextcap: State, seconds: float) -> None:
    """Print the summary, and each difference on a line of its own."""
    console.print()
    console.print(_table(figures))
    kept = figures.kept.values()
    said = sum(len(entries(timeline)) for timeline in nextcap["timelines"].values())
    carried = (
        counted(len(nextcap["tickets"]), "ticket", "tickets"),
        counted(said, "reply or note", "replies and notes"),
        counted(len(nextcap["emails"]), "mail to a customer", "mails to customers"),
    )
    repeats, echoes, late = sum(one.repeats for one in kept), figures.taken.echoes, figures.taken.late
    outcome = "NOT EQUAL" if differences else "equal"
    lines = [
        f"events in     {figures.taken.events}",
        f"vendor calls  {sum(sum(one.calls.values()) for one in kept)}",
        f"retries       {sum(one.failed for one in kept)} of them got no answer or a 5xx, and were made again",
        f"duplicates    {repeats} webhooks that came twice, {echoes} echoes and {late} late events changed nothing",
        f"both sides    {', '.join(filter(None, carried))}: {outcome}, after {seconds:.0f} s",
    ]
    for line in [*lines, *(f"  differs: {one}" for one in differences)]:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _table(figures: Figures) -> Table:
    table = Table(title="Counted at both ends", title_justify="left")
    for heading in ("", "Next Cap", "HubSpot"):
        table.add_column(heading, justify="right" if heading else "left")
    table.add_row("webhooks it sent", *(str(one.webhooks) for one in figures.seen.values()))
    table.add_row("webhooks the connector took in", *(str(one.webhooks) for one in figures.kept.values()))
    table.add_row("calls it answered", *(str(one.answered) for one in figures.seen.values()))
    table.add_row("calls the connector made and saw answered", *(str(one.answered) for one in figures.kept.values()))
    return table
