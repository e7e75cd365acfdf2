"""`init`, `setup`, `webhooks register` and `db upgrade`: what is done before the first ticket."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from connector.adapters.registry import kind, known
from connector.cli import common, show
from connector.domain.errors import ConfigError

if TYPE_CHECKING:
    from connector.adapters.base import Step
    from connector.adapters.building import Ask, Kind
    from connector.wiring import Runtime

NEXTCAP = "nextcap"

dry_run = click.option("--dry-run", is_flag=True, help="Only say what would be done.")


def _known(_context: click.Context, _parameter: click.Parameter, crm: str) -> str:
    if crm not in (there := known()):
        raise click.BadParameter(f"{crm!r} is not known; there are {', '.join(sorted(there))}")
    return crm


@click.command()
@click.option("--yes", is_flag=True, help="Ask nothing: take the options, and their defaults.")
@click.option(
    "--file", type=click.Path(path_type=Path), help="Where to write it.  [default: where the connector looks for it]"
)
@click.option("--public-url", help="The https address that vendors call.")
@click.option("--nextcap-api-url", help="Another address of Next Cap's API (a sandbox).")
@click.option("--nextcap-api-key", help="The CRM key, nextcap_ck_…; without it ${NEXTCAP_API_KEY} is read.")
@click.option("--nextcap-data-key", help="The Data key, sk_live_…, with which webhooks are registered.")
@click.option("--nextcap-webhook-secret", help="The webhook's secret, if the webhook was made by hand.")
@click.option("--connection", help="The connection's name.  [default: as the CRM]")
@click.option(
    "--crm",
    callback=_known,
    default="hubspot",
    show_default=True,
    help="The kind of CRM; `connector adapters list` shows them all.",
)
@click.option("--crm-address", help="The address of the CRM account, for CRMs with one address per account.")
@click.option(
    "--set",
    "keys",
    multiple=True,
    metavar="KEY=VALUE",
    help="Any other key of the connection (see docs/crm/); may be repeated.",
)
@click.option("--mapping", help="The mapping file.  [default: mappings/<crm>.yaml]")
@click.option("--store", default="sqlite:///connector.db", show_default=True)
@click.option("--queue", default="memory://", show_default=True)
def init(yes: bool, file: Path | None, crm: str, keys: tuple[str, ...], **given: str | None) -> None:
    """Ask for what is needed and write config.toml.

    The file is readable by you alone, and never written over another.
    Secrets left empty are read from the environment when the connector starts.
    """
    from connector import config

    path = (file or config.config_path()).absolute()
    if path.exists():
        raise click.UsageError(f"{path} exists already; edit it, or name another with --file")
    known = kind(crm)
    wanted = {"connection": given["connection"] or crm, "mapping": given["mapping"] or f"mappings/{crm}.yaml"}
    answers = {**given, **wanted, **_keys(keys, known)}
    if not yes:
        answers = _asked(answers, known)
    _check_answers(answers)
    _write_new(path, _rendered(answers, crm, known))
    click.echo(f"wrote {path}")
    try:
        written = config.load(path)
    except ConfigError as problem:
        click.echo(f"not complete yet: {problem}", err=True)
    else:
        for one in written.connections.values():
            if not config.absolute(written, one.mapping).is_file():
                click.echo(f"the mapping {one.mapping} is not there yet; it is looked for beside the file", err=True)
    steps = ("db upgrade", f"setup {answers['connection']}", "webhooks register", "run", "doctor")
    click.echo("next: " + ", ".join(f"`connector {one}`" for one in steps))


QUESTIONS = (
    ("public_url", "The https address that vendors will call", False),
    ("nextcap_api_key", "Next Cap CRM key (nextcap_ck_…; empty: ${NEXTCAP_API_KEY})", True),
    ("nextcap_data_key", "Next Cap Data key (sk_live_…; empty: the webhook is made by hand)", True),
    ("nextcap_webhook_secret", "Next Cap webhook secret (empty: `connector webhooks register` keeps it)", True),
)

Answers = dict[str, str | None]


def _keys(given: tuple[str, ...], known: Kind) -> Answers:
    """The connection's keys that have no option of their own, given as KEY=VALUE."""
    found: Answers = {}
    own = known.settings.model_fields.keys() - {"crm", "mapping", known.settings.address_key}
    for pair in given:
        key, equals, value = pair.partition("=")
        if not equals or key not in own:
            there = ", ".join(sorted(own))
            raise click.UsageError(f"--set takes KEY=VALUE, and {known.label} knows: {there}")
        found[f"set {key}"] = value
    return found


def _asked(given: Answers, known: Kind) -> Answers:
    """The options, and an answer for each that was not given."""
    answers = dict(given)
    questions = [*QUESTIONS]
    if known.settings.model_fields[known.settings.address_key].is_required():
        questions.append(("crm_address", f"The address of the {known.label} account (https://…)", False))
    questions += [
        (f"set {one.key}", f"{one.question} (empty: ${{{one.env}}})", one.hidden) for one in _to_ask(answers, known)
    ]
    for name, question, hidden in questions:
        if answers.get(name) is None:
            answers[name] = click.prompt(question, default="", show_default=False, hide_input=hidden)
    return answers


