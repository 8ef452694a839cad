"""One taxonomy of errors; each class carries the CNI error code that its callers see (SPEC section 2)."""

from __future__ import annotations


class CniError(Exception):
    """An error a person reads as `msg` and `details`: one line each, and what to do next in one of them."""

    code = 199

    def __init__(self, msg: str, details: str = "") -> None:
        super().__init__(msg)
        self.msg = msg
        self.details = details


class IncompatibleVersion(CniError):
    """SPEC code 1: the config's cniVersion, or the command at that version, is not supported."""

    code = 1


class BadEnvironment(CniError):
    """SPEC code 4: CNI_* variables are missing or invalid; every bad one is named."""

    code = 4


class InputOutput(CniError):
    """SPEC code 5: a file operation failed in a way that trying again will not mend."""

    code = 5


class NotSynced(InputOutput):
    """The disk did not take what was to be on it. Nobody can tell any more what it has: asking again tells nothing."""


class Undecodable(CniError):
    """SPEC code 6: the input is not the JSON object that it should be."""

    code = 6


class InvalidConfig(CniError):
    """SPEC code 7: the network config is understood and wrong."""

    code = 7


class TryAgain(CniError):
    """SPEC code 11: nothing is wrong with the request; a lock or a store is not available just now."""

    code = 11


class StoreUnavailable(CniError):
    """A store that cannot be reached or written. For STATUS it becomes SPEC code 50."""

    code = 11


class NotReady(CniError):
    """SPEC code 50: STATUS found that an ADD could not be served."""

    code = 50


class Exhausted(CniError):
    """Every address of a range set is leased."""

    code = 100


class AddressInUse(CniError):
    """The address that was asked for is leased already."""

    code = 101


class LeaseMismatch(CniError):
    """CHECK found that the leases are not those of prevResult."""

    code = 102


class AlreadyAllocated(CniError):
    """The attachment already holds an address of that range set (SPEC: ADD twice is an error)."""

    code = 103


class NotAllocatable(CniError):
    """The address that was asked for lies in no range set, or is a gateway."""

    code = 104
