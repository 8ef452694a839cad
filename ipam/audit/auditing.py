"""The audit of any number of sources: read once, read again where something looks wrong, and told in order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ipam.audit import judging, ranges
from ipam.audit.collisions import Collisions
from ipam.audit.finding import RULES, Finding, in_order
from ipam.audit.source import Source
from ipam.audit.survey import Limits, Survey
from ipam.audit.usage import Usage, usages


class Audit(NamedTuple):
    """What there was to look at, and what was found."""

    nodes: int
    networks: int
    leases: int
    events: int
    usages: tuple[Usage, ...]
    survey: Survey
    findings: tuple[Finding, ...]


def audit(sources: Iterable[Source], limits: Limits) -> Audit:
    """Look at every source. What cannot be read is a finding, not an error."""
    survey = Survey(sources, limits)
    collisions = Collisions(survey)
    findings = [*judging.findings(survey), *ranges.findings(survey), *collisions.findings()]
    findings += [
        Finding(RULES[name], f"{count} more that are not told one by one", (), help="ipam audit --local NETWORK")
        for name, count in collisions.untold().items()
    ]
    networks = {scope.network for scope in survey.tallies}
    return Audit(
        len(survey.sources),
        len(networks),
        survey.leases,
        survey.events,
        tuple(usages(survey)),
        survey,
        tuple(in_order(findings)),
    )
