"""Ranges that hand out the same addresses: between the nodes of a network, and between networks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ipam.address import format_address
from ipam.audit.capacity import cidrs
from ipam.audit.finding import RULES, Finding, advice
from ipam.audit.survey import EXAMPLES, Limits, Survey
from ipam.model import Address, Range

_SHOWN = 8  # pieces of an overlap


class Owner(NamedTuple):
    """Who hands out of a range: a network on a node, or (`node` empty) a store that all nodes share."""

    network: str
    node: str


class Piece(NamedTuple):
    """Addresses from `first` to `last` of a family that several owners hand out."""

    family: int
    first: int
    last: int
    owners: frozenset[Owner]


Owned = tuple[Range, Owner]


def overlapping(owned: Iterable[Owned]) -> dict[frozenset[Owner], list[Piece]]:
    """The pieces that more than one owner has, by the owners. Costs n log n, and what it finds."""
    edges: list[tuple[Address, bool, Owner]] = []
    for rng, owner in set(owned):
        edges.append((Address(rng.family, rng.start), True, owner))
        edges.append((Address(rng.family, rng.end + 1), False, owner))
    edges.sort(key=lambda edge: edge[:2])
    found: dict[frozenset[Owner], list[Piece]] = {}
    open_now: dict[Owner, int] = {}
    before = Address(0, 0)
    for where, begins, owner in edges:
        if len(open_now) > 1 and before < where:
            owners = frozenset(open_now)
            found.setdefault(owners, []).append(Piece(where.family, before.value, where.value - 1, owners))
        before = where
        open_now[owner] = open_now.get(owner, 0) + (1 if begins else -1)
        if not open_now[owner]:
            del open_now[owner]
    return found


def findings(survey: Survey) -> Iterator[Finding]:
    """Overlaps of any two that share a wire: a local network meets only the other networks of its node."""
    local, limits = [], survey.limits
    everywhere: list[Owned] = []
    by_node: dict[str, list[Owned]] = {}
    for place, (_, header) in enumerate(survey.sources):
        for info in survey.counted(place, header).values():
            owner = Owner(info.name, "" if info.shared else header.node)
            mine = [(rng, owner) for each in info.range_sets or () for rng in each.ranges]
            by_node.setdefault(header.node, []).extend(mine)
            if info.name in limits.local:
                local.append(header.node)
            else:
                everywhere += mine
    for owners, pieces in overlapping(everywhere).items():
        yield _finding(owners, pieces)
    for node in sorted(set(local)):
        for owners, pieces in overlapping(by_node[node]).items():
            if _concerns(owners, limits):
                yield _finding(owners, pieces)


def _concerns(owners: frozenset[Owner], limits: Limits) -> bool:
    return any(owner.network in limits.local for owner in owners)


def _finding(owners: frozenset[Owner], pieces: list[Piece]) -> Finding:
    nodes = tuple(sorted({owner.node for owner in owners if owner.node}))
    networks = sorted({owner.network for owner in owners})
    covered = [_piece_text(piece) for piece in pieces]
    shown = ", ".join(covered[:_SHOWN]) + (" …" if len(covered) > _SHOWN else "")
    if len(networks) > 1:
        message = f"networks {' and '.join(networks[:EXAMPLES])} both hand out {shown}"
        helps = advice("ipam", "validate", "CONFLIST", then="of one of them, after its ranges were changed")
    else:
        message = f"{len(nodes)} nodes hand out {shown} of network {networks[0]}, each from a store of its own"
        helps = advice("ipam", "audit", "--local", networks[0], then="where each node has it for itself, behind NAT")
    in_order = sorted(owners)
    return Finding(
        RULES["overlapping-ranges"],
        message,
        nodes,
        networks[0] if len(networks) == 1 else "",
        shown,
        tuple({"network": owner.network, "node": owner.node} for owner in in_order[:EXAMPLES]),
        helps,
        max(0, len(in_order) - EXAMPLES),
    )


def _piece_text(piece: Piece) -> str:
    """A CIDR where it is one, else `first-last`."""
    covering = cidrs(piece.family, [(piece.first, piece.last)])
    if len(covering) == 1:
        return covering[0]
    return "-".join(format_address(Address(piece.family, value)) for value in (piece.first, piece.last))
