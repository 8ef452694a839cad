"""Every statement of the SQL stores, by name, in SQLAlchemy Core: no dialect has any of its own."""

# Parameters: `net` is a network's id, `key` an address's key; inserts take their columns' names. What a statement
# returns is what its select() lists.
from __future__ import annotations

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Executable,
    Table,
    bindparam,
    delete,
    exists,
    insert,
    literal_column,
    or_,
    select,
    union_all,
    update,
)

from backends.sql.rows import CHAIN_COLUMNS, EVENT_COLUMNS, LEASE_COLUMNS, SEAL_COLUMNS
from backends.sql.schema import boots, chains, cursors, events, free, leases, networks, resting, version

_NET: BindParameter[int] = bindparam("net")
_KEY: BindParameter[bytes] = bindparam("key")
_NOTHING: ColumnElement[str] = literal_column("''")

_anywhere = select(*[leases.c[name] for name in LEASE_COLUMNS], leases.c.network)
_lease = select(*[leases.c[name] for name in LEASE_COLUMNS]).where(leases.c.network == _NET)
_event = select(*[events.c[name] for name in EVENT_COLUMNS]).where(events.c.network == _NET).order_by(events.c.id)
_linked = select(events.c.id, events.c.link, *[events.c[name] for name in EVENT_COLUMNS])
_version = select(version.c.version_num)


def _add(table: Table) -> Executable:
    """A row of all columns but those that the database fills in."""
    return insert(table).values({column.name: bindparam(column.name) for column in table.c if column.name != "id"})


