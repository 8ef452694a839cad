"""The report for everybody: in light and dark, on paper, on narrow screens, without a mouse, without sight."""

from itertools import pairwise
from typing import Any

import pytest

from tests.audit.browser import Browser

CONTRAST = """
(() => {
  const light = (color) => {
    const [r, g, b] = color.match(/[\\d.]+/g).map(Number)
      .map(c => (c /= 255) <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const ground = (e) => { for (; e; e = e.parentElement) {
    const color = getComputedStyle(e).backgroundColor;
    if (!color.endsWith(", 0)")) return color;
  } return "rgb(255, 255, 255)"; };
  const tells = (e) => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  return [...document.querySelectorAll("h1, h2, h3, p, td, th, a, span, code, button, label, summary, figcaption, li")]
    .filter(e => tells(e) && !e.matches(".hidden") && e.checkVisibility() && e.getBoundingClientRect().width > 2)
    .map(e => [light(getComputedStyle(e).color), light(ground(e)), e.className + " " + e.textContent.slice(0, 30)])
    .map(([a, b, t]) => [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), t])
    .filter(([ratio]) => ratio < 4.5).map(([ratio, t]) => ratio.toFixed(2) + " " + t);
})()
"""
"""What has less contrast to its ground than WCAG 2.1 asks for (1.4.3: 4.5 to 1)."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_light_and_dark(page: Browser, scheme: str) -> None:
    page.show(1280, 900, prefers_color_scheme=scheme)
    assert page.value("matchMedia('(prefers-color-scheme: dark)').matches") is (scheme == "dark")
    assert page.value(CONTRAST) == []


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_is_wider_than_the_window(page: Browser, width: int) -> None:
    page.show(width, 900)
    page.value("dispatchEvent(new Event('resize'))")
    assert page.value("document.documentElement.scrollWidth") <= width


def test_what_can_be_used_has_a_name_for_those_who_cannot_see(page: Browser) -> None:
    tree: list[dict[str, Any]] = page.do("Accessibility.getFullAXTree")["nodes"]
    used = {"button", "link", "searchbox", "combobox", "image", "application", "region", "table", "list"}
    nameless = [
        each["role"]["value"]
        for each in tree
        if not each.get("ignored") and each.get("role", {}).get("value") in used - {"table", "list"}
        and not each.get("name", {}).get("value")
    ]  # fmt: skip
    assert nameless == []
    order = page.value("[...document.querySelectorAll('h1, h2, h3')].map(h => Number(h.tagName[1]))")
    assert all(after - before <= 1 for before, after in pairwise(order))


def test_it_prints_all_findings_and_as_many_leases_as_make_sense(page: Browser) -> None:
    pdf = page.do("Page.printToPDF")["data"]
    assert len(pdf) > 10_000
    page.show(1280, 900, media="print")
    assert page.value("getComputedStyle(document.querySelector('.findings')).maxHeight") == "none"
    assert page.value("getComputedStyle(document.querySelector('.controls')).display") == "none"
