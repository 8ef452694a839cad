"""A server on another machine, and the cable between: what the daemon answers when it is pulled out."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.daemon.calls import code, environment
from tests.daemon.service import Service, ask
from tests.peer.namespaces import CommandError, Namespace
from tests.sql.allocation import config, opened, sqlite_url
from tests.sql.cluster import Cluster, is_installed

HERE, THERE = "10.66.0.1", "10.66.0.2"
PATIENCE = 1.0
LONG = 15.0


@pytest.fixture
def machines(as_root: None) -> Iterator[tuple[Namespace, Namespace]]:
    """Two machines with a cable between them."""
    try:
        here, there = Namespace("here"), Namespace("there")
    except CommandError as reason:
        missing(f"the right to make network namespaces ({reason})")
        raise
    try:
        here.ip("link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", there.name)
        for machine, address in ((here, HERE), (there, THERE)):
            machine.ip("addr", "add", f"{address}/24", "dev", "cable")
            machine.ip("link", "set", "cable", "up")
        yield here, there
    finally:
        here.remove()
        there.remove()


def test_a_server_that_is_cut_off_is_an_error_in_time_and_no_trouble_to_others(
    machines: tuple[Namespace, Namespace], tmp_path: Path
) -> None:
    if not is_installed():
        missing("PostgreSQL's server (Debian: postgresql)")
    here, there = machines
    socket = tmp_path / "ipam.sock"
    with (
        Cluster("fsync = off", address=THERE, within=there.entry) as server,
        Service(socket, prefix=here.entry) as _,
    ):
        url = server.store()
        remote = config(server.remote(url), version="1.1.0", lockTimeout=PATIENCE)
        local = config(sqlite_url(tmp_path / "local"), "local", version="1.1.0")

        def call(command: str, container: str, stdin: bytes = remote) -> tuple[int, float]:
            begun = time.monotonic()
            status, stdout, _ = ask(socket, environment(command, container), stdin)
            return (code(stdout) if status else 0), time.monotonic() - begun

        for command in ("STATUS", "ADD", "CHECK"):
            assert call(command, "c1")[0] == 0
        there.ip("link", "set", "cable", "down")
        for command, expected in (("ADD", 11), ("STATUS", 50), ("DEL", 11), ("ADD", 11)):
            answered, seconds = call(command, "c2")
            assert (answered, seconds < LONG) == (expected, True), (command, seconds)
            assert call("ADD", f"{command}-{seconds}".replace(".", "-"), local)[0] == 0
        there.ip("link", "set", "cable", "up")
        deadline = time.monotonic() + LONG
        while call("ADD", "c3")[0] and time.monotonic() < deadline:
            time.sleep(0.1)
        assert call("CHECK", "c3")[0] == 0
        assert call("DEL", "c2")[0] == 0
        with opened(url) as store:
            assert {lease.attachment.container_id for lease in store.leases("net")} == {"c1", "c3"}
