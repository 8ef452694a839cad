"""Where this plugin means to differ from Go host-local; `python -m tests.peer.differences` prints the list."""

from collections.abc import Iterable

from tests.peer.comparison import Aspect
from tests.peer.difference import Difference

_OUTCOME, _RESULT, _MESSAGE, _CODE, _LEASES, _CURSOR = Aspect
_DIRECTORY = {_LEASES, _CURSOR}

EVERYWHERE = [
    Difference(
        "error-codes",
        "answers 999 for every error of its own",
        "answers 4, 5, 7, 11 where SPEC has a code, 100 and up for its own",
        "SPEC, Error: plugins use the reserved codes, and their own from 100 on",
    ),
    Difference(
        "error-version",
        "leaves `cniVersion` out of errors",
        "says the request's version, or 1.1.0 where that is unknown",
        "SPEC, Error: the key is part of the object",
    ),
    Difference(
        "error-text",
        "says what failed",
        "begins with the same words, then names the network, the holder or the remedy",
        "`msg` and `details` are all that users of podman and containerd get to see",
    ),
    Difference(
        "empty-dns",
        'prints `"dns": {}` in results of 1.0.0',
        "leaves `dns` out from 1.0.0 on where it is empty",
        "newer versions of Go's do so too",
    ),
]
"""What differs in every error or result; comparisons take it off before they look."""

