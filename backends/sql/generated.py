"""SQLite's text of the tables and statements. Made by backends/sql/generate.py: change those instead."""

from __future__ import annotations

TABLES = (
    (
        "CREATE TABLE schema_version ( version_num VARCHAR(32) NOT NULL, CONSTRAINT schema_version_pkc "
        "PRIMARY KEY (version_num) )"
    ),
    (
        "CREATE TABLE boots ( network INTEGER NOT NULL, node TEXT NOT NULL, boot TEXT NOT NULL, PRIMARY KEY "
        "(network, node) ) WITHOUT ROWID"
    ),
    (
        "CREATE TABLE chains ( network INTEGER NOT NULL, written INTEGER NOT NULL, last BLOB NOT NULL, "
        "forgotten INTEGER NOT NULL, begins INTEGER NOT NULL, head BLOB NOT NULL, carried BLOB NOT NULL, "
        "PRIMARY KEY (network) ) WITHOUT ROWID"
    ),
    (
        "CREATE TABLE cursors ( network INTEGER NOT NULL, range_set INTEGER NOT NULL, address BLOB NOT NULL, "
        "PRIMARY KEY (network, range_set) ) WITHOUT ROWID"
    ),
    (
        "CREATE TABLE events ( id INTEGER NOT NULL, network INTEGER NOT NULL, time DOUBLE NOT NULL, boot TEXT"
        " NOT NULL, what TEXT NOT NULL, cause TEXT NOT NULL, note TEXT NOT NULL, link BLOB NOT NULL, address "
        "BLOB NOT NULL, container_id TEXT NOT NULL, ifname TEXT NOT NULL, range_set INTEGER, namespace TEXT "
        "NOT NULL, pod TEXT NOT NULL, uid TEXT NOT NULL, since DOUBLE NOT NULL, claimed_in TEXT NOT NULL, "
        "node TEXT NOT NULL, PRIMARY KEY (id) )"
    ),
    ("CREATE INDEX events_by_address ON events (network, address)"),
    ("CREATE INDEX events_by_attachment ON events (network, container_id)"),
    ("CREATE INDEX events_by_time ON events (network, time)"),
    ("CREATE INDEX events_in_order ON events (network, id)"),
    (
        "CREATE TABLE free ( network INTEGER NOT NULL, last BLOB NOT NULL, first BLOB NOT NULL, PRIMARY KEY "
        "(network, last) ) WITHOUT ROWID"
    ),
    (
        "CREATE TABLE leases ( network INTEGER NOT NULL, address BLOB NOT NULL, container_id TEXT NOT NULL, "
        "ifname TEXT NOT NULL, range_set INTEGER, namespace TEXT NOT NULL, pod TEXT NOT NULL, uid TEXT NOT "
        "NULL, since DOUBLE NOT NULL, claimed_in TEXT NOT NULL, node TEXT NOT NULL, PRIMARY KEY (network, "
        "address) ) WITHOUT ROWID"
    ),
    ("CREATE INDEX leases_by_attachment ON leases (container_id, ifname)"),
    ("CREATE INDEX leases_by_node ON leases (node)"),
    ("CREATE TABLE networks ( id INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (id), UNIQUE (name) )"),
    (
        "CREATE TABLE resting ( network INTEGER NOT NULL, address BLOB NOT NULL, until DOUBLE NOT NULL, "
        "PRIMARY KEY (network, address) ) WITHOUT ROWID"
    ),
    ("CREATE INDEX resting_by_time ON resting (network, until)"),
)

