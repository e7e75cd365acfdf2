"""`doctor`: is everything as it must be, and if not, what to do."""

from __future__ import annotations

import sys

import click

from connector.cli import common, show


@click.command()
@common.as_json
def doctor(as_json: bool) -> None:
    """Check everything that must be right, and say what to do where it is not.

    Keys, permissions, mappings, webhooks, clocks, database, queue, what waits and for what.
    Only reads. Exit codes: 0 all well, 1 problems, 2 the configuration is wrong.
    """
    from connector.doctor import examine, exit_code

    findings = []
    for one in examine(common.settings()):
        findings.append(one)
        if not as_json:
            show.finding(one.state, f"{one.where} {one.what}", one.detail, one.advice if one.state != "ok" else "")
    code = exit_code(findings)
    if as_json:
        show.as_json({"exit_code": code, "findings": findings})
    else:
        wrong = sum(one.state == "problem" for one in findings)
        click.echo(f"{wrong} problem(s)" if wrong else "all well")
    sys.exit(code)


COMMANDS = (doctor,)
