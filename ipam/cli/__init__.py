"""Door 3: the operator's `ipam`, one file a command, each imported only when it is called."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from keyword import iskeyword

import click

from ipam import __version__
from ipam.errors import CniError
from ipam.inspection.mistakes import Mistake

COMMANDS = {
    "install": "put the plugin into a CNI bin directory",
    "uninstall": "take the plugin out again, and put back what it replaced",
    "serve": "run the daemon behind the launcher",
    "status": "the daemon, what it has done, and the plugins that call it",
    "networks": "the networks of this host: leases, ranges, store and config of each",
    "leases": "who holds which address, since when, in which pod, on which node",
    "who": "who holds an address, or held it at some time, and why that ended",
    "history": "every claim and drop of an address, oldest first: when, by whom, and why",
    "usage": "how full each range set is, how fast it fills, and when it will be full",
    "map": "a picture of each range: one cell an address or a block of addresses",
    "explain": "what ADD would answer now, and why; changes nothing",
    "gc": "find leases whose containers are gone, and with --apply free them",
    "release": "free an address, or all of a container's, and record who did it",
    "restore": "bring back a lease that an operator or gc took away",
    "check": "find what is wrong with the leases: damaged records, leases that cannot be",
    "store": "move leases from one store to another, check a store, upgrade its schema",
    "validate": "the config as the plugin will see it, and what is wrong or doubtful in it",
    "export": "write a snapshot of this node's leases, for audits, reports and restores",
    "import": "restore the leases of a snapshot into an empty store",
    "audit": "find what is wrong across nodes",
    "report": "make one page of HTML of usage, address maps, activity, forecasts, findings and leases",
    "forget": "remove old events from history; claims of leases still held stay",
    "verify": "prove that no event was changed, cut out, moved or cut off",
    "metrics": "figures of this node's stores in Prometheus' text format",
    "completion": "what makes a shell complete commands, options and networks",
}
"""What each command does, in the order in which they are listed.

`ipam.cli.NAME.command` is the command itself; what it returns is the exit status.
"""

INTERRUPTED = 130
BROKEN_PIPE = 141
"""Exit statuses of a program that SIGINT or SIGPIPE ended, as shells report them."""


class Group(click.Group):
    """Commands whose errors are put into words, and that knows what may have been meant by one that it has not."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """See click.Group."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            known = self.list_commands(ctx)
            close = get_close_matches(args[0], known, n=1) if args[0] not in known else []
            if not close:
                raise
            raise click.UsageError(f"No such command {args[0]!r}. Did you mean {close[0]!r}?", ctx) from error

    def invoke(self, ctx: click.Context) -> object:
        """See click.Group. What is raised for people to read becomes one line on stderr, and exit status 1 or 2."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise Unread from None
        except ModuleNotFoundError as error:
            if (error.name or "ipam").partition(".")[0] in ("ipam", "backends"):
                raise
            needs = f"needs {error.name}: {sys.prefix}/bin/pip install 'ipam-cni[audit]'"
            raise Failure(f"{ctx.command_path} {ctx.invoked_subcommand}: {needs}") from error
        except (CniError, OSError, ValueError) as error:
            details = getattr(error, "details", "")
            text = f"{ctx.command_path} {ctx.invoked_subcommand}: {told(error)}" + (f"; {details}" if details else "")
            raise (WrongCall if isinstance(error, Mistake) else Failure)(text) from error


class Commands(Group):
    """All commands; a list of them imports none."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """See Group."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """See Group."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"ipam.cli.{cmd_name}{'_' * iskeyword(cmd_name)}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """See Group."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def told(error: Exception) -> str:
    """An error in words: of one of the system's, the file and what is wrong with it, without its number."""
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    return f"{error.filename}: {error.strerror}" if error.filename else error.strerror


class Failure(click.ClickException):
    """A command failed: its message as it is, without a word before it."""

    def show(self, file: object = None) -> None:
        """See ClickException."""
        from ipam.cli.output import note

        note(self.message)


class WrongCall(Failure):
    """A command was called with a value that is none of its kind."""

    exit_code = 2


class Denial(Failure):
    """The answer is no."""

    exit_code = 3


class Unread(Exception):
    """Whoever read our output has gone away."""


@click.group(cls=Commands, context_settings={"max_content_width": 120, "help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="ipam %(version)s")
def ipam() -> None:
    """IP address management on the container host."""


def main(arguments: list[str] | None = None) -> None:
    """Run one command; exit with 0, with 1 where it failed, with 2 where the call was wrong."""
    _occupy_standard_streams()
    try:
        status = ipam.main(arguments, prog_name="ipam", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        try:
            sys.stdout.flush()
        except OSError:  # maybe that is what failed
            _write_no_more()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    except (Unread, BrokenPipeError):
        _write_no_more()
        sys.exit(BROKEN_PIPE)
    except OSError as error:
        _write_no_more()
        sys.exit(f"ipam: the answer cannot be written: {error.strerror}")
    if isinstance(status, int) and status:
        sys.exit(status)


def _occupy_standard_streams() -> None:
    """Put something in the place of streams that the caller has closed; no file opened later must take their number.

    An answer on stdout cannot be written then, which is an error; what would go to stderr goes nowhere.
    """
    streams = (("stdin", "r", os.O_RDONLY), ("stdout", "w", os.O_RDONLY), ("stderr", "w", os.O_WRONLY))
    for number, (name, mode, flags) in enumerate(streams):
        if getattr(sys, name) is None:
            fd = os.open(os.devnull, flags)
            if fd != number:
                os.dup2(fd, number)
                os.close(fd)
            os.set_inheritable(number, True)  # noqa: FBT003 - takes no keyword; for what this process becomes, or starts
            setattr(sys, name, os.fdopen(number, mode))


def _write_no_more() -> None:
    """Or the interpreter would try to write the rest, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
