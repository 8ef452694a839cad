"""The hand-picked cases: what a case is made of, and the table that all modules in here make together."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from tests.peer.comparison import DATA_DIR, Call, Json

V4 = "10.0.0.0/24"
V6 = "fd00::/64"


@dataclass(frozen=True)
class Step:
    """One call to both plugins, and what ours has to answer.

    `code` is 0 for success, else our error code (Go's own errors are all 999). `differs` names the entries
    of `differences.DIFFERENCES` that show here. Where Go cannot be the judge because of them, `gives` (the
    addresses), `prints` (the whole result) or `says` (a part of `msg` or `details`) is what to expect.
    """

    call: Call
    code: int = 0
    differs: tuple[str, ...] = ()
    gives: tuple[str, ...] | None = None
    prints: Json | None = None
    says: str | None = None


Files: TypeAlias = Mapping[str, bytes | None]
"""Between two calls: files that another program writes (or, with None, removes)."""

Case: TypeAlias = list[Step | Files]


def conf(ipam: Json | None = None, version: str | None = "1.0.0", **rest: Any) -> Json:
    """A network config with this `ipam` section (or one IPv4 subnet); None leaves cniVersion out."""
    section = {"type": "host-local", "dataDir": DATA_DIR, **({"subnet": V4} if ipam is None else ipam)}
    return {**({} if version is None else {"cniVersion": version}), "name": "net", "ipam": section, **rest}


def sets(*range_sets: Json | list[Json], **rest: Any) -> Json:
    """An `ipam` section of range sets; a set of one range may be given as that range."""
    return {"ranges": [each if isinstance(each, list) else [each] for each in range_sets], **rest}


def one(subnet: str, **rest: Any) -> Json:
    """A range."""
    return {"subnet": subnet, **rest}


def _step(command: str, config: Json | bytes | None, expected: dict[str, Any], call: dict[str, Any]) -> Step:
    differs = expected.pop("differs", ())
    if isinstance(differs, str):
        differs = (differs,)
    return Step(Call(command, conf() if config is None else config, **call), differs=differs, **expected)


_EXPECTED = ("code", "differs", "gives", "prints", "says")


def step(command: str, config: Json | bytes | None = None, **fields: Any) -> Step:
    """A step; `fields` are those of Step and of Call."""
    expected = {name: fields.pop(name) for name in _EXPECTED if name in fields}
    return _step(command, config, expected, fields)


def add(config: Json | bytes | None = None, **fields: Any) -> Step:
    """An ADD."""
    return step("ADD", config, **fields)


def delete(config: Json | bytes | None = None, **fields: Any) -> Step:
    """A DEL."""
    return step("DEL", config, **fields)


def check(config: Json | bytes | None = None, **fields: Any) -> Step:
    """A CHECK."""
    return step("CHECK", config, **fields)


def raw(ipam: str = "", *, before: str = "", after: str = "") -> bytes:
    """A config as text, for what json.dumps cannot spell: keys twice, odd case, what is not JSON."""
    section = ipam or f'{{"type":"host-local","dataDir":"{DATA_DIR}","subnet":"{V4}"}}'
    return f'{before}{{"cniVersion":"1.0.0","name":"net","ipam":{section}}}{after}'.encode()
