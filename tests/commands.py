"""The reference of all commands: what each says of itself with --help. `python -m tests.commands` writes it."""

from pathlib import Path

import click

from ipam.cli import COMMANDS, ipam

PATH = Path(__file__).parents[1] / "conf" / "COMMANDS.md"
WIDTH = 110
HEAD = """\
# Every command

What each command says of itself with `--help`. Written by `python -m tests.commands`.
"""


def reference() -> str:
    """The file's text."""
    parts = [HEAD]
    settings = ipam.context_settings | {"terminal_width": WIDTH}
    with click.Context(ipam, info_name="ipam", **settings) as top:
        for name in COMMANDS:
            command = ipam.get_command(top, name)
            assert command is not None
            with click.Context(command, parent=top, info_name=name) as context:
                parts.append(f"## ipam {name}\n\n```\n{command.get_help(context)}\n```\n")
                for step, below in getattr(command, "commands", {}).items():
                    with click.Context(below, parent=context, info_name=step) as deeper:
                        parts.append(f"### ipam {name} {step}\n\n```\n{below.get_help(deeper)}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PATH.write_text(reference())