STATEMENTS: dict[str, Executable] = {
    # The network and the end of its chain, locked until the end of the transaction where the database has locks of
    # rows: the first one in turns, so that who has it gets the other at once, as it was committed last.
    "open": select(networks.c.id, _version.scalar_subquery(), chains.c.written, chains.c.last)
    .select_from(networks.join(chains, chains.c.network == networks.c.id))
    .where(networks.c.name == bindparam("name"))
    .with_for_update(),
    "find": select(networks.c.id).where(networks.c.name == bindparam("name")),
    "version": _version,
    # The same, refused where nothing can be written.
    "ready": _version.with_for_update(read=True, key_share=True),
    "networks": select(networks.c.name),
    "add_network": insert(networks).values(name=bindparam("name")),
    # Leases.
    "leases": _lease.order_by(leases.c.address),
    # In all networks: a planner that knows nothing of the tables would read all of one network instead.
    "leases_of_node": _anywhere.where(leases.c.node == bindparam("node")),
    "held_by": _anywhere.where(
        leases.c.container_id == bindparam("container_id"),
        or_(leases.c.ifname == bindparam("ifname"), leases.c.ifname == _NOTHING),
    ),
    "holder": _lease.where(leases.c.address == _KEY),
    "add_lease": _add(leases),
    "remove_lease": delete(leases).where(leases.c.network == _NET, leases.c.address == _KEY),
    # Free intervals: the one that `key` is in or the next one, and the one behind it.
    "free_from": select(free.c.first, free.c.last)
    .where(free.c.network == _NET, free.c.last >= _KEY)
    .order_by(free.c.last)
    .limit(2),
    "add_free": _add(free),
    "set_first": update(free).where(free.c.network == _NET, free.c.last == _KEY).values(first=bindparam("first")),
    "set_last": update(free).where(free.c.network == _NET, free.c.last == _KEY).values(last=bindparam("last")),
    "remove_free": delete(free).where(free.c.network == _NET, free.c.last == _KEY),
    "clear_free": delete(free).where(free.c.network == _NET),
    "parts": union_all(
        select(literal_column("'free'"), free.c.first, free.c.last).where(free.c.network == _NET),
        select(literal_column("'leased'"), leases.c.address, leases.c.address).where(leases.c.network == _NET),
        select(literal_column("'resting'"), resting.c.address, resting.c.address).where(resting.c.network == _NET),
    ),
    # Addresses that rest.
    "resting": select(resting.c.address, resting.c.until)
    .where(resting.c.network == _NET, resting.c.until > bindparam("now"))
    .order_by(resting.c.address),
    "resting_from": select(resting.c.address)
    .where(resting.c.network == _NET, resting.c.address >= _KEY)
    .order_by(resting.c.address)
    .limit(1),
    "rested": select(resting.c.address).where(resting.c.network == _NET, resting.c.until <= bindparam("now")),
    "add_resting": _add(resting),
    "remove_resting": delete(resting).where(resting.c.network == _NET, resting.c.address == _KEY),
    # Cursors and boots.
    "cursors": select(cursors.c.range_set, cursors.c.address).where(cursors.c.network == _NET),
    "cursor": select(cursors.c.address).where(cursors.c.network == _NET, cursors.c.range_set == bindparam("set")),
    "add_cursor": _add(cursors),
    "set_cursor": update(cursors)
    .where(cursors.c.network == _NET, cursors.c.range_set == bindparam("set"))
    .values(address=bindparam("address")),
    "boot": select(boots.c.boot).where(boots.c.network == _NET, boots.c.node == bindparam("of")),
    "add_boot": _add(boots),
    "set_boot": update(boots)
    .where(boots.c.network == _NET, boots.c.node == bindparam("of"))
    .values(boot=bindparam("boot")),
    # History.
    "add_event": _add(events),
    "events": _event,
    "events_since": _event.where(events.c.time >= bindparam("since")),
    "events_of_address": _event.where(events.c.address == _KEY),
    "events_of_container": _event.where(events.c.container_id == bindparam("container_id")),
    # Its chain.
    "chain": select(*[chains.c[name] for name in CHAIN_COLUMNS]).where(chains.c.network == _NET),
    "add_chain": _add(chains),
    "lengthen_chain": update(chains)
    .where(chains.c.network == _NET)
    .values(written=bindparam("written"), last=bindparam("last")),
    "linked_from": _linked.where(events.c.network == _NET, events.c.id >= bindparam("begins")).order_by(events.c.id),
    "first_of_chain": select(events.c.time)
    .where(events.c.network == _NET, events.c.id >= bindparam("begins"))
    .order_by(events.c.id)
    .limit(1),
    "same_event": select(events.c.id)
    .where(
        events.c.network == _NET,
        events.c.address == _KEY,
        events.c.time == bindparam("time"),
        events.c.what == bindparam("what"),
        events.c.container_id == bindparam("container_id"),
        events.c.ifname == bindparam("ifname"),
    )
    .limit(1),
    # Forgetting: what is older, before the first event of the chain that is not; what stands for it then.
    "first_recent": select(events.c.id)
    .where(events.c.network == _NET, events.c.id >= bindparam("begins"), events.c.time >= bindparam("before"))
    .order_by(events.c.id)
    .limit(1),
    "link_before": select(events.c.link)
    .where(events.c.network == _NET, events.c.id >= bindparam("begins"), events.c.id < bindparam("until"))
    .order_by(events.c.id.desc())
    .limit(1),
    "linked_before": _linked.where(events.c.network == _NET, events.c.id < bindparam("until")).order_by(events.c.id),
    "seal_chain": update(chains)
    .where(chains.c.network == _NET)
    .values({name: bindparam(name) for name in SEAL_COLUMNS}),
    "forget": delete(events).where(
        events.c.network == _NET,
        events.c.id < bindparam("until"),
        events.c.time < bindparam("before"),
        or_(
            events.c.what != literal_column("'claim'"),
            ~exists().where(
                leases.c.network == events.c.network,
                leases.c.address == events.c.address,
                leases.c.container_id == events.c.container_id,
                leases.c.ifname == events.c.ifname,
                leases.c.since == events.c.since,
            ),
        ),
    ),
}
