"""What a command does that changes something is done whatever becomes of those who read what it says."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TextIO

import click

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any


def to_the_end() -> None:
    """From now on, until this command ends, nothing that becomes of stdout and stderr stops it.

    A reader that went away is nobody's trouble. Raises OSError in the end where stdout cannot be written otherwise.
    """
    click.get_current_context().with_resource(_undisturbed())


@contextmanager
def _undisturbed() -> Iterator[None]:
    before = sys.stdout, sys.stderr
    out, err = Steadfast(sys.stdout), Steadfast(sys.stderr)
    sys.stdout, sys.stderr = out, err
    try:
        yield
        out.flush()
    finally:
        sys.stdout, sys.stderr = before
    if out.trouble is not None:
        raise OSError(f"what was asked for is done, but could not be told: {out.trouble.strerror}")


class Steadfast:
    """A text stream to which writing never fails. `trouble` is why it would have, but for a reader that went away."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.trouble: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """See TextIO."""
        self._try(lambda: self._stream.write(text))
        return len(text)

    def writelines(self, lines: Iterator[str]) -> None:
        """See TextIO."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """See TextIO."""
        self._try(self._stream.flush)

    def _try(self, action: Callable[[], object]) -> None:
        try:
            action()
        except OSError as error:
            if not isinstance(error, BrokenPipeError):
                self.trouble = error
            # What is left in its buffer, and what comes, goes nowhere.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
