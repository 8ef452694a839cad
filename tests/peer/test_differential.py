"""The same calls to our plugin and to Debian's Go host-local: the same answers and the same directory after.

What differs on purpose has a name in `differences`; a case that differs names it, and fails where it does not
show.
"""

from pathlib import Path

import pytest

from tests.conftest import Run, missing
from tests.peer import differences
from tests.peer.cases import (
    Case,
    Step,
    add,
    conf,
    config,
    environment,
    leases,
    ranges,
    requests,
    results,
    versions,
)
from tests.peer.comparison import (
    GO_INTERNAL,
    NEWEST,
    Answer,
    Aspect,
    Files,
    Plugin,
    differing_answers,
    differing_files,
    faults,
    is_cursor,
)
from tests.peer.differences import BY_NAME

MODULES = (versions, environment, config, ranges, requests, results, leases)
CASES: dict[str, Case] = {name: case for module in MODULES for name, case in module.CASES.items()}

Pair = tuple[Plugin, Plugin]
Known = dict[str, tuple[bytes | None, bytes | None]]


@pytest.fixture
def pair(go_host_local: Path, plugin: Path, run_plugin: Run, tmp_path: Path) -> Pair:
    """Go's host-local and ours, with a data directory each and the same resolv.conf files."""
    if NEWEST in run_plugin(go_host_local, {"CNI_COMMAND": "VERSION"}, b"").stdout.decode():
        missing("Go host-local 1.1.1, which the list of differences is about")
    shared = tmp_path / "shared"
    shared.mkdir()
    for name, content in results.RESOLV_CONFS.items():
        (shared / name).write_bytes(content)
    return Plugin(go_host_local, tmp_path / "a"), Plugin(plugin, tmp_path / "b")


def differing(go: tuple[Answer, Files], ours: tuple[Answer, Files], known: Known) -> dict[Aspect, str]:
    """In what one step's answers and directories differ, but for the files whose difference is known."""
    found = differing_answers(go[0], ours[0])
    files = differing_files(go[1], ours[1])
    for name, contents in files.items():
        if known.get(name) != contents:
            aspect = Aspect.CURSOR if is_cursor(name) else Aspect.LEASES
            found[aspect] = f"{found.get(aspect, '')} {name}: Go {contents[0]!r}, ours {contents[1]!r}"
    known.clear()
    known.update(files)
    return found


def stated(step: Step, ours: Answer, found: dict[Aspect, str]) -> list[str]:
    """What is wrong with our answer by what the case itself states."""
    wrong = []
    if ours.code != step.code:
        wrong.append(f"code {ours.code}, not {step.code}")
    if step.gives is not None and ours.addresses != step.gives:
        wrong.append(f"gives {ours.addresses}, not {step.gives}")
    if step.prints is not None and ours.body != step.prints:
        wrong.append(f"prints {ours.body}, not {step.prints}")
    said = f"{ours.body.get('msg')} {ours.body.get('details')}"
    if step.says is not None and step.says not in said:
        wrong.append(f"says {said!r}, not {step.says!r}")
    unlike = found.keys() & {Aspect.OUTCOME, Aspect.RESULT, Aspect.MESSAGE}
    if unlike and ours.stdout and not (step.gives or step.prints or step.says):
        wrong.append("the case has to state what ours answers here")
    return wrong


@pytest.mark.parametrize("name", CASES)
def test_same_answers_and_same_directory(name: str, pair: Pair) -> None:
    known: Known = {}
    for number, step in enumerate(CASES[name], 1):
        if not isinstance(step, Step):
            for each in pair:
                each.write(step)
            continue
        go, ours = (each(step.call) for each in pair)
        found = differing((go, pair[0].files()), (ours, pair[1].files()), known)
        allowed = {aspect for named in step.differs for aspect in BY_NAME[named].aspects}
        wrong = faults(step.call, ours) + stated(step, ours, found)
        wrong += [f"{aspect} differs: {how}" for aspect, how in found.items() if aspect not in allowed]
        wrong += [
            f"{named} does not show: take it out" for named in step.differs if not BY_NAME[named].aspects & found.keys()
        ]
        assert not wrong, f"step {number} ({step.call.command}): " + "\n".join([*wrong, f"Go: {go}", f"ours: {ours}"])


def test_every_difference_is_shown_by_a_case() -> None:
    shown = {named for case in CASES.values() for step in case if isinstance(step, Step) for named in step.differs}
    assert shown == set(BY_NAME)


def test_no_two_cases_have_one_name() -> None:
    assert len(CASES) == sum(len(module.CASES) for module in MODULES)


def test_what_differs_everywhere_does_differ(pair: Pair) -> None:
    go, ours = (each(add().call) for each in pair)
    shown = {"empty-dns"} if "dns" in go.body and "dns" not in ours.body else set()
    go, ours = (each(add(conf({}, "0.4.0")).call) for each in pair)
    if go.code == GO_INTERNAL and ours.code == 7:
        shown.add("error-codes")
    if "cniVersion" not in go.body and ours.body["cniVersion"] == "0.4.0":
        shown.add("error-version")
    if len(ours.body["msg"] + ours.body.get("details", "")) > len(go.body["msg"]):
        shown.add("error-text")
    assert shown == {each.name for each in differences.EVERYWHERE}


def test_a_result_of_1_1_0_is_gos_of_1_0_0_but_for_the_version(pair: Pair) -> None:
    go = pair[0](add(conf(version="1.0.0")).call)
    ours = pair[1](add(conf(version="1.1.0")).call)
    assert ours.body == {
        **{key: value for key, value in go.body.items() if key != "dns"},
        "cniVersion": "1.1.0",
    }
