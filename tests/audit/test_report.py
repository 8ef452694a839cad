"""The report in a browser: no error, nothing loaded, the store's own numbers, and names that stay text."""

from pathlib import Path

import pytest

from ipam.audit.auditing import Audit, audit
from ipam.audit.snapshot import Record
from ipam.audit.source import Taken
from tests.audit.browser import Browser
from tests.audit.cluster import NOW, PODS, Cluster
from tests.audit.node import HOSTILE, Node, run
from tests.audit.pages import LARGE, audited, large, number, rows, search, shown, text


def test_the_page_complains_of_nothing_and_loads_nothing(page: Browser) -> None:
    for script in ("document.querySelector('#map-network').dispatchEvent(new Event('change'))",
                   "document.querySelectorAll('#lease-head button').forEach(button => button.click())",
                   "document.getElementById('theme').click()",
                   "document.querySelectorAll('.fleet li')[3].click()",
                   "dispatchEvent(new Event('beforeprint')), dispatchEvent(new Event('afterprint'))"):  # fmt: skip
        page.value(f"void ({script})")
    assert page.said == []
    assert [url.partition(":")[0] for url in page.asked] == ["file"]


def test_the_numbers_are_those_of_the_stores(page: Browser, planted: Cluster, result: Audit) -> None:
    leases = sum(len(held) for node in planted.nodes for held in node.held.values())
    assert number(page, "total-leases") == leases
    assert number(page, "total-nodes") == len(planted.nodes)
    assert number(page, "total-findings") == len(result.findings)
    assert {(each.rule.name, each.nodes) for each in result.findings} > planted.expected
    assert text(page, "matches") == f"{leases:,} leases".replace(",", "\u202f")
    cells: list[list[str]] = page.value(
        "[...document.querySelectorAll('.scroll.tall tbody tr')].map(r => [...r.cells].map(c => c.textContent.trim()))"
    )
    told = {(row[0], row[1], int(row[2])): (row[3], row[4], row[5]) for row in cells}
    assert len(told) == len(result.usages)
    for usage in result.usages:
        capacity, leased, resting = told[usage.scope.network, usage.scope.node, usage.range_set]
        assert (leased, resting) == (str(usage.leased), str(usage.resting))
        assert capacity == (f"{usage.capacity:,}".replace(",", "\u202f") if usage.capacity < 10**12 else "about 2^64")


def test_the_tile_tells_that_addresses_are_exhausted_already(page: Browser, result: Audit) -> None:
    assert any(not usage.left for usage in result.usages)
    assert text(page, "soonest") == "now"


def test_on_a_narrow_screen_the_activity_of_now_is_seen_first(browser: Browser, tmp_path: Path, page: Browser) -> None:
    browser.show(400, 800)
    browser.open(tmp_path / "report.html")
    figure = "document.querySelector('figure.whole')"
    assert browser.value(f"{figure}.scrollWidth > {figure}.clientWidth")
    assert browser.value(f"{figure}.scrollLeft + {figure}.clientWidth >= {figure}.scrollWidth - 1")


def test_hostile_names_stay_text(page: Browser) -> None:
    assert page.value("document.title") == "IP address report"
    assert page.value("document.querySelectorAll('b, img, script').length") == page.value(
        "document.querySelectorAll('.tile b, .chip b, figcaption b, script#data, script:not([src])').length"
    )
    for name in HOSTILE:
        search(page, name.split()[0])
        pods = [row[3] for row in rows(page)]
        assert f"{name}/{name}" in pods
    assert page.said == []


def test_a_csv_file_has_no_formulas(page: Browser) -> None:
    cells: dict[str, str] = page.value(
        "Object.fromEntries(['=1+1', '@x', '+1', 'a\"b', '10.0.0.1'].map(t => [t, cell(t)]))"
    )
    assert cells == {"=1+1": '"\'=1+1"', "@x": '"\'@x"', "+1": '"\'+1"', 'a"b': '"a""b"', "10.0.0.1": '"10.0.0.1"'}


def test_searching_finds_what_has_all_the_words(page: Browser, planted: Cluster) -> None:
    node = planted.nodes[5]
    lease = node.held[PODS][40]
    search(page, f"{node.name} {lease.pod.name}")
    assert [row[3] for row in rows(page)] == [f"default/{lease.pod.name}"]
    search(page, "no such thing")
    assert rows(page) == []
    assert text(page, "matches").startswith("0 of ")


