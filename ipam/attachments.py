"""What a config tells of attachments: which are valid, for GC, and what one was given, for CHECK."""

from __future__ import annotations

from ipam.config import ATTACHMENT_KEYS, fields, items, requested_address, section, text
from ipam.errors import InvalidConfig
from ipam.jsontext import quote
from ipam.model import Attachment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ipam.config import Object
    from ipam.model import Address


def valid_attachments(conf: Object) -> set[Attachment] | None:
    """GC's `cni.dev/valid-attachments` (older: `cni.dev/attachments`); None where the key is absent.

    A null list is an empty one: no attachment is valid. Raises InvalidConfig for anything unreadable,
    since releasing on a guess would free live addresses.
    """
    for key in ATTACHMENT_KEYS:
        if key in conf:
            return {_attachment(item, f"{key}[{place}]") for place, item in enumerate(items(conf, key, key))}
    return None


def _attachment(value: object, path: str) -> Attachment:
    if not isinstance(value, dict):
        raise InvalidConfig(f"{path} must be an object with containerID and ifname, not {quote(value)}")
    entry = fields(value)
    who = Attachment(text(entry, "containerID", f"{path}.containerID"), text(entry, "ifname", f"{path}.ifname"))
    if not who.container_id or not who.ifname:
        missing = "ifname" if who.container_id else "containerID"
        raise InvalidConfig(f"{path} has no {missing}: {quote(value)}")
    return who


def previous_addresses(conf: Object) -> list[Address] | None:
    """The addresses in prevResult, in any version's form; None where there is no prevResult."""
    if "prevresult" not in conf:
        return None
    previous = section(conf, "prevResult", "prevResult")
    texts: list[object] = []
    for item in items(previous, "ips", "prevResult.ips"):
        if not isinstance(item, dict):
            raise InvalidConfig(f"prevResult.ips must hold objects, not {quote(item)}")
        texts.append(fields(item).get("address"))
    return [requested_address(value, "prevResult.ips.address") for value in texts]
