"""`ipam export`: one snapshot of this node's stores, compressed, with a digest, signed where that is wanted."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ipam.cli import output, sites

_EPILOG = (
    "The file's extension says how it is compressed: .gz, .xz, or not at all. Others may write to the store meanwhile. "
    "A key is made with `openssl genpkey -algorithm ed25519 -out key.pem`, its public half with "
    "`openssl pkey -in key.pem -pubout`."
)


@click.command("export", epilog=_EPILOG)
@click.option(
    "-o", "--output", "path", type=click.Path(path_type=Path, allow_dash=True), default="-", metavar="FILE",
    help="Where to write it, for the owner alone to read.  [default: stdout]",
)  # fmt: skip
@sites.network_option("This network alone.")
@click.option("--with-history", is_flag=True, help="With all events that the stores tell of.")
@click.option(
    "--sign-key", type=click.Path(path_type=Path), metavar="FILE", help="Sign it with the Ed25519 key in this PEM file."
)
@sites.options
def command(*, scope: sites.Scope, path: Path, network: str | None, with_history: bool, sign_key: Path | None) -> int:
    """Write a snapshot of this node's leases, for audits, reports and restores."""
    from ipam.audit import files
    from ipam.audit.live import LiveStores
    from ipam.audit.snapshot import encode

    sign = None
    if sign_key is not None:
        from ipam.audit import signing

        sign = signing.signer(sign_key)
    with scope.sites(network) as found:
        source = LiveStores(scope.readable(found, sites.whole), scope.host, history=with_history)
        lines = encode(source.header, output.counted(source.records(), "records"), sign)
        if str(path) == "-":
            sys.stdout.buffer.writelines(lines)
            sys.stdout.buffer.flush()
        else:
            files.write(path, lines)
    return scope.status
