"""`ipam completion SHELL`: what makes a shell complete commands, options and networks."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command("completion", epilog='For bash: eval "$(ipam completion bash)" in ~/.bashrc.')
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(ctx: click.Context, *, shell: str) -> None:
    """What makes a shell complete commands, options and networks: a script to be sourced."""
    kind = get_completion_class(shell)
    if kind is None:
        raise ValueError(f"no completion for {shell}")
    print(kind(ctx.find_root().command, {}, "ipam", "_IPAM_COMPLETE").source())