STATEMENTS = {
    "open": (
        "SELECT networks.id, (SELECT schema_version.version_num FROM schema_version) AS anon_1, "
        "chains.written, chains.last FROM networks JOIN chains ON chains.network = networks.id WHERE "
        "networks.name = :name"
    ),
    "find": ("SELECT networks.id FROM networks WHERE networks.name = :name"),
    "version": ("SELECT schema_version.version_num FROM schema_version"),
    "ready": ("SELECT schema_version.version_num FROM schema_version"),
    "networks": ("SELECT networks.name FROM networks"),
    "add_network": ("INSERT INTO networks (name) VALUES (:name)"),
    "leases": (
        "SELECT leases.address, leases.container_id, leases.ifname, leases.range_set, leases.namespace, "
        "leases.pod, leases.uid, leases.since, leases.claimed_in, leases.node FROM leases WHERE "
        "leases.network = :net ORDER BY leases.address"
    ),
    "leases_of_node": (
        "SELECT leases.address, leases.container_id, leases.ifname, leases.range_set, leases.namespace, "
        "leases.pod, leases.uid, leases.since, leases.claimed_in, leases.node, leases.network FROM leases "
        "WHERE leases.node = :node"
    ),
    "held_by": (
        "SELECT leases.address, leases.container_id, leases.ifname, leases.range_set, leases.namespace, "
        "leases.pod, leases.uid, leases.since, leases.claimed_in, leases.node, leases.network FROM leases "
        "WHERE leases.container_id = :container_id AND (leases.ifname = :ifname OR leases.ifname = '')"
    ),
    "holder": (
        "SELECT leases.address, leases.container_id, leases.ifname, leases.range_set, leases.namespace, "
        "leases.pod, leases.uid, leases.since, leases.claimed_in, leases.node FROM leases WHERE "
        "leases.network = :net AND leases.address = :key"
    ),
    "add_lease": (
        "INSERT INTO leases (network, address, container_id, ifname, range_set, namespace, pod, uid, since, "
        "claimed_in, node) VALUES (:network, :address, :container_id, :ifname, :range_set, :namespace, :pod, "
        ":uid, :since, :claimed_in, :node)"
    ),
    "remove_lease": ("DELETE FROM leases WHERE leases.network = :net AND leases.address = :key"),
    "free_from": (
        "SELECT free.first, free.last FROM free WHERE free.network = :net AND free.last >= :key ORDER BY "
        "free.last LIMIT 2 OFFSET 0"
    ),
    "add_free": ("INSERT INTO free (network, last, first) VALUES (:network, :last, :first)"),
    "set_first": ("UPDATE free SET first=:first WHERE free.network = :net AND free.last = :key"),
    "set_last": ("UPDATE free SET last=:last WHERE free.network = :net AND free.last = :key"),
    "remove_free": ("DELETE FROM free WHERE free.network = :net AND free.last = :key"),
    "clear_free": ("DELETE FROM free WHERE free.network = :net"),
    "parts": (
        "SELECT 'free', free.first, free.last FROM free WHERE free.network = :net UNION ALL SELECT 'leased', "
        "leases.address, leases.address AS address__1 FROM leases WHERE leases.network = :net UNION ALL "
        "SELECT 'resting', resting.address, resting.address AS address__2 FROM resting WHERE resting.network "
        "= :net"
    ),
    "resting": (
        "SELECT resting.address, resting.until FROM resting WHERE resting.network = :net AND resting.until > "
        ":now ORDER BY resting.address"
    ),
    "resting_from": (
        "SELECT resting.address FROM resting WHERE resting.network = :net AND resting.address >= :key ORDER "
        "BY resting.address LIMIT 1 OFFSET 0"
    ),
    "rested": ("SELECT resting.address FROM resting WHERE resting.network = :net AND resting.until <= :now"),
    "add_resting": ("INSERT INTO resting (network, address, until) VALUES (:network, :address, :until)"),
    "remove_resting": ("DELETE FROM resting WHERE resting.network = :net AND resting.address = :key"),
    "cursors": ("SELECT cursors.range_set, cursors.address FROM cursors WHERE cursors.network = :net"),
    "cursor": ("SELECT cursors.address FROM cursors WHERE cursors.network = :net AND cursors.range_set = :set"),
    "add_cursor": ("INSERT INTO cursors (network, range_set, address) VALUES (:network, :range_set, :address)"),
    "set_cursor": ("UPDATE cursors SET address=:address WHERE cursors.network = :net AND cursors.range_set = :set"),
    "boot": ("SELECT boots.boot FROM boots WHERE boots.network = :net AND boots.node = :of"),
    "add_boot": ("INSERT INTO boots (network, node, boot) VALUES (:network, :node, :boot)"),
    "set_boot": ("UPDATE boots SET boot=:boot WHERE boots.network = :net AND boots.node = :of"),
    "add_event": (
        "INSERT INTO events (network, time, boot, what, cause, note, link, address, container_id, ifname, "
        "range_set, namespace, pod, uid, since, claimed_in, node) VALUES (:network, :time, :boot, :what, "
        ":cause, :note, :link, :address, :container_id, :ifname, :range_set, :namespace, :pod, :uid, :since, "
        ":claimed_in, :node)"
    ),
    "events": (
        "SELECT events.time, events.boot, events.what, events.cause, events.note, events.address, "
        "events.container_id, events.ifname, events.range_set, events.namespace, events.pod, events.uid, "
        "events.since, events.claimed_in, events.node FROM events WHERE events.network = :net ORDER BY "
        "events.id"
    ),
    "events_since": (
        "SELECT events.time, events.boot, events.what, events.cause, events.note, events.address, "
        "events.container_id, events.ifname, events.range_set, events.namespace, events.pod, events.uid, "
        "events.since, events.claimed_in, events.node FROM events WHERE events.network = :net AND events.time"
        " >= :since ORDER BY events.id"
    ),
    "events_of_address": (
        "SELECT events.time, events.boot, events.what, events.cause, events.note, events.address, "
        "events.container_id, events.ifname, events.range_set, events.namespace, events.pod, events.uid, "
        "events.since, events.claimed_in, events.node FROM events WHERE events.network = :net AND "
        "events.address = :key ORDER BY events.id"
    ),
    "events_of_container": (
        "SELECT events.time, events.boot, events.what, events.cause, events.note, events.address, "
        "events.container_id, events.ifname, events.range_set, events.namespace, events.pod, events.uid, "
        "events.since, events.claimed_in, events.node FROM events WHERE events.network = :net AND "
        "events.container_id = :container_id ORDER BY events.id"
    ),
    "chain": (
        "SELECT chains.written, chains.last, chains.forgotten, chains.begins, chains.head, chains.carried "
        "FROM chains WHERE chains.network = :net"
    ),
    "add_chain": (
        "INSERT INTO chains (network, written, last, forgotten, begins, head, carried) VALUES (:network, "
        ":written, :last, :forgotten, :begins, :head, :carried)"
    ),
    "lengthen_chain": ("UPDATE chains SET written=:written, last=:last WHERE chains.network = :net"),
    "linked_from": (
        "SELECT events.id, events.link, events.time, events.boot, events.what, events.cause, events.note, "
        "events.address, events.container_id, events.ifname, events.range_set, events.namespace, events.pod, "
        "events.uid, events.since, events.claimed_in, events.node FROM events WHERE events.network = :net AND"
        " events.id >= :begins ORDER BY events.id"
    ),
    "first_of_chain": (
        "SELECT events.time FROM events WHERE events.network = :net AND events.id >= :begins ORDER BY "
        "events.id LIMIT 1 OFFSET 0"
    ),
    "same_event": (
        "SELECT events.id FROM events WHERE events.network = :net AND events.address = :key AND events.time ="
        " :time AND events.what = :what AND events.container_id = :container_id AND events.ifname = :ifname "
        "LIMIT 1 OFFSET 0"
    ),
    "first_recent": (
        "SELECT events.id FROM events WHERE events.network = :net AND events.id >= :begins AND events.time >="
        " :before ORDER BY events.id LIMIT 1 OFFSET 0"
    ),
    "link_before": (
        "SELECT events.link FROM events WHERE events.network = :net AND events.id >= :begins AND events.id < "
        ":until ORDER BY events.id DESC LIMIT 1 OFFSET 0"
    ),
    "linked_before": (
        "SELECT events.id, events.link, events.time, events.boot, events.what, events.cause, events.note, "
        "events.address, events.container_id, events.ifname, events.range_set, events.namespace, events.pod, "
        "events.uid, events.since, events.claimed_in, events.node FROM events WHERE events.network = :net AND"
        " events.id < :until ORDER BY events.id"
    ),
    "seal_chain": (
        "UPDATE chains SET forgotten=:forgotten, begins=:begins, head=:head, carried=:carried WHERE "
        "chains.network = :net"
    ),
    "forget": (
        "DELETE FROM events WHERE events.network = :net AND events.id < :until AND events.time < :before AND "
        "(events.what != 'claim' OR NOT (EXISTS (SELECT * FROM leases WHERE leases.network = events.network "
        "AND leases.address = events.address AND leases.container_id = events.container_id AND leases.ifname "
        "= events.ifname AND leases.since = events.since)))"
    ),
}
