"""SARIF: what OASIS's specification of 2.1.0 asks of a log, for all findings of a planted cluster."""

import json

import jsonschema

from ipam.audit.auditing import audit
from ipam.audit.finding import RULES
from ipam.audit.sarif import to_sarif
from ipam.audit.source import Taken
from tests.audit.cluster import Cluster

TEXT = {"type": "string", "minLength": 1}
LEVEL = {"enum": ["none", "note", "warning", "error"]}
MESSAGE = {"type": "object", "properties": {"text": TEXT}, "required": ["text"], "additionalProperties": False}
RULE = {
    "type": "object",
    "properties": {
        "id": TEXT,
        "name": TEXT,
        "shortDescription": MESSAGE,
        "defaultConfiguration": {"type": "object", "properties": {"level": LEVEL}, "additionalProperties": False},
    },
    "required": ["id"],
    "additionalProperties": False,
}
LOGICAL = {
    "type": "object",
    "properties": {"name": TEXT, "kind": TEXT},
    "additionalProperties": False,
}
RESULT = {
    "type": "object",
    "properties": {
        "ruleId": TEXT,
        "ruleIndex": {"type": "integer", "minimum": 0, "maximum": len(RULES) - 1},
        "level": LEVEL,
        "message": MESSAGE,
        "locations": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"logicalLocations": {"type": "array", "items": LOGICAL, "uniqueItems": True}},
                "additionalProperties": False,
            },
        },
        "partialFingerprints": {"type": "object", "additionalProperties": {"type": "string"}},
        "properties": {"type": "object"},
    },
    "required": ["message"],
    "additionalProperties": False,
}
LOG = {
    "type": "object",
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "tool": {
                        "type": "object",
                        "properties": {
                            "driver": {
                                "type": "object",
                                "properties": {
                                    "name": TEXT,
                                    "semanticVersion": TEXT,
                                    "rules": {"type": "array", "items": RULE, "uniqueItems": True},
                                },
                                "required": ["name"],
                                "additionalProperties": False,
                            }
                        },
                        "required": ["driver"],
                        "additionalProperties": False,
                    },
                    "results": {"type": "array", "items": RESULT},
                },
                "required": ["tool"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["version", "runs"],
    "additionalProperties": False,
}
"""The parts of the specification's schema that a log of ours has (sections 3.13 to 3.54)."""


def test_the_log_is_as_the_specification_has_it() -> None:
    cluster = Cluster(30, leases=5)
    cluster.plant(each=1)
    taken = [Taken(node.name, *node.snapshot(history=True)) for node in cluster.nodes]
    log = json.loads(json.dumps(to_sarif(audit(taken, cluster.limits()).findings)))
    jsonschema.validate(log, LOG)
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len(run["results"]) == len(cluster.expected)
    assert all(rules[each["ruleIndex"]]["id"] == each["ruleId"] for each in run["results"])
    prints = [json.dumps(each["partialFingerprints"]) for each in run["results"]]
    assert len(set(prints)) == len(prints)
