"""`connector` itself, with all its commands."""

from __future__ import annotations

from importlib.metadata import version

import click

from connector.cli import adapters, doctor, events, mappings, parked, run, setup, status, tickets
from connector.cli.common import Commands


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("nextcap-connector"), prog_name="connector")
def main() -> None:
    """Keeps Next Cap tickets and CRM tickets saying the same thing, both ways.

    The configuration is config.toml in the working directory, or the file that CONNECTOR_CONFIG names. A first look
    without any account: `connector demo`. From nothing to running: `init`, `doctor`, `db upgrade`, `setup`, `run`.

    Exit codes: 0 well, 1 something is wrong, 2 configuration or usage.
    """


for module in (run, setup, doctor, status, mappings, adapters, tickets, parked, events):
    for command in module.COMMANDS:
        main.add_command(command)
