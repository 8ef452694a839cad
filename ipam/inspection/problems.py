"""What `ipam verify` finds, in words: where in history it is, and which event stands there."""

from __future__ import annotations

from ipam.address import format_address
from ipam.inspection.times import format_moment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ipam.verdict import Problem


def place_of(problem: Problem) -> str:
    """The place, and what happened there: when, to whom, on which node."""
    event = problem.event
    if event is None:
        return problem.place
    lease = event.lease
    node = f" on {lease.node}" if lease.node else ""
    what = f"{event.what} of {format_address(lease.address)} by {lease.attachment.container_id}{node}"
    return f"{problem.place}, {what} at {_time(event.time)}"


def problem_text(problem: Problem) -> str:
    """The event, its place, and what is wrong with it."""
    return f"event {problem.number} ({place_of(problem)}): {problem.why}"


def problem_to_json(problem: Problem) -> dict[str, object]:
    """The same, for snapshots and findings."""
    return {"event": problem.number, "place": place_of(problem), "why": problem.why}


def _time(moment: float) -> str:
    try:
        return format_moment(moment)
    except (OverflowError, ValueError, OSError):  # no clock ever said so
        return f"{moment!r} seconds since the epoch"
