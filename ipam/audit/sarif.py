"""Findings as SARIF 2.1.0 (OASIS), which code hosts and pipelines read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ipam import __version__
from ipam.audit.finding import RULES, Finding


def to_sarif(findings: Iterable[Finding]) -> dict[str, Any]:
    """The log object: one run of one tool."""
    rules = list(RULES.values())
    driver = {
        "name": "ipam",
        "semanticVersion": __version__,
        "rules": [
            {
                "id": rule.code,
                "name": rule.name,
                "shortDescription": {"text": rule.meaning},
                "defaultConfiguration": {"level": rule.severity},
            }
            for rule in rules
        ],
    }
    results = [_result(finding, rules.index(finding.rule)) for finding in findings]
    return {"version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}


def _result(finding: Finding, rule: int) -> dict[str, Any]:
    names = [("node", node) for node in finding.nodes]
    if finding.network:
        names.append(("network", finding.network))
    if finding.subject:
        names.append(("subject", finding.subject))
    result: dict[str, Any] = {
        "ruleId": finding.rule.code,
        "ruleIndex": rule,
        "level": finding.rule.severity,
        "message": {"text": finding.message + (f". {finding.help}" if finding.help else "")},
        # What a scanner calls the same finding when it finds it again tomorrow.
        "partialFingerprints": {"finding/v1": "|".join([finding.rule.code, finding.network, *finding.nodes])
                                + f"|{finding.subject}"},
        "properties": {"evidence": list(finding.evidence), "more": finding.more, "help": finding.help},
    }  # fmt: skip
    if names:
        logical = [{"name": name, "kind": kind} for kind, name in names]
        result["locations"] = [{"logicalLocations": logical}]
    return result
