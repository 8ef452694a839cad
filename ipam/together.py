"""Several requests in one commit: what a daemon does with those that wait together."""

from __future__ import annotations

from ipam import cni
from ipam.errors import CniError, NotSynced, StoreUnavailable, TryAgain
from ipam.handler import answer, recorded
from ipam.request import Reply, Work
from ipam.store import Busy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ipam.store import Transaction


def perform_together(
    works: list[Work], *, now: bool = False, deliver: Callable[[list[Reply]], None] | None = None
) -> list[Reply]:
    """Do several works on one network of one store in one commit, in their order, and answer them all.

    Each is answered as if it had been alone: a change that refuses has changed nothing (see Transaction), and
    where the commit itself fails, each is tried by itself. With `now`, raises Busy rather than wait. Of several,
    raises TryAgain and StoreUnavailable for all: whoever asked again would wait as long again (see refuse()); and
    NotSynced, however many there are.
    `deliver` gets the answers too, as soon as they are certain: the store may still have to tidy up then.
    """
    store, network = works[0].store, works[0].network
    transact = store.transact_now if now else store.transact
    replies: list[Reply] = []

    def hand_over(outcomes: list[Callable[[], Any]]) -> None:
        replies.extend([answer(work, outcome) for work, outcome in zip(works, outcomes, strict=True)])
        if deliver is not None:
            deliver(replies)

    def change(tx: Transaction) -> list[Callable[[], Any]]:
        outcomes = [_attempt(tx, work.change) for work in works]
        tx.when_committed(lambda: hand_over(outcomes))
        return outcomes

    def alone(work: Work) -> Callable[[], Any]:
        return lambda: transact(network, work.change)

    try:
        outcomes = transact(network, change)
    except Busy:
        raise
    except Exception as error:
        if replies:  # they are out already: this is no refusal, but a bug
            raise
        if isinstance(error, NotSynced):
            raise
        if len(works) == 1:
            outcomes = [_raising(error)]
        elif isinstance(error, TryAgain | StoreUnavailable):
            raise
        elif now:  # nothing was changed; but here, the next could be busy when the first has been tried by itself
            raise Busy from None
        else:
            outcomes = [alone(work) for work in works]
    if not replies:
        hand_over(outcomes)
    return replies


def refuse(works: list[Work], error: CniError) -> list[Reply]:
    """The same refusal for all of them."""
    return [recorded(Reply(1, cni.error_json(work.version, error)), work.record) for work in works]


def _attempt(tx: Transaction, change: Callable[[Transaction], Any]) -> Callable[[], Any]:
    try:
        result = change(tx)
    except CniError as error:
        return _raising(error)
    return lambda: result


def _raising(error: Exception) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail
