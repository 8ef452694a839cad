"""The network config on stdin, read as strictly as Go reads it, into Network and StoreConfig."""

from __future__ import annotations

from ipam import jsontext
from ipam.cni import parse_requested
from ipam.errors import InvalidConfig, Undecodable
from ipam.jsontext import quote
from ipam.model import Network, StoreConfig, valid_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from ipam.model import Address

    T = TypeVar("T")

DEFAULT_DATA_DIR = "/var/lib/cni/networks"
DEFAULT_LOCK_TIMEOUT = 10.0
LONGEST_LOCK_TIMEOUT = 3600.0
LONGEST_NETWORK_NAME = 255  # it becomes a directory's name
LONGEST_NODE_NAME = 253  # as Kubernetes has it (RFC 1123)
ATTACHMENT_KEYS = ("cni.dev/valid-attachments", "cni.dev/attachments")  # null means that none is valid
_MOST_KEPT, _MOST_KEPT_BYTES = 128, 16_384
DURABILITY = {"boot": False, "full": True}

Object = dict[str, object]


def decode(stdin: bytes) -> Object:
    """The config as one object. Raises Undecodable where stdin is anything else."""
    value = jsontext.decode(stdin)
    if not isinstance(value, dict):
        raise Undecodable(f"error unmarshall network config: an object is needed, not {quote(value)}")
    conf = fields(value)
    conf.update({key: [] for key in ATTACHMENT_KEYS if key in value and value[key] is None})
    return conf


def fields(value: Object) -> Object:
    """The object with its keys in lower case, as Go matches them; null counts as absent."""
    return {key.lower(): item for key, item in value.items() if item is not None}


def version_of(conf: Object) -> str:
    """The config's cniVersion; 0.1.0 where it has none (SPEC section 1). Raises Undecodable for a non-string."""
    version = conf.get("cniversion", "")
    if not isinstance(version, str):
        raise Undecodable(f"decoding version from network config: cniVersion is {quote(version)}, not a string")
    return version or "0.1.0"


def name_of(conf: Object) -> str:
    """The network's name. Raises Undecodable for a non-string, InvalidConfig for one that breaks the rules."""
    name = conf.get("name", "")
    if not isinstance(name, str):
        raise Undecodable(f"error unmarshall network config: name is {quote(name)}, not a string")
    if not name:
        raise InvalidConfig("missing network name", 'the config needs a "name"')
    if not valid_name(name):
        raise InvalidConfig(
            "invalid characters found in network name",
            f"name is {quote(name)}; it must start with a letter or digit, then letters, digits, _ . and - only",
        )
    if len(name) > LONGEST_NETWORK_NAME:
        raise InvalidConfig("network name is too long", f"name is {quote(name)}; at most 255 characters")
    return name


def ipam_of(conf: Object) -> Object:
    """The `ipam` section. Raises InvalidConfig where there is none."""
    if "ipam" not in conf:
        raise InvalidConfig("IPAM config missing 'ipam' key", 'the config needs an "ipam" section')
    return section(conf, "ipam", "ipam")


def section(conf: Object, key: str, path: str) -> Object:
    """The object under `key`, empty where absent; `path` names it in an error."""
    value = conf.get(key.lower(), {})
    if not isinstance(value, dict):
        raise InvalidConfig(f"{path} must be an object, not {quote(value)}")
    return fields(value)


def text(conf: Object, key: str, path: str) -> str:
    """The string under `key`, empty where absent."""
    value = conf.get(key.lower(), "")
    if not isinstance(value, str):
        raise InvalidConfig(f"{path} must be a string, not {quote(value)}")
    if "\0" in value or not value.isprintable():
        raise InvalidConfig(f"{path} has characters that cannot be in it: {quote(value)}")
    return value


def items(conf: Object, key: str, path: str) -> list[object]:
    """The list under `key`, empty where absent."""
    value = conf.get(key.lower(), [])
    if not isinstance(value, list):
        raise InvalidConfig(f"{path} must be a list, not {quote(value)}")
    return value


def store_config(conf: Object, *, strict: bool = True) -> StoreConfig:
    """Where the leases are kept. Not `strict` (DEL, GC): what does not say *where* may be wrong, each key by itself."""
    ipam = ipam_of(conf)
    data_dir, url = text(ipam, "dataDir", "ipam.dataDir"), text(ipam, "store", "ipam.store")
    if data_dir and not data_dir.startswith("/"):
        raise InvalidConfig(
            f"ipam.dataDir must be an absolute path, not {quote(data_dir)}",
            "a relative one would lie under whatever directory the runtime runs in",
        )
    from_dir = f"file://{data_dir}" if data_dir else ""
    if url and from_dir and url.rstrip("/") != from_dir.rstrip("/"):
        raise InvalidConfig(
            f"ipam.store {quote(StoreConfig(url).shown)} and ipam.dataDir {quote(data_dir)} name two places",
            "dataDir is short for store file://…: keep one of them",
        )
    url = url or from_dir or f"file://{DEFAULT_DATA_DIR}"
    if ":" not in url:
        raise InvalidConfig(f"ipam.store must be a URL such as file:///dir, not {quote(url)}")
    password_file = text(ipam, "passwordFile", "ipam.passwordFile")
    if password_file and not password_file.startswith("/"):
        raise InvalidConfig(f"ipam.passwordFile must be an absolute path, not {quote(password_file)}")
    timeout = _read(_lock_timeout, ipam, DEFAULT_LOCK_TIMEOUT, strict=strict)
    durable, node = (
        _read(_durable, ipam, DURABILITY["boot"], strict=strict),
        _read(_node_name, ipam, None, strict=strict),
    )
    keep = _read(_keep, ipam, (0.0, 0), strict=strict)
    return StoreConfig(url, lock_timeout=timeout, durable=durable, node=node, password_file=password_file, keep=keep)