DIFFERENCES = [
    Difference(
        "cni-1.1.0",
        "refuses cniVersion 1.1.0",
        "serves it",
        "SPEC 1.1.0 is newer than 1.1.1 of the Go plugins",
        frozenset({_OUTCOME, *_DIRECTORY}),
    ),
    Difference(
        "gc-and-status",
        "does not know GC and STATUS",
        "serves both at 1.1.0, and refuses them below with code 1",
        "SPEC, GC and STATUS, which came with 1.1.0",
        frozenset({_OUTCOME, _MESSAGE, _CODE, *_DIRECTORY}),
    ),
    Difference(
        "version-echo",
        "answers VERSION with its own newest `cniVersion`",
        "answers with the `cniVersion` of the config, and lists 1.1.0",
        "SPEC, VERSION: the output's version is the input's",
        frozenset({_RESULT}),
    ),
    Difference(
        "no-cni-path",
        "insists on CNI_PATH",
        "does without it",
        "SPEC, Parameters: an IPAM plugin calls no other plugin",
        frozenset({_OUTCOME, _MESSAGE, *_DIRECTORY}),
    ),
    Difference(
        "own-netns",
        "gives an address to the network namespace that it runs in itself",
        "refuses, with code 4, before anything is allocated; `CNI_NETNS_OVERRIDE=1` allows it",
        "newer versions of Go's refuse too, but after they have allocated, so that the address is lost",
        frozenset({_OUTCOME, *_DIRECTORY}),
    ),
    Difference(
        "check-by-exact-version",
        "answers CHECK at an unsupported version by number (too old, too new, not a number)",
        "answers every command alike: `incompatible CNI versions`",
        "the message has to name what is wrong: no plugin supports that version",
        frozenset({_MESSAGE, _CODE}),
    ),
    Difference(
        "failed-add-leaves-no-trace",
        "moves the round robin on although ADD failed",
        "leaves the directory as it was",
        "an ADD is all or nothing; addresses that nobody got are not passed over",
        frozenset({_CURSOR, _RESULT, _LEASES}),
    ),
    Difference(
        "second-add-with-a-request",
        "gives an attachment a second address of a range set when it asks for one",
        "refuses with code 103",
        "SPEC, ADD: a runtime must not add an attachment twice; Go looks only where none is asked for",
        frozenset({_OUTCOME, _MESSAGE, *_DIRECTORY}),
    ),
    Difference(
        "rollback-frees-the-living",
        "frees every address of the attachment when a second ADD fails half-way, also those in use",
        "takes back what this call took",
        "a fault in Go: the addresses of a running container are given out again",
        frozenset({_MESSAGE, *_DIRECTORY}),
    ),
    Difference(
        "first-request-first",
        "takes any of several requests for one range set",
        "takes the first, and names the others as not allocated",
        "Go walks over a map, whose order is random",
        frozenset({_MESSAGE}),
    ),
    Difference(
        "args-before-cni-args",
        "adds up the requests of CNI_ARGS and of `args`",
        "ignores CNI_ARGS' `IP` where `args.cni.ips` asks for addresses",
        "CONV: a plugin that finds `args` ignores CNI_ARGS",
        frozenset({_OUTCOME, *_DIRECTORY}),
    ),
    Difference(
        "del-with-a-bad-config",
        "refuses DEL where the config is no longer valid",
        "releases what the attachment holds",
        "SPEC, DEL: plugins generally complete without error even if some resources are missing",
        frozenset({_OUTCOME, _LEASES}),
    ),
    Difference(
        "check-against-prev-result",
        "passes CHECK when the attachment holds any address",
        "wants the addresses of `prevResult` that are in its range sets, and no others",
        "SPEC, CHECK: the plugin must consult prevResult",
        frozenset({_OUTCOME}),
    ),
    Difference(
        "gateway",
        "takes a gateway that is the broadcast address or of the other family",
        "refuses it",
        "no container can use it",
        frozenset({_OUTCOME, *_DIRECTORY}),
    ),
    Difference(
        "range-start-at-broadcast",
        "takes `rangeStart` at the broadcast address without an end, and runs on into the next subnet",
        "refuses it: the range is empty",
        "a fault in Go: it hands out addresses outside the subnet",
        frozenset({_OUTCOME, *_DIRECTORY}),
    ),
    Difference(
        "all-addresses",
        "says that the subnet of all addresses (`0.0.0.0/0`, `::/0`) is full",
        "treats it as any other",
        "a fault in Go: its arithmetic takes address 0 for none",
        frozenset({_OUTCOME, *_DIRECTORY}),
    ),
    Difference(
        "null-in-a-list",
        "panics on a null among requested addresses or routes, the latter after allocating",
        "refuses it with code 7",
        "a fault in Go",
        frozenset({_OUTCOME, _MESSAGE, *_DIRECTORY}),
    ),
    Difference(
        "route-without-dst",
        'returns a route without `dst` as `"dst": "<nil>"`',
        "refuses it",
        "no caller can parse that",
        frozenset({_OUTCOME, *_DIRECTORY}),
    ),
    Difference(
        "route-fields",
        "knows `dst` and `gw` of a route alone",
        "reads and returns `mtu`, `advmss`, `priority`, `table` and `scope`",
        "SPEC, ADD Success; newer versions of Go's do so too",
        frozenset({_OUTCOME, _RESULT, *_DIRECTORY}),
    ),
    Difference(
        "relative-data-dir",
        "takes a relative `dataDir`, below whatever directory the caller is in",
        "refuses it",
        "a fault in Go: it writes where nobody looks",
        frozenset({_OUTCOME, _MESSAGE, *_DIRECTORY}),
    ),
    Difference(
        "decoder-wording",
        "explains what does not fit in terms of its decoder and types (`Go struct field`, `IP <nil>`)",
        "names the key and the value",
        "nobody outside Go can read, let alone grep for, such words",
        frozenset({_MESSAGE}),
    ),
    Difference(
        "null-config",
        "takes a config of `null` for an object without a name (code 7)",
        "refuses it as no object (code 6)",
        "SPEC, Parameters: the config is a JSON object",
        frozenset({_MESSAGE, _CODE}),
    ),
    Difference(
        "null-is-absent",
        "refuses `subnet: null` as an empty CIDR, though it takes null for absent elsewhere",
        "takes null for absent everywhere",
        "main plugins marshal the config anew and write null for what they did not get",
        frozenset({_OUTCOME, *_DIRECTORY}),
    ),
    Difference(
        "nesting-depth",
        "reads JSON up to 10,000 levels deep",
        "refuses about 1,000 levels with code 6",
        "no config is nested so deep; the bound keeps input from exhausting the stack",
        frozenset({_OUTCOME, *_DIRECTORY}),
    ),
    Difference(
        "invalid-utf-8",
        "replaces bytes that are not UTF-8",
        "refuses the config with code 6",
        "RFC 8259, 8.1: JSON is UTF-8; what was replaced would be named wrongly everywhere else",
        frozenset({_OUTCOME, *_DIRECTORY}),
    ),
    Difference(
        "object-twice",
        "merges two objects of one key",
        "takes the last, as both do with every other value",
        "RFC 8259, 4: names should be unique; the last one is what most readers take",
        frozenset({_RESULT, *_DIRECTORY}),
    ),
    Difference(
        "mapped-route",
        "takes a route to `::ffff:a.b.c.d/len` for one of IPv4",
        "refuses it",
        "its length counts the bits of the other family",
        frozenset({_OUTCOME, *_DIRECTORY}),
    ),
    Difference(
        "replacement-character",
        "writes a byte in `resolvConf` that is not UTF-8 as the six characters `\\ufffd`",
        "writes the character U+FFFD",
        "the same JSON",
        frozenset({_RESULT}),
    ),
    Difference(
        "resolv-conf",
        "reads whatever `resolvConf` names, but no line of 64 KiB",
        "reads regular files alone, with lines of any length",
        "faults in Go: a FIFO or a device there hangs every ADD; resolv.conf(5) knows no such limit",
        frozenset({_OUTCOME, _MESSAGE, *_DIRECTORY}),
    ),
    Difference(
        "any-file-is-a-lease",
        "takes any file below the network's directory for a lease, whatever its name, and deletes it on DEL",
        "takes a file for a lease when its name is an address and it lies in that directory",
        "a fault in Go: it deletes what others keep there",
        frozenset({_OUTCOME, _LEASES}),
    ),
    Difference(
        "rewritten-in-place",
        "reads all lease files at each call, so that it sees when one was overwritten",
        "knows who holds what from an index, which is built anew when files came or went",
        "speed; host-local, of whatever version, creates and removes lease files and never rewrites them",
        frozenset({_OUTCOME, _LEASES}),
    ),
    Difference(
        "odd-cursor",
        "fails every ADD, and leaves the address taken, where `last_reserved_ip.N` is no file",
        "goes without a cursor",
        "the round robin is a convenience; no ADD should fail for it",
        frozenset({_OUTCOME, *_DIRECTORY}),
    ),
    Difference(
        "network-name-length",
        "fails with the operating system's words for a network name that is no possible file name",
        "refuses the name",
        "the name is what is wrong",
        frozenset({_MESSAGE}),
    ),
    Difference(
        "empty-lease-file",
        "never hands out an address whose lease file is empty",
        "takes an empty lease file, seen under the lock, for what a crash left, and reuses it",
        "a fault in Go: killed between creating and writing a lease, it loses the address for ever",
        frozenset({_RESULT, *_DIRECTORY}),
    ),
]
"""What differs in single cases, each of which names it."""

BY_NAME = {each.name: each for each in DIFFERENCES}


def table(differences: Iterable[Difference] = (*EVERYWHERE, *DIFFERENCES)) -> str:
    """The differences as a Markdown table."""
    head = "| difference | Go host-local 1.1.1 | this plugin | why |\n|---|---|---|---|\n"
    return head + "\n".join(f"| {each.name} | {each.go} | {each.here} | {each.why} |" for each in differences)


if __name__ == "__main__":
    print(table())
