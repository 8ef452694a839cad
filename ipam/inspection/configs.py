"""The networks that a CNI config directory describes, as the plugin would be told of them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ipam import config, jsontext
from ipam.errors import CniError
from ipam.inspection import flannel
from ipam.jsontext import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipam.config import Object
    from ipam.model import Network, StoreConfig

DEFAULT_DIR = Path("/etc/cni/net.d")
SUFFIXES = (".conf", ".conflist", ".json")
"""What libcni reads in a config directory."""

FROM_RUNTIME = "its ranges come from the runtime (capability ipRanges)"

_OWN_NAME = "host-local"
_OWN_KEYS = frozenset({"store", "ranges", "subnet"})


class Configured(NamedTuple):
    """One use of the plugin in one file.

    `conf` is what the plugin gets on stdin, decoded, `plugin` the type of the main plugin that hands it over.
    `network` or `store` is None where the config is wrong, or leaves it open, and `problem` says why.
    """

    path: Path
    plugin: str
    name: str
    conf: Object
    network: Network | None = None
    store: StoreConfig | None = None
    problem: str = ""


def read_directory(directory: Path) -> tuple[list[Configured], list[str]]:
    """Every use of the plugin in a config directory, in the order of the file names, and what could not be read."""
    found: list[Configured] = []
    problems = []
    paths = sorted(directory.iterdir()) if directory.is_dir() else []
    for path in paths:
        if path.suffix not in SUFFIXES:
            continue
        try:
            found += read_file(path)
        except CniError as error:
            problems.append(f"{path}: {error}")
        except OSError as error:
            problems.append(f"{path}: {error.strerror}")
    return found, problems


def read_file(path: Path) -> list[Configured]:
    """The uses of the plugin in one file: a list of plugins, or a single one. Raises OSError, CniError."""
    plugins = [flannel.delegated(conf) if flannel.is_flannel(conf) else conf for conf in plugins_of(read_object(path))]
    return [_configured(path, conf) for conf in plugins if is_ours(conf)]


def read_object(path: Path) -> Object:
    """The object in a config file, its keys in lower case. Raises OSError, CniError."""
    with path.open("rb") as file:
        return config.decode(file.read(jsontext.LIMIT + 1))


def plugins_of(whole: Object) -> Iterator[Object]:
    """The config of each plugin as libcni hands it over: with the list's name and cniVersion."""
    listed = whole.get("plugins")
    if not isinstance(listed, list):
        yield whole
        return
    given = {key: whole[key] for key in ("name", "cniversion") if key in whole}
    for item in listed:
        if isinstance(item, dict):
            yield config.fields(item) | given


def is_ours(conf: Object) -> bool:
    """Whether a plugin's config asks for this plugin: by its usual name, or by keys that no other IPAM plugin has."""
    ipam = conf.get("ipam")
    if not isinstance(ipam, dict):
        return False
    section = config.fields(ipam)
    return section.get("type") == _OWN_NAME or not _OWN_KEYS.isdisjoint(section)


def _configured(path: Path, conf: Object) -> Configured:
    plugin, name = conf.get("type"), conf.get("name")
    described = Configured(path, plugin if isinstance(plugin, str) else "", name if isinstance(name, str) else "", conf)
    try:
        described = described._replace(store=config.store_config(conf, strict=False))
        if leaves_ranges_open(conf):
            return described._replace(problem=FROM_RUNTIME)
        return described._replace(network=config.network(conf, config.version_of(conf), None))
    except CniError as error:
        return described._replace(problem=in_words(error))


def in_words(error: CniError) -> str:
    """All that an error tells, on one line."""
    return f"{error}; {error.details}" if error.details else f"{error}"


def leaves_ranges_open(conf: Object) -> bool:
    """Whether the runtime is to say the ranges, and the config has none."""
    capabilities, ipam = conf.get("capabilities"), conf.get("ipam")
    if not isinstance(capabilities, dict) or not isinstance(ipam, dict):
        return False
    return capabilities.get("ipRanges") is True and {"ranges", "subnet"}.isdisjoint(config.fields(ipam))


def described(found: Configured) -> str:
    """A use of the plugin in a few words, for messages."""
    return f"network {quote(found.name)[1:-1]} in {found.path}"
