"""Findings about nodes and range sets: leaks, leases outside ranges, exhaustion, snapshots and clocks."""

from __future__ import annotations

from collections.abc import Iterator

from ipam.address import format_address
from ipam.audit.collisions import lease_fact
from ipam.audit.finding import RULES, Finding, advice
from ipam.audit.survey import EXAMPLES, Examples, Scope, Survey
from ipam.audit.usage import Usage, usages
from ipam.inspection.problems import place_of, problem_to_json
from ipam.jsontext import quote

Fact = dict[str, object]


def findings(survey: Survey) -> Iterator[Finding]:
    """All of them, in no order."""
    yield from _of_snapshots(survey)
    yield from _of_clocks(survey)
    yield from _of_histories(survey)
    yield from _of_leases(survey)
    for usage in usages(survey):
        yield from _of_usage(survey, usage)


def _of_snapshots(survey: Survey) -> Iterator[Finding]:
    limits = survey.limits
    for name, damage in survey.damaged:
        what = f"{quote(name)[1:-1]}: {damage}"
        helps = advice("ipam", "export", "-o", "FILE", then="again, on the node that it is of")
        yield Finding(RULES["snapshot-damaged"], what, (), subject=name, help=helps)
    for node in sorted(limits.expected - set(survey.nodes)):
        helps = _export(node)
        yield Finding(RULES["node-missing"], f"there is no snapshot of node {quote(node)[1:-1]}", (node,), help=helps)
    for source, header in survey.superseded:
        message = f"{quote(source.name)[1:-1]} was not looked at: there is a newer snapshot of {header.node}"
        yield Finding(RULES["snapshot-superseded"], message, (header.node,), subject=source.name)
    for source, header in survey.sources:
        age = limits.now - header.time
        if age > limits.snapshot_age:
            yield Finding(
                RULES["snapshot-old"],
                f"the snapshot of {header.node} was taken {duration(age)} ago",
                (header.node,),
                subject=source.name,
                evidence=({"taken": header.time, "age": age},),
                help=_export(header.node),
            )


def _export(node: str) -> str:
    return advice("ipam", "export", "--with-history", "-o", f"{node}.jsonl.gz", on=node)


def _of_clocks(survey: Survey) -> Iterator[Finding]:
    for node, skew in sorted(survey.skews.items()):
        yield Finding(
            RULES["clock-disagrees"],
            f"the clock of {node} is wrong by {duration(skew.seconds)}: {skew.why}",
            (node,),
            evidence=({"seconds": skew.seconds, "why": skew.why},),
            help=advice("timedatectl", "timesync-status", on=node),
        )


def _of_histories(survey: Survey) -> Iterator[Finding]:
    for place, (_, header) in enumerate(survey.sources):
        for info in survey.counted(place, header).values():
            problems = info.verdict.problems if info.verdict is not None else ()
            if problems:
                first, scope = problems[0], survey.scope(info, header)
                message = (
                    f"history of {_place(scope)}: event {first.number}, {quote(place_of(first))[1:-1]}: {first.why}"
                )
                facts = tuple(map(problem_to_json, problems))
                helps = advice("ipam", "verify", "--network", scope.network, on=scope.node)
                nodes = (scope.node,) if scope.node else ()
                rule, more = RULES["history-broken"], max(0, len(facts) - EXAMPLES)
                yield Finding(rule, message, nodes, scope.network, evidence=facts[:EXAMPLES], help=helps, more=more)


def _of_leases(survey: Survey) -> Iterator[Finding]:
    for scope, old in sorted(survey.old_boot.items()):
        message = f"{_leases(old.count)} of {scope.network} on {scope.node} of an earlier boot: the containers are gone"
        helps = advice("ipam", "gc", scope.network, "--apply", on=scope.node)
        evidence: tuple[Fact, ...] = ({"current boot": survey.boots[scope]}, *_facts(old))
        yield _of_scope("leaked-by-boot", message, scope, evidence, helps, old)
    for scope, old in sorted(survey.old_age.items()):
        oldest = survey.limits.now - min(lease.since for lease in old.first)
        days = duration(survey.limits.leak_age)
        message = (
            f"{_leases(old.count)} of {scope.network} on {scope.node} older than {days}, such as of {duration(oldest)}"
        )
        yield _of_scope(
            "leaked-by-age", message, scope, _facts(old), advice("ipam", "gc", scope.network, on=scope.node), old
        )
    for scope, tally in sorted(survey.tallies.items()):
        outside = tally.outside
        if outside.count:
            shown = ", ".join(format_address(lease.address) for lease in outside.first)
            message = f"{_leases(outside.count)} of {_place(scope)} in no range of its config: {shown}"
            helps = advice("ipam", "check", scope.network, on=scope.node)
            yield _of_scope("lease-outside-ranges", message, scope, _facts(outside), helps, outside)


def _of_scope(
    rule: str, message: str, scope: Scope, evidence: tuple[Fact, ...], helps: str, found: Examples
) -> Finding:
    nodes = (scope.node,) if scope.node else ()
    more = found.count - len(found.first)
    return Finding(RULES[rule], message, nodes, scope.network, evidence=evidence, help=helps, more=more)


def _of_usage(survey: Survey, usage: Usage) -> Iterator[Finding]:
    limits, scope = survey.limits, usage.scope
    soon = usage.exhausted_in is not None and usage.exhausted_in <= limits.soon
    if usage.left and usage.share < limits.nearly_full and not soon:
        return
    message = f"range set {usage.range_set} of {_place(scope)}: {usage.leased} of {usage.capacity} addresses leased"
    if usage.resting:
        message += f", {usage.resting} resting"
    if usage.left and soon and usage.exhausted_in is not None:
        message += f"; at the present rate none is left in {duration(usage.exhausted_in)}"
    fact = {
        "capacity": usage.capacity,
        "leased": usage.leased,
        "resting": usage.resting,
        "free": usage.free,
        "seconds to exhaustion": usage.exhausted_in,
    }
    yield Finding(
        RULES["range-set-nearly-exhausted" if usage.left else "range-set-exhausted"],
        message,
        (scope.node,) if scope.node else (),
        scope.network,
        f"range set {usage.range_set}",
        (fact,),
        advice("ipam", "gc", scope.network, on=scope.node),
    )


def _place(scope: Scope) -> str:
    return f"network {scope.network}" + (f" on {scope.node}" if scope.node else "")


def _leases(count: int) -> str:
    return "1 lease" if count == 1 else f"{count} leases"


def _facts(examples: Examples) -> tuple[Fact, ...]:
    return tuple(lease_fact(lease) for lease in examples.first)


_UNITS = ((86_400.0, "days"), (3600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))


def duration(seconds: float) -> str:
    """Seconds as people say them: "3.2 days"."""
    for size, name in _UNITS:
        if abs(seconds) >= 2 * size or size == 1.0:
            return f"{seconds / size:.3g} {name}"
    return f"{seconds:.3g} seconds"
