"""The long way: 60,000 leases with history through every store and back, each move killed half way. `make stores`."""

import shutil
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from ipam.migration import summarize
from tests.sql import moving
from tests.sql.allocation import opened, sqlite_url
from tests.sql.cluster import Cluster
from tests.sql.intervals import assert_sound

LEASES = 60_000


def main() -> None:
    """Move them, and compare."""
    directory = Path(tempfile.mkdtemp(prefix="ipam-stores-"))
    try:
        with Cluster() as cluster:
            stations = [f"file://{directory}/a", sqlite_url(directory / "b"), cluster.store(), f"file://{directory}/c"]
            moving.fill(stations[0], LEASES)
            with opened(stations[0]) as store:
                first = summarize(store, "net")
            _say(f"filled with {first.leases:,} leases and {first.events:,} events")
            for source, target in pairwise(stations):
                _move(source, target, first.events)
                with opened(target) as store:
                    assert summarize(store, "net") == first
                if not target.startswith("file:"):
                    assert_sound(target)
        assert moving.files(directory / "c" / "net") == moving.files(directory / "a" / "net")
        _say(f"the lease files are the same; digest {first.digest[:16]}")
    finally:
        shutil.rmtree(directory)


def _move(source: str, target: str, events: int) -> None:
    there = moving.kill_half_way(source, target, events, at_least=events // 2)
    begun = time.monotonic()
    done = moving.migrate(source, target)
    assert done.returncode == 0, done.stderr
    kinds = " -> ".join(url.partition(":")[0] for url in (source, target))
    _say(f"{kinds}: killed at {there:,} events, the rest in {time.monotonic() - begun:.0f} s: {done.stdout.strip()}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