def test_addresses_are_sorted_by_number(page: Browser) -> None:
    search(page, "node-0003 pods")
    page.value("document.querySelector('#lease-head button').click()")
    found = [tuple(map(int, row[0].split("."))) for row in rows(page)]
    assert found == sorted(found)
    page.value("document.querySelector('#lease-head button').click()")
    assert page.value("document.querySelector('#lease-head th').ariaSort") == "descending"
    assert rows(page)[0][0] == "10.0.6.61"


def test_the_map_tells_who_holds_an_address_and_who_did(page: Browser, planted: Cluster) -> None:
    lease = planted.nodes[0].held[PODS][10]
    page.value("document.getElementById('cells').focus()")
    for key in ["Home", *["ArrowRight"] * 11, "Enter"]:
        page.press(key)
    said = text(page, "map-detail")
    assert said.startswith(f"10.0.0.12: pod default/{lease.pod.name}, container {lease.attachment.container_id} eth0")
    assert "Its past, the newest first" in said
    kinds: dict[str, int] = page.value(
        "[...document.querySelectorAll('#cells rect')].reduce((n, r) => "
        "(n[r.classList[0]] = (n[r.classList[0]] || 0) + 1, n), {})"
    )
    leased = sum(count for kind, count in kinds.items() if kind[0] == "h" and kind != "h0")
    assert (leased, kinds["gate"], sum(kinds.values())) == (60, 1, 510)


def test_a_range_that_nobody_can_enumerate_has_a_map_too(page: Browser) -> None:
    page.value("(s => { s.selectedIndex = [...s.options].findIndex(o => o.text === 'six'); "
               "s.dispatchEvent(new Event('change')); })(document.getElementById('map-network'))")  # fmt: skip
    assert text(page, "map-about").startswith("7 of 18\u202f446\u202f744\u202f073\u202f709\u202f551\u202f615 addresses")
    assert page.value("document.querySelectorAll('#cells rect.h3').length") == 7
    assert page.value("document.querySelector('#cells rect.h3 title').textContent").startswith("fd00::2: pod ")
    assert page.said == []


def test_findings_of_a_severity_can_be_hidden(page: Browser, result: Audit) -> None:
    errors = sum(each.rule.severity == "error" for each in result.findings)
    seen = "document.querySelectorAll('.findings > li:not([hidden])').length"
    assert page.value(seen) == len(result.findings)
    page.value("document.querySelector('.chip.error').click()")
    assert page.value(seen) == len(result.findings) - errors


def test_of_a_hundred_thousand_leases_only_those_that_are_seen_are_in_the_page(
    browser: Browser, tmp_path: Path
) -> None:
    shown(browser, tmp_path / "large.html", audited(large()))
    assert number(browser, "total-leases") == LARGE
    assert len(rows(browser)) < 100
    browser.value("document.getElementById('rows').scrollTop = 30 * 99990")
    browser.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert rows(browser)[-1][0] == "10.1.143.245"
    search(browser, "node-0123 10.0.247.")
    assert {row[2] for row in rows(browser)} == {"node-0123"}
    assert browser.said == []


def test_a_page_without_anything_says_so(browser: Browser, tmp_path: Path) -> None:
    empty: list[Record] = []
    header, _ = Cluster(1, leases=0).nodes[0].snapshot(history=False)
    nothing = Taken("n", header._replace(networks=(), time=NOW), empty)
    shown(browser, tmp_path / "empty.html", audit([nothing], Cluster(0).limits()))
    assert browser.said == []
    assert "Nothing was found" in text(browser, "findings")
    assert "No ranges are known" in text(browser, "map")


def test_the_command_writes_a_page_of_the_nodes_own_stores(
    browser: Browser, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    node, path = Node(tmp_path), tmp_path / "report.html"
    node.fill(7)
    for place, name in enumerate(name for name in HOSTILE if not {"=", ";"} & set(name)):
        node.call("ADD", f"h{place}", name)
    assert run(capfdbinary, "report", *node.options, "-o", path) == (0, "", f"{path}: 10 leases, 0 findings\n")
    assert path.stat().st_mode & 0o777 == 0o600
    browser.said.clear()
    browser.open(path)
    assert number(browser, "total-leases") == len(node.files()) == 10
    assert {row[0] for row in rows(browser)} == set(node.files())
    assert browser.said == []
