"""What one intended difference from Go host-local says of itself."""

from typing import NamedTuple

from tests.peer.comparison import Aspect


class Difference(NamedTuple):
    """One intended difference; the texts are Markdown and one sentence each."""

    name: str
    go: str
    """What Debian's Go host-local 1.1.1 does."""
    here: str
    """What this plugin does instead."""
    why: str
    """Whose word that is: SPEC (the CNI specification 1.1.0), CONV (its conventions), or the fault in Go."""
    aspects: frozenset[Aspect] = frozenset()
    """In what it may show; a case that names it fails where it shows in none of them."""
