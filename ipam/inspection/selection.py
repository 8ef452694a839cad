"""Which leases and events somebody wants to see."""

from __future__ import annotations

from ipam.address import network_of, parse_address, parse_cidr
from ipam.inspection.mistakes import Mistake
from ipam.model import WIDTH, Address, Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ipam.model import Lease

ORDERS: dict[str, Callable[[Lease], object]] = {
    "address": lambda lease: lease.address,
    "since": lambda lease: (lease.since, lease.address),
    "pod": lambda lease: (lease.pod.namespace, lease.pod.name, lease.address),
    "container": lambda lease: (lease.attachment.container_id, lease.attachment.ifname, lease.address),
    "node": lambda lease: (lease.node, lease.address),
}
"""By what leases can be sorted."""


class Selection(Value):
    """What a lease must be like: all of what is given. Empty texts and None stand for no wish.

    `pod` is a name, namespace/name, or namespace/ for all in it, `container` an id or how one begins, `first` and
    `last` bound the address.
    """

    __slots__ = ("container", "first", "last", "pod")

    def __init__(self, pod: str = "", container: str = "", address: str = "") -> None:
        """`address` is an address or a CIDR. Raises Mistake where it is neither."""
        self.pod = pod
        self.container = container
        self.first: Address | None = None
        self.last: Address | None = None
        if address:
            self.first, self.last = _bounds(address)

    def __contains__(self, lease: Lease) -> bool:
        if self.first is not None and self.last is not None and not self.first <= lease.address <= self.last:
            return False
        if self.container and not lease.attachment.container_id.startswith(self.container):
            return False
        namespace, name = lease.pod.namespace, lease.pod.name
        return not self.pod or self.pod in (name, f"{namespace}/{name}", f"{namespace}/")

    @property
    def address(self) -> Address | None:
        """The one address that is wanted, None where it may be several."""
        return self.first if self.first == self.last else None


def one_address(text: str) -> Address:
    """The address that somebody typed. Raises Mistake."""
    address = parse_address(text)
    if address is None:
        raise Mistake(f"{text!r} is no IP address")
    return address


def _bounds(text: str) -> tuple[Address, Address]:
    if "/" not in text:
        address = one_address(text)
        return address, address
    parsed = parse_cidr(text)
    if parsed is None:
        raise Mistake(f"{text!r} is neither an address nor a CIDR such as 10.1.0.0/16")
    address, prefix = parsed
    first = network_of(address, prefix)
    last = first | (1 << WIDTH[address.family] - prefix) - 1
    return Address(address.family, first), Address(address.family, last)