def _read(read: Callable[[Object], T], ipam: Object, otherwise: T, *, strict: bool) -> T:
    try:
        return read(ipam)
    except InvalidConfig:
        if strict:
            raise
        return otherwise


def _keep(ipam: Object) -> tuple[float, int]:
    if "historykeep" not in ipam:
        return 0.0, 0
    from ipam import keeping

    return keeping.parse(ipam["historykeep"])


def _node_name(ipam: Object) -> str | None:
    name = text(ipam, "nodeName", "ipam.nodeName")
    if name and (not valid_name(name) or len(name) > LONGEST_NODE_NAME):
        raise InvalidConfig(
            f"ipam.nodeName must be a host name, not {quote(name)}", "letters, digits, _ . and -, at most 253"
        )
    return name


def _lock_timeout(ipam: Object) -> float:
    value = ipam.get("locktimeout", DEFAULT_LOCK_TIMEOUT)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= LONGEST_LOCK_TIMEOUT:
        raise InvalidConfig(f"ipam.lockTimeout must be seconds, more than 0, at most 3600, not {quote(value)}")
    return float(value)


def _durable(ipam: Object) -> bool:
    value = text(ipam, "durability", "ipam.durability") or "boot"
    if value not in DURABILITY:
        raise InvalidConfig(f'ipam.durability must be "boot" or "full", not {quote(value)}')
    return DURABILITY[value]


def network(conf: Object, version: str, args_ip: Address | None) -> Network:
    """The network that the config asks for. Raises InvalidConfig, in Go's words where Go has some."""
    from ipam.ranges import parse_range_sets
    from ipam.routes import parse_routes

    ipam = ipam_of(conf)
    runtime = section(conf, "runtimeConfig", "runtimeConfig")
    text(ipam, "type", "ipam.type")
    return Network(
        name_of(conf),
        parse_range_sets(ipam, runtime, version),
        _requested(conf, runtime, args_ip),
        parse_routes(items(ipam, "routes", "ipam.routes")),
        text(ipam, "resolvConf", "ipam.resolvConf"),
    )


def _requested(conf: Object, runtime: Object, args_ip: Address | None) -> tuple[Address, ...]:
    """The addresses asked for, each once. CNI_ARGS counts only where `args` has none (CONVENTIONS, args)."""
    cni = section(section(conf, "args", "args"), "cni", "args.cni")
    addresses = [requested_address(item, "args.cni.ips") for item in items(cni, "ips", "args.cni.ips")]
    if not addresses and args_ip is not None:
        addresses.append(args_ip)
    addresses += [requested_address(item, "runtimeConfig.ips") for item in items(runtime, "ips", "runtimeConfig.ips")]
    return tuple(dict.fromkeys(addresses))


def requested_address(value: object, path: str) -> Address:
    """The address that the value under `path` spells, with or without a length. Raises InvalidConfig."""
    address = parse_requested(value) if isinstance(value, str) else None
    if address is None:
        shown = quote(value)
        raise InvalidConfig(
            f"invalid IP address {shown[1:-1]}", f"{path} takes addresses, with or without /length, not {shown}"
        )
    return address


class Config:
    """A network config, and what has been understood of it so far. Its methods raise InvalidConfig."""

    __slots__ = ("_log_level", "_name", "_networks", "_stores", "object", "version")

    def __init__(self, stdin: bytes) -> None:
        """Read what came in on stdin. Raises Undecodable."""
        self.object = decode(stdin)
        self.version = version_of(self.object)
        self._name = ""
        self._log_level: object = None
        self._networks: dict[Address | None, Network] = {}
        self._stores: dict[bool, StoreConfig] = {}

    def log_level(self, *, strict: bool = True) -> str:
        """What `ipam.logLevel` says. Not `strict` (DEL, GC): what is wrong means none."""
        if self._log_level is None:
            ipam = self.object.get("ipam")
            self._log_level = (fields(ipam) if isinstance(ipam, dict) else {}).get("loglevel", "none")
        value = self._log_level
        if value == "none":
            return "none"
        from ipam import log

        return log.level(value, strict=strict)

    def name(self) -> str:
        """See name_of()."""
        if not self._name:
            self._name = name_of(self.object)
        return self._name

    def network(self, args_ip: Address | None) -> Network:
        """See network()."""
        if args_ip not in self._networks:
            self._networks = {args_ip: network(self.object, self.version, args_ip)}
        return self._networks[args_ip]

    def store(self, *, strict: bool = True) -> StoreConfig:
        """See store_config()."""
        if strict not in self._stores:
            found = store_config(self.object, strict=strict)
            self._stores[strict] = next((known for known in self._stores.values() if known == found), found)
        return self._stores[strict]


class Configs:
    """Configs by the exact bytes that they came in: a daemon need not read again what hardly ever changes."""

    def __init__(self) -> None:
        self._read: dict[bytes, Config] = {}

    def get(self, stdin: bytes) -> Config:
        """The config in `stdin`; kept, unless it is large or belongs to one container alone (prevResult)."""
        known = self._read.get(stdin)
        if known is not None:
            return known
        conf = Config(stdin)
        if len(stdin) <= _MOST_KEPT_BYTES and "prevresult" not in conf.object:
            if len(self._read) >= _MOST_KEPT:
                del self._read[next(iter(self._read))]
            self._read[stdin] = conf
        return conf
