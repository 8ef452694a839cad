"""`ipam status`: the daemon, what it has done, and the plugins that call it."""

from __future__ import annotations

import json
import socket
from datetime import datetime
from pathlib import Path

import click

from ipam import __version__, frame
from ipam.cli import plugins
from ipam.cli.serve import DEFAULT_SOCKET

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

NOT_RUNNING = 3
"""The exit status when no daemon listens; 0 when one answers, 1 when it does not or this fails."""

PATIENCE = 5.0
"""Seconds for the daemon to answer."""


_EPILOG = (
    f"Exit status: 0 when the daemon answers, {NOT_RUNNING} when none listens, 1 when it cannot be asked. "
    "Where systemd listens for it, asking starts the daemon."
)


@click.command("status", epilog=_EPILOG)
@click.option(
    "--socket", "path", type=click.Path(path_type=Path), default=DEFAULT_SOCKET, metavar="PATH", show_default=True
)
@click.option(
    "--cni-bin-dir",
    "directories",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="DIR",
    help=f"Where to look for plugins, may be repeated.  [default: {', '.join(map(str, plugins.USUAL_DIRS))}]",
)
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def command(*, path: Path, directories: tuple[Path, ...], output: str) -> int:
    """The daemon, what it has done, and the plugins that call it."""
    daemon = ask(path)
    found = [
        plugin
        for directory in directories or plugins.USUAL_DIRS
        if directory.is_dir()
        for plugin in plugins.survey(directory)
    ]
    status = {
        "version": __version__,
        "protocol": frame.PROTOCOL,
        "socket": str(path),
        "daemon": daemon,
        "plugins": [plugin._asdict() | {"path": str(plugin.path)} for plugin in found],
        "problems": list(_problems(daemon, found)),
    }
    if output == "json":
        print(json.dumps(status, indent=4))
    else:
        print("\n".join(_table(status)))
    return NOT_RUNNING if daemon is None else 0


def ask(path: Path) -> dict[str, Any] | None:
    """What the daemon at that socket says of itself, None where none listens.

    Of a daemon that speaks another protocol only that is known: {"protocol": number}. Raises OSError.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(PATIENCE)
        try:
            connection.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except OSError as error:
            raise OSError(f"cannot connect to {path}: {error.strerror or error}") from None
        try:
            connection.sendall(frame.encode_request({"IPAM_QUERY": "status"}, b""))
            length = frame.payload_length(_read(connection, frame.PREFIX), frame.REPLY_LIMIT)
            protocol, _exit_code, answer, _stderr = frame.decode_reply(_read(connection, length))
        except (OSError, frame.FrameError) as error:
            reason = getattr(error, "strerror", None) or error
            raise OSError(f"the daemon at {path} does not answer: {reason}") from None
    return json.loads(answer) if protocol == frame.PROTOCOL else {"protocol": protocol}


def _read(connection: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        part = connection.recv(length - len(data))
        if not part:
            raise ConnectionResetError("it closed the connection")
        data += part
    return data


def _problems(daemon: dict[str, Any] | None, found: Iterable[plugins.Plugin]) -> Iterator[str]:
    """What an operator should see to: first of the daemon, then of each plugin of ours."""
    if daemon and daemon["protocol"] != frame.PROTOCOL:
        yield (
            f"the daemon speaks protocol {daemon['protocol']}, this ipam {frame.PROTOCOL}: "
            "systemctl restart ipam, after the newer of the two was installed"
        )
    elif daemon and daemon["version"] != __version__:
        yield f"the daemon still runs version {daemon['version']}, installed is {__version__}: systemctl restart ipam"
    for store, health in (daemon or {}).get("stores", {}).items():
        if health != "ok":
            yield f"store {store}: {health}"
    for plugin in found:
        for problem in plugin.problems:
            yield f"{plugin.path}: {problem}: run ipam install again"
        if daemon and plugin.protocol not in {None, daemon["protocol"]}:
            yield (
                f"{plugin.path} speaks protocol {plugin.protocol}, the daemon {daemon['protocol']}: "
                "every call runs the one-shot plugin; run ipam install and restart the daemon"
            )
        if plugin.version not in {None, __version__}:
            yield f"{plugin.path}: its one-shot plugin is of version {plugin.version}: run ipam install again"


def _table(status: dict[str, Any]) -> Iterator[str]:
    daemon = status["daemon"]
    if daemon is None:
        yield f"daemon    not running: nobody listens at {status['socket']}"
    elif "version" not in daemon:
        yield f"daemon    running at {status['socket']}, of another version (protocol {daemon['protocol']})"
    else:
        since = datetime.fromtimestamp(daemon["since"]).astimezone()
        yield f"daemon    {daemon['version']}, protocol {daemon['protocol']}, pid {daemon['pid']}"
        yield f"socket    {status['socket']}"
        yield f"since     {since:%Y-%m-%d %H:%M:%S %z}"
        yield from _columns("stores", [[url, health] for url, health in daemon["stores"].items()])
        yield from _columns("requests", [[key, str(number)] for key, number in daemon["requests"].items()])
        yield from _columns(
            "latency",
            [
                [command, *(f"{name} {seconds * 1000:.2f} ms" for name, seconds in quantiles.items())]
                for command, quantiles in daemon["seconds"].items()
            ],
        )
    yield from _columns("plugins", [[each["path"], _described(each)] for each in status["plugins"]])
    yield from _columns("problems", [[problem] for problem in status["problems"]])


def _described(plugin: dict[str, Any]) -> str:
    if plugin["kind"] == plugins.LAUNCHER:
        fallback = f"falls back to one-shot {plugin['version']}" if plugin["version"] else "no fallback"
        return f"launcher, protocol {plugin['protocol']}, {fallback}"
    if plugin["kind"] == plugins.ONE_SHOT:
        return f"one-shot {plugin['version']}, does not ask the daemon"
    return f"not ours ({plugin['kind']})"


def _columns(title: str, rows: list[list[str]]) -> Iterator[str]:
    """The rows with aligned columns, the title before the first."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    for number, row in enumerate(rows):
        cells = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"{'' if number else title:10}{cells}".rstrip()
