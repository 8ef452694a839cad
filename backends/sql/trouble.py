"""What a PostgreSQL server's errors mean: whether to run a change again, and what a person is to read."""

# The codes are those of PostgreSQL's documentation, appendix A.
from __future__ import annotations

import psycopg
from sqlalchemy import exc

from backends.sql.database import SCHEMA
from ipam.errors import CniError, InputOutput, StoreUnavailable, TryAgain
from ipam.jsontext import quote

_CONFLICTS = {
    "40001",  # serialization_failure
    "40P01",  # deadlock_detected
    "23505",  # unique_violation: two hosts make one network's row
}
_LOCKED = "55P03"  # lock_not_available: lock_timeout has passed
_TOO_LONG = "57014"  # query_canceled: statement_timeout has
_NO_TABLE = "42P01"  # undefined_table
_NO_SPACE = "53100"  # disk_full
_NO_CHARACTER = "22P05"  # untranslatable_character: the database's encoding lacks it
_READ_ONLY = "25006"  # read_only_sql_transaction: a standby
_SOON = (
    "starting up",
    "recovery mode",
    "shutting down",
    "too many clients",
    "too many connections",
    "remaining connection slots",
)
_LONGEST = 300  # characters of what a server says


class Trouble:
    """What to do about an error of the driver's. `error` is what to raise where nothing else helps."""

    def __init__(self, failed: exc.SQLAlchemyError, place: str) -> None:
        self._cause = failed.orig if isinstance(failed, exc.DBAPIError) else failed
        self._state = getattr(self._cause, "sqlstate", None) or ""
        self.is_lost = isinstance(failed, exc.DBAPIError) and failed.connection_invalidated
        """The connection broke, after it had worked."""
        self.error = self._explain(place)

    @property
    def is_silence(self) -> bool:
        """The server did not answer in time."""
        return isinstance(self._cause, psycopg.errors.ConnectionTimeout)

    @property
    def is_passing(self) -> bool:
        """Trying again may help by itself."""
        return self._state in _CONFLICTS or any(text in str(self._cause) for text in _SOON)

    def _explain(self, place: str) -> CniError:
        said = quote(" ".join(str(self._cause).replace('"', "'").split()), _LONGEST)[1:-1]
        if self._state == _LOCKED or self._state in _CONFLICTS or isinstance(self._cause, exc.TimeoutError):
            return TryAgain(f"the network is locked by others on {place}: {said}", "try again later")
        if self._state == _NO_TABLE:
            return StoreUnavailable(f"{place} has no schema {SCHEMA}: {said}", "run `ipam store upgrade` on it once")
        if self._state == _NO_CHARACTER:
            return InputOutput(
                f"{place} cannot keep every text: {said}", "make the database anew, with ENCODING 'UTF8'"
            )
        if self._state in {_READ_ONLY, _NO_SPACE}:
            return InputOutput(f"{place} cannot be written: {said}", "the leases are as they were; see to the server")
        if self.is_silence or self._state == _TOO_LONG:
            return StoreUnavailable(f"{place} does not answer: {said}", "see to the server, or the way to it")
        return StoreUnavailable(
            f"{place} is not available: {said}", "see to the server, its address and our role there"
        )