def _to_ask(answers: Answers, known: Kind) -> list[Ask]:
    """What is asked for, without that in whose place something else was given."""
    return [one for one in known.asks if not any(answers.get(f"set {key}") for key in one.instead)]


def _check_answers(answers: dict[str, str | None]) -> None:
    key = answers["nextcap_api_key"] or ""
    if key.startswith(("pk_", "sk_live_")):
        raise click.UsageError("that is not a CRM key of Next Cap; the one that is needed begins with nextcap_ck_")
    for name, value in answers.items():
        if value and not value.isprintable():
            told = name if name.startswith("set ") else name.replace("_", "-")
            raise click.UsageError(f"--{told} holds a character that cannot be printed")


def _rendered(answers: Answers, crm: str, known: Kind) -> str:
    def line(key: str, value: str | None) -> str:
        return f"{key} = {_quoted(value)}\n" if value else ""

    def listed(key: str, value: str | None) -> str:
        return f"{key} = [{_quoted(value)}]\n" if value else ""

    lists = {one.key for one in known.asks if one.is_list}
    own = {one.key: answers.get(f"set {one.key}") or f"${{{one.env}}}" for one in _to_ask(answers, known)}
    own |= {name.removeprefix("set "): value for name, value in answers.items() if name.startswith("set ") and value}
    return (
        line("public_url", answers["public_url"] or "http://127.0.0.1:8000")
        + "\n[store]\n"
        + line("url", answers["store"])
        + "\n[queue]\n"
        + line("url", answers["queue"])
        + "\n[nextcap]\n"
        + line("api_url", answers["nextcap_api_url"])
        + line("api_key", answers["nextcap_api_key"] or "${NEXTCAP_API_KEY}")
        + line("data_key", answers["nextcap_data_key"])
        + listed("webhook_secrets", answers["nextcap_webhook_secret"])
        + f"\n[connections.{answers['connection']}]\n"
        + line("crm", crm)
        + line("mapping", answers["mapping"])
        + line(known.settings.address_key, answers["crm_address"])
        + "".join((listed if key in lists else line)(key, value) for key, value in own.items())
    )


def _quoted(value: str | None) -> str:
    """A TOML basic string: for printable text its escapes are JSON's."""
    return json.dumps(value, ensure_ascii=False)


def _write_new(path: Path, text: str) -> None:
    """Write a file that did not exist, for its owner alone."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as problem:
        raise click.UsageError(f"cannot write {path}: {problem.strerror}") from problem
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


@click.command()
@click.argument("connection")
@dry_run
@common.as_json
def setup(connection: str, dry_run: bool, as_json: bool) -> None:
    """Create the fields and webhooks that we need in a CRM. Idempotent.

    CONNECTION is a configured name, or nextcap for its webhook alone. Exit codes: 0 done, 1 a step met a problem.
    """
    with common.opened() as runtime:
        if connection == NEXTCAP:
            steps = _subscribe_nextcap(runtime, dry_run=dry_run)
        else:
            steps = _set_up(runtime, common.one_of_ours(runtime, connection), dry_run=dry_run)
    _told(steps, as_json=as_json)


def _set_up(runtime: Runtime, name: str, *, dry_run: bool) -> list[Step]:
    from connector.doctor.parts import hook_url
    from connector.engine import prepare

    adapter = runtime.engine.crms[name]
    steps = [*adapter.ensure_schema(dry_run=dry_run)]
    steps += adapter.subscribe(hook_url(runtime.settings, name), dry_run=dry_run)
    if not dry_run:
        # What was made just now is to be known to the next plan, not only when the kept schema is a day old.
        prepare.prepare(runtime.engine, name, force=True)
    return steps


@click.group()
def webhooks() -> None:
    """Next Cap's webhook."""


@webhooks.command()
@dry_run
@common.as_json
def register(dry_run: bool, as_json: bool) -> None:
    """Register our webhook at Next Cap and keep its secret.

    This needs the Data key; without one, it says what to do by hand.
    """
    with common.opened() as runtime:
        steps = _subscribe_nextcap(runtime, dry_run=dry_run)
    _told(steps, as_json=as_json)


def _subscribe_nextcap(runtime: Runtime, *, dry_run: bool) -> list[Step]:
    """A secret that is shown once must find its place: without SECRET_KEY nothing is registered."""
    from connector.doctor.configuration import public_url, secret_key
    from connector.doctor.parts import hook_url

    found = runtime.settings
    if found.nextcap.data_key and not dry_run:
        common.fitting(secret_key(found), public_url(found))
    return list(runtime.engine.nextcap.subscribe(hook_url(found, NEXTCAP), dry_run=dry_run))


def _told(steps: Sequence[Step], *, as_json: bool) -> None:
    if as_json:
        show.as_json(steps)
    else:
        for step in steps:
            show.finding(step.state, step.what, advice=step.advice)
    if any(step.state == "problem" for step in steps):
        raise SystemExit(common.WRONG)


@click.group()
def db() -> None:
    """The database."""


@db.command()
def upgrade() -> None:
    """Create the tables, or bring them to this version. Idempotent; several processes may call it at once."""
    from connector.doctor.configuration import store_fits

    found = common.settings()
    common.fitting(store_fits(found))
    with common.database(found, create=True) as store:
        store.upgrade()
    click.echo("the database is up to date")


COMMANDS = (init, setup, webhooks, db)
