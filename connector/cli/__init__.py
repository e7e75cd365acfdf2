"""The command line: it parses, calls one function and prints. Everything heavy is imported inside a command."""

from connector.cli.root import main

__all__ = ["main"]
