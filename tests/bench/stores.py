"""The SQL stores as contestants: SQLite and PostgreSQL behind the daemon, SQLite in one-shots; a million leases."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Network
from itertools import pairwise
from pathlib import Path
from statistics import median

from backends.sql import open_database
from backends.sql.chains import NOTHING, begin, lengthen
from backends.sql.database import Session
from backends.sql.keys import SPACES, key_of
from backends.sql.rows import event_values, lease_values
from ipam.model import CLAIM, IPV4, IPV6, NO_POD, Address, Attachment, Cause, Event, Lease, StoreConfig
from ipam.plugin import this_host
from tests.bench.contestants import Contestant, Fill, one_shot, through_daemon
from tests.bench.leases import container_id
from tests.bench.networks import Network
from tests.bench.report import head, judged, ms, row
from tests.bench.rounds import ADD, DEL, Plan
from tests.bench.targets import Target, times
from tests.sql.cluster import Cluster

SQLITE, SQLITE_ONE_SHOT, POSTGRESQL = "sqlite", "sqlite one-shot", "postgresql"
PLAN = Plan(sizes={0: 60, 1_000: 40, 60_000: 7}, full_prefix=16, full_rounds=0, traced=[], bursts={110: 7, 1_000: 3})
QUICK = Plan(sizes={0: 15, 1_000: 10}, full_prefix=16, full_rounds=0, traced=[], bursts={110: 3})

MILLION = 1_000_000
WIDE = IPv4Network("10.0.0.0/8")
ROUNDS = 60
MOST = Target(1.5)
_BATCH = 10_000
_PATIENT: dict[str, object] = {"lockTimeout": 120}
_REST = 3.0  # seconds, for what the filling left to do


@contextmanager
def contestants(scratch: Path) -> Iterator[list[Contestant]]:
    """All of them, with a server for those that need one: as Debian configures it, so that it waits for the disk."""
    with Cluster("max_connections = 200") as cluster:
        url = cluster.store()
        alone = one_shot(scratch)
        file = "sqlite:///{data_dir}/ipam.db"
        yield [
            through_daemon(scratch, SQLITE, store=file, fill=_filler(file), ranges=False),
            # A thousand of them at once take longer than anybody waits for the lock who says nothing.
            Contestant(SQLITE_ONE_SHOT, alone.argv, ipam=_PATIENT, store=file, fill=_filler(file), ranges=False),
            through_daemon(scratch, POSTGRESQL, store=url, fill=_filler(url), ranges=False),
        ]


def _filler(url: str) -> Fill:
    def fill_store(data_dir: Path, network: str, cursor: int, addresses: Iterable[int]) -> None:
        fill(url.format(data_dir=data_dir), network, cursor, addresses)

    return fill_store


def fill(url: str, network: str, cursor: int, addresses: Iterable[int]) -> None:
    """Leases and their history, written straight into the tables: claiming a million of them takes its time."""
    host = this_host()
    database = open_database(StoreConfig(url, lock_timeout=600), host)
    leased: list[int] = []
    end = NOTHING

    def start(session: Session) -> tuple[int, None]:
        session.run("add_network", {"name": network})
        ((number,),) = session.fetch("find", {"name": network})
        begin(session, number)
        session.run("add_boot", {"network": number, "node": host.node, "boot": host.boot})
        session.run("add_cursor", {"network": number, "range_set": 0, "address": key_of(IPV4, cursor)})
        return int(str(number)), None

    number = database.write(start)
    for batch in _batches(addresses):
        leased += batch
        leases = [
            Lease(Address(IPV4, value), Attachment(container_id(value), "eth0"), 0, NO_POD, 1.0, host.boot, host.node)
            for value in batch
        ]
        rows = [lease_values(number, lease) for lease in leases]
        events = [event_values(number, Event(1.0, host.boot, network, CLAIM, lease, Cause.ADD)) for lease in leases]

        def write(session: Session, rows=rows, events=events, end=end) -> tuple[tuple[int, bytes], None]:  # type: ignore[no-untyped-def]
            session.run_many("add_lease", rows)
            found = lengthen(session, number, network, end, events)
            session.run_many("add_event", events)
            return found, None

        end = database.write(write)

    def finish(session: Session) -> tuple[None, None]:
        edges = [-1, *sorted(leased), SPACES[IPV4] + 1]
        for below, above in pairwise(edges):
            if above - below > 1:
                first, last = key_of(IPV4, below + 1), key_of(IPV4, above - 1)
                session.run("add_free", {"network": number, "first": first, "last": last})
        session.run("add_free", {"network": number, "first": key_of(IPV6, 0), "last": key_of(IPV6, SPACES[IPV6])})
        return None, None

    database.write(finish)
    database.close()


def _batches(addresses: Iterable[int]) -> Iterator[list[int]]:
    batch: list[int] = []
    for address in addresses:
        batch.append(address)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def million(found: Sequence[Contestant], scratch: Path, leases: int) -> list[str]:
    """ADD and DEL at so many leases beside those at none, in turns: the table."""
    lines = ["", f"## {leases:,} leases", "", "Medians, in ms; the ratio is to the same call at 0 leases.", ""]
    lines += head("store", "call", "wall at 0", f"wall at {leases:,}", "ratio", "target", "")
    for number, contestant in enumerate(found):
        place = scratch / f"million-{number}"
        place.mkdir()
        with contestant.background(place):
            lines += _compare(contestant, place, leases)
    return lines


def _compare(contestant: Contestant, place: Path, leases: int) -> Iterator[str]:
    first = int(WIDE.network_address) + 2
    networks = [Network(contestant, place / name, f"bench-{name}", WIDE) for name in ("none", "many")]
    networks[1].fill(range(first, first + leases), first + leases - 1)
    for network in networks:
        network.call(ADD, container_id(1))
        network.call(DEL, container_id(1))
    time.sleep(_REST)
    costs: dict[tuple[str, str], list[float]] = {}
    for number in range(ROUNDS):
        for network in networks if number % 2 else networks[::-1]:
            for call in (ADD, DEL):
                cost = network.call(call, container_id(2_000_000_000 + number))
                costs.setdefault((network.name, call), []).append(cost.wall)
    for call in (ADD, DEL):
        none, many = (median(costs[network.name, call]) for network in networks)
        verdict = judged(MOST if call == ADD else None, many / none)
        yield row(contestant.name, call, ms(none), ms(many), times(many / none), *verdict)
