"""Door 3: the operator's `ipam`, one file a command, each imported only when it is called."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from ipam import __version__
from ipam.errors import CniError

COMMANDS = {
    "install": "put the plugin into a CNI bin directory",
    "uninstall": "take it out again, and put back what it replaced",
    "serve": "run the daemon behind the launcher",
    "status": "the daemon, what it has done, and the plugins that call it",
}


def main(arguments: list[str] | None = None) -> None:
    """Run one command; exit with 0, with 1 where it failed, with 2 where the call was wrong."""
    parser = argparse.ArgumentParser(prog="ipam", description="IP address management on the container host.")
    parser.add_argument("--version", action="version", version=f"ipam {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    given = arguments if arguments is not None else sys.argv[1:]
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        if name in given:
            import_module(f"ipam.cli.{name}").add_arguments(command)
    options = parser.parse_args(given)
    try:
        import_module(f"ipam.cli.{options.command}").run(options)
    except (CniError, OSError, ValueError) as error:
        details = getattr(error, "details", "")
        print(f"ipam {options.command}: {error}" + (f"; {details}" if details else ""), file=sys.stderr)
        sys.exit(1)
