"""One call on its way: the Request that came in, the Work that it means, the Reply that goes out."""

from __future__ import annotations

from ipam.model import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from ipam.store import Store, Transaction


class Request(Value):
    """One call as it came in: the CNI_* variables, the bytes of stdin.

    `own_netns`: whether CNI_NETNS is the network namespace that the caller runs in; None where that is for us to see,
    because the caller's process is this one.
    """

    __slots__ = ("env", "own_netns", "stdin")

    def __init__(self, env: Mapping[str, str], stdin: bytes, *, own_netns: bool | None = None) -> None:
        self.env = env
        self.stdin = stdin
        self.own_netns = own_netns


class Reply:
    """What to answer: exit status, the bytes for stdout, text for stderr.

    `log` is a line for the door's log, after syslog's number of its urgency, None where there is nothing to tell.
    `undo` is the work that gives back what the call took; a door performs it when it cannot deliver the answer.
    """

    __slots__ = ("exit_code", "log", "stderr", "stdout", "undo")

    def __init__(self, exit_code: int, stdout: bytes = b"", stderr: str = "", undo: Work | None = None) -> None:
        self.exit_code = exit_code
        self.stdout = stdout
        self.stderr = stderr
        self.log: tuple[int, str] | None = None
        self.undo = undo


class Work:
    """A request that is understood: what to change on which network of which store, and how to answer then.

    `finish` makes the Reply from what `change` returned. `version` is the request's cniVersion, for its errors,
    `record` puts a line for the log into the Reply, where the config wants one.
    """

    __slots__ = ("change", "finish", "network", "record", "store", "version")

    def __init__(
        self,
        store: Store,
        network: str,
        change: Callable[[Transaction], Any],
        finish: Callable[[Any], Reply] = lambda _: Reply(0),
    ) -> None:
        self.store = store
        self.network = network
        self.change = change
        self.finish = finish
        self.version = ""
        self.record: Callable[[Reply], None] | None = None
