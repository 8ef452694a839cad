"""The values that every part speaks of: addresses, ranges, attachments, leases, events."""

# Plain slot classes on purpose: dataclasses, typing and enum cost more start-up time than an ADD does.
from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

IPV4 = 4
IPV6 = 6
WIDTH = {IPV4: 32, IPV6: 128}

GO_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
"""What Go calls white space; Python's own idea of it has U+001C to U+001F too."""

_NAME_FIRST = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
_NAME_REST = _NAME_FIRST | frozenset("_.-")


def valid_name(text: str) -> bool:
    """Whether `text` is a network name or container id: `[A-Za-z0-9][A-Za-z0-9_.-]*`, all of it."""
    return bool(text) and text[0] in _NAME_FIRST and _NAME_REST.issuperset(text)


class Value:
    """Base of the immutable-by-convention records: equal when their fields are, printable, replaceable."""

    __slots__: tuple[str, ...] = ()

    def _fields(self) -> tuple[object, ...]:
        return tuple([getattr(self, name) for name in self.__slots__])

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._fields() == other._fields()

    def __hash__(self) -> int:
        return hash(self._fields())

    def __repr__(self) -> str:
        shown = ", ".join([f"{name}={getattr(self, name)!r}" for name in self.__slots__])
        return f"{type(self).__name__}({shown})"

    def replace(self, **changes: object) -> Self:
        """The same record with some fields changed."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        fields.update(changes)
        return type(self)(**fields)


class Address(tuple[int, int]):
    """An address as (family, value): sorts by family, then by number. Text form: `ipam.address`."""

    __slots__ = ()

    def __new__(cls, family: int, value: int) -> Self:
        """`family` is IPV4 or IPV6, `value` the address as an unsigned integer."""
        return tuple.__new__(cls, (family, value))

    @property
    def family(self) -> int:
        """IPV4 or IPV6."""
        return self[0]

    @property
    def value(self) -> int:
        """The address as an unsigned integer."""
        return self[1]


class Attachment(Value):
    """What a lease is bound to: one interface of one container (SPEC: CNI_CONTAINERID, CNI_IFNAME).

    An empty `ifname` is a record of an old host-local that knew the container alone; it stands for
    every interface of that container.
    """

    __slots__ = ("container_id", "ifname")

    def __init__(self, container_id: str, ifname: str) -> None:
        self.container_id = container_id
        self.ifname = ifname

    # Compared and looked up more often than all other values together.
    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Attachment):
            return False
        return self.container_id == other.container_id and self.ifname == other.ifname

    def __hash__(self) -> int:
        return hash((self.container_id, self.ifname))


class Pod(Value):
    """The Kubernetes pod behind an attachment, as CNI_ARGS named it; fields may be empty."""

    __slots__ = ("name", "namespace", "uid")

    def __init__(self, namespace: str = "", name: str = "", uid: str = "") -> None:
        self.namespace = namespace
        self.name = name
        self.uid = uid


NO_POD = Pod()


class Range(Value):
    """A slice of one subnet: `start` to `end`, both included, all numbers of one `family`.

    `subnet` is the network's first address, `prefix` its length. `gateway` is an Address, not always
    inside the subnet, and never handed out.
    """

    __slots__ = ("end", "family", "gateway", "prefix", "start", "subnet")

    def __init__(self, family: int, subnet: int, prefix: int, start: int, end: int, gateway: Address) -> None:
        self.family = family
        self.subnet = subnet
        self.prefix = prefix
        self.start = start
        self.end = end
        self.gateway = gateway

    def __contains__(self, address: Address) -> bool:
        return self.family == address[0] and self.start <= address[1] <= self.end


class RangeSet(Value):
    """Alternatives that together yield one address; `index` is its place in the effective order."""

    __slots__ = ("index", "ranges")

    def __init__(self, index: int, ranges: tuple[Range, ...]) -> None:
        self.index = index
        self.ranges = ranges

    def range_of(self, address: Address) -> Range | None:
        """The range that contains `address`, if one does."""
        for rng in self.ranges:
            if address in rng:
                return rng
        return None


class Network(Value):
    """What a network config asks for, once it has been found valid.

    `requested` are the addresses that the caller wants, `routes` are result objects ready to print,
    `resolv_conf` is the path of a file to take DNS settings from, or empty.
    """

    __slots__ = ("name", "range_sets", "requested", "resolv_conf", "routes")

    def __init__(
        self,
        name: str,
        range_sets: tuple[RangeSet, ...],
        requested: tuple[Address, ...] = (),
        routes: tuple[dict[str, object], ...] = (),
        resolv_conf: str = "",
    ) -> None:
        self.name = name
        self.range_sets = range_sets
        self.requested = requested
        self.routes = routes
        self.resolv_conf = resolv_conf


class StoreConfig(Value):
    """Which store to open and how: its URL, how long to wait for it (seconds), whether to wait for the disk.

    `durable`: answer only when a power cut could not undo the change. `node` is what this node is called there, its
    host name where empty; None: nobody can tell, so that nothing is done in any node's name. `password_file` is the
    path of a file with the URL's password, or empty; `keep` how much history stays: seconds and bytes, 0: no limit.
    """

    __slots__ = ("durable", "keep", "lock_timeout", "node", "password_file", "url")

    def __init__(
        self, url: str, *, lock_timeout: float = 10.0, durable: bool = False, node: str | None = "",
        password_file: str = "", keep: tuple[float, int] = (0.0, 0),
    ) -> None:  # fmt: skip
        self.url = url
        self.lock_timeout = lock_timeout
        self.durable = durable
        self.node = node
        self.password_file = password_file
        self.keep = keep

    def __hash__(self) -> int:
        return hash(self.url)  # which every call looks for

    @property
    def shown(self) -> str:
        """The URL as people may see it: without a password."""
        scheme, slashes, rest = self.url.partition("://")
        user, at, server = rest.partition("@")  # a password ends at the first @, whatever it has in it
        name, colon, _password = user.partition(":")
        if at and colon and "/" not in name:
            authority, slash, path = server.partition("/")
            rest = f"{name}:***@{authority.rpartition('@')[2]}{slash}{path}"
        place, mark, query = rest.partition("?")
        return f"{scheme}{slashes}{place}{mark}" + "&".join(map(_without_secret, query.split("&")))


def _without_secret(setting: str) -> str:
    key, equals, _value = setting.partition("=")
    return f"{key}=***" if equals and key.endswith("password") else setting


class Lease(Value):
    """A recorded binding of one address to one attachment.

    `range_set` is the index of the set that yielded it, or None where nobody recorded that (a lease of
    another program). `since` is in seconds since the epoch. `boot` and `node` say in which boot of which
    host it was made, empty where unknown.
    """

    __slots__ = ("address", "attachment", "boot", "node", "pod", "range_set", "since")

    def __init__(
        self,
        address: Address,
        attachment: Attachment,
        range_set: int | None,
        pod: Pod = NO_POD,
        since: float = 0.0,
        boot: str = "",
        node: str = "",
    ) -> None:
        self.address = address
        self.attachment = attachment
        self.range_set = range_set
        self.pod = pod
        self.since = since
        self.boot = boot
        self.node = node


class Cause:
    """Why a lease was claimed or dropped: the words that history keeps."""

    ADD = "add"
    DEL = "del"
    GC = "gc"
    REBOOT = "reboot"
    UNDELIVERED = "undelivered"
    FOUND = "found"
    VANISHED = "vanished"
    RELEASE = "release"
    RESTORE = "restore"
    MIGRATE = "migrate"
    IMPORT = "import"


CLAIM = "claim"
DROP = "drop"


class Event(Value):
    """One line of history: `what` (CLAIM or DROP) happened to `lease` on `network` at `time`, for `cause`.

    `time` is in seconds since the epoch; `boot` is the boot in which the event happened; `note` a short text
    of who did it and why, where a person did.
    """

    __slots__ = ("boot", "cause", "lease", "network", "note", "time", "what")

    def __init__(
        self, time: float, boot: str, network: str, what: str, lease: Lease, cause: str, note: str = ""
    ) -> None:
        self.time = time
        self.boot = boot
        self.network = network
        self.what = what
        self.lease = lease
        self.cause = cause
        self.note = note


class Host(Value):
    """Where and when we run: the node's name, its boot id, and the clock (seconds since the epoch)."""

    __slots__ = ("boot", "clock", "node")

    def __init__(self, node: str, boot: str, clock: Clock) -> None:
        self.node = node
        self.boot = boot
        self.clock = clock

    def named(self, node: str | None) -> Host:
        """The same host under the name that a config gives it; its own where it gives none."""
        return Host(node, self.boot, self.clock) if node else self


if TYPE_CHECKING:
    from collections.abc import Callable

    Clock = Callable[[], float]
