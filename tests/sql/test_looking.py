"""SQLite looked at: nothing is made, and no right to write is needed."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.sql.allocation import LEASE, claim, opened


def test_looking_makes_no_file(path: Path, url: str) -> None:
    with opened(url) as store:
        store.check()
        assert list(store.networks()) == list(store.leases("net")) == list(store.history("net")) == []
    assert not path.parent.exists()


def test_a_network_that_was_only_looked_at_is_not_known(url: str) -> None:
    with opened(url) as store:
        store.transact(
            "net", lambda tx: (tx.last_boot("here"), tx.begin_boot("here", "boot"), tx.held_by(LEASE.attachment))
        )
        assert list(store.networks()) == []
        claim(store)
        assert list(store.networks()) == ["net"]


@pytest.mark.usefixtures("as_root")
def test_a_read_only_file_system_can_be_looked_at(path: Path, url: str) -> None:
    with opened(url) as store:
        claim(store)
    script = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"'
    look = [sys.executable, "-m", "ipam.cli", "leases", "--store", url, "-o", "csv"]
    command = ["unshare", "--mount", "sh", "-c", script, "sh", path.parent, *look]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1].startswith("net,10.")


@pytest.mark.usefixtures("as_root")
def test_who_may_only_read_the_file_sees_what_is_in_it(path: Path, url: str) -> None:
    with opened(url) as store:
        claim(store)
    path.chmod(0o644)
    path.parent.chmod(0o755)
    script = (
        "import os, sys\nfrom tests.sql.allocation import opened\n"
        "def look():\n    with opened(sys.argv[1]) as store:\n        return list(store.leases('net'))\n"
        "seen = look()\nos.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "assert len(seen) == 1 and look() == seen\n"
    )
    command = 'mount --bind "$1" /mnt && exec "$2" -c "$3" sqlite:////mnt/ipam.db'
    subprocess.run(["unshare", "--mount", "sh", "-c", command, "sh", path.parent, sys.executable, script], check=True)
    assert sorted(each.name for each in path.parent.iterdir()) == ["ipam.db", "ipam.db.lock"]
