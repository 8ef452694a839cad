"""What an audit finds: a stable code, how bad it is, the evidence, and the command that helps."""

from __future__ import annotations

import shlex
from typing import Any, NamedTuple

from ipam.jsontext import quote

ERROR, WARNING, NOTE = "error", "warning", "note"
SEVERITIES = (ERROR, WARNING, NOTE)
"""From the worst on; SARIF's words for them are the same."""


class Rule(NamedTuple):
    """A kind of finding. Codes are never given to another kind."""

    code: str
    name: str
    severity: str
    meaning: str


RULES = {
    rule.name: rule
    for rule in (
        Rule("A01", "duplicate-address", ERROR, "one address is leased on two nodes of a shared network"),
        Rule("A02", "duplicate-address-past", WARNING, "one address was leased on two nodes at the same time"),
        Rule("A03", "overlapping-ranges", ERROR, "nodes or networks hand out the same addresses"),
        Rule("A04", "lease-outside-ranges", WARNING, "leases lie in no range that their network is configured with"),
        Rule("A05", "container-on-two-nodes", ERROR, "one container id holds leases on two nodes"),
        Rule("A06", "pod-on-two-nodes", WARNING, "one pod holds leases on two nodes"),
        Rule("A07", "leaked-by-boot", WARNING, "leases of an earlier boot, whose containers are gone"),
        Rule("A08", "leaked-by-age", NOTE, "leases older than containers usually get"),
        Rule("A09", "range-set-exhausted", ERROR, "no address is left in a range set"),
        Rule("A10", "range-set-nearly-exhausted", WARNING, "a range set is nearly full, or will soon be"),
        Rule("A11", "node-missing", ERROR, "there is no snapshot of a node that was expected"),
        Rule("A12", "snapshot-old", WARNING, "a node's snapshot is too old to tell of now"),
        Rule("A13", "clock-disagrees", WARNING, "a node's clock is wrong, or was set back"),
        Rule("A14", "snapshot-damaged", ERROR, "a snapshot is not what its node wrote"),
        Rule("A15", "history-broken", ERROR, "events were changed, cut out or reordered"),
        Rule("A16", "snapshot-superseded", NOTE, "a newer snapshot of the same node was given too"),
    )
}


class Finding(NamedTuple):
    """One finding. `nodes` are those concerned, `subject` the address, pod, range … that it is about.

    `evidence` has one object of plain values a fact, `more` how many facts were left out, `help` is a command line to
    begin with, empty where none helps.
    """

    rule: Rule
    message: str
    nodes: tuple[str, ...]
    network: str = ""
    subject: str = ""
    evidence: tuple[dict[str, Any], ...] = ()
    help: str = ""
    more: int = 0

    def to_json(self) -> dict[str, Any]:
        """Everything, in plain values."""
        return {
            "code": self.rule.code,
            "name": self.rule.name,
            "severity": self.rule.severity,
            "message": self.message,
            "network": self.network,
            "nodes": list(self.nodes),
            "subject": self.subject,
            "evidence": list(self.evidence),
            "more": self.more,
            "help": self.help,
        }


def advice(*words: str, on: str = "", then: str = "") -> str:
    """A command line that can be pasted into a shell, whatever a node or network is called.

    `on` is the node that it is for, `then` what else there is to say: in a comment behind it.
    """
    said = f"on {quote(on)[1:-1]}" if on else ""
    comment = ", ".join(part for part in (said, then) if part)
    return shlex.join(words) + (f"  # {comment}" if comment else "")


def in_order(findings: list[Finding]) -> list[Finding]:
    """The worst first, then by code, network, node and subject: the same input gives the same list."""
    return sorted(
        findings,
        key=lambda each: (
            SEVERITIES.index(each.rule.severity), each.rule.code, each.network, each.nodes, each.subject, each.message
        ),
    )  # fmt: skip


def fails(findings: list[Finding], severity: str) -> bool:
    """Whether one of them is of this severity, or worse."""
    worst = SEVERITIES.index(severity)
    return any(SEVERITIES.index(each.rule.severity) <= worst for each in findings)
