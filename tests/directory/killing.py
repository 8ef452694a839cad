"""A process that dies at a given change of the file system, as if by SIGKILL: none of its code runs after that."""

import os
import posix
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any

# Not only what a call needs: modules imported in the dying process must be watched as well.
from backends.directory import DirectoryStore, recovery, retention
from backends.directory import reading as _reading
from backends.directory import waiter as _waiter
from backends.directory import waiting as _waiting
from ipam.errors import CniError

__all__ = ["DirectoryStore", "every_death", "recovery", "retention", "run_and_die"]

CHANGES = frozenset(
    {"fsync", "ftruncate", "link", "mkdir", "pwrite", "rename", "rmdir", "symlink", "unlink", "utime", "write"}
)
_DONE, _REFUSED, _BROKEN, _KILLED = 0, 41, 42, 43
del _reading, _waiter, _waiting


class _Mortal:
    """Stands for the posix module: at the `last`-th call that would change something, the process is gone."""

    def __init__(self, last: int) -> None:
        self._left = last

    def __getattr__(self, name: str) -> Any:
        value = getattr(posix, name)
        if name != "open" and name not in CHANGES:
            return value

        def call(*args: Any, **kwargs: Any) -> Any:
            changes = name != "open" or args[1] & (os.O_CREAT | (os.O_TMPFILE & ~os.O_DIRECTORY))
            self._left -= bool(changes)
            if changes and not self._left:
                os._exit(_KILLED)
            return value(*args, **kwargs)

        return call


def run_and_die(action: Callable[[], object], last: int) -> bool:
    """Run `action` in a child that dies right before its `last`-th change; whether it did die.

    A child that lives through the action may have been refused it (CniError).
    """
    pid = os.fork()
    if pid == 0:
        status = _BROKEN
        try:
            mortal = _Mortal(last)
            for name, module in sys.modules.items():
                if name.startswith("backends.directory") and hasattr(module, "posix"):
                    module.posix = mortal  # type: ignore[attr-defined]
            action()
            status = _DONE
        except CniError:
            status = _REFUSED
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    _, waited = os.waitpid(pid, 0)
    status = os.waitstatus_to_exitcode(waited)
    assert status in (_DONE, _REFUSED, _KILLED), f"the child ended with status {status}"
    return status == _KILLED


def every_death(prepare: Callable[[], Callable[[], object]], most: int = 200) -> Iterator[int]:
    """Prepare an action and let it die at its first change, prepare and let it die at its second, and so on.

    Yields the number of each change at which it died, for the caller to look at what was left.
    """
    for last in range(1, most):
        action = prepare()
        if not run_and_die(action, last):
            return
        yield last
    raise AssertionError(f"still not done after {most} changes")
