"""The health report as a real Chromium shows it, on a desk, on a phone and on paper."""

import re

import pytest

from tests.report.samples import SAMPLES

pytestmark = pytest.mark.browser

DESK = (1366, 768, False)
PHONE = (390, 844, True)
WINDOWS = pytest.mark.parametrize("window", [DESK, PHONE], ids=["1366x768", "390x844"])
REPORTS = pytest.mark.parametrize("name", SAMPLES)

# Opens every <details> first: what a reader can unfold must hold too.
UNFOLD = "document.querySelectorAll('details').forEach(one => one.open = true)"

SMALL_TEXT = """
(() => {
  const small = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, size = parseFloat(getComputedStyle(node.parentElement).fontSize);
    if (node.textContent.trim() && size < 14) small.push(`${size}px: ${node.textContent.trim().slice(0, 40)}`);
  }
  for (const one of document.querySelectorAll('*'))
    for (const part of ['::before', '::after']) {
      const style = getComputedStyle(one, part);
      if (!['none', 'normal', '""'].includes(style.content) && parseFloat(style.fontSize) < 14)
        small.push(`${style.fontSize} ${part} ${style.content}`);
    }
  return small.slice(0, 10);
})()"""

# SVG text shrinks with its picture whatever its font size says; so there must be none.
SVG_TEXT = "document.querySelectorAll('svg text').length"

STICKING_OUT = """
[...document.querySelectorAll('body *')].filter(one => {
  if (one.closest('.scroll, .sr, thead') || one.closest('svg') && one.tagName !== 'svg') return false;
  const box = one.getBoundingClientRect();
  return box.width > 0 && (box.right > innerWidth + 0.5 || box.left < -0.5);
}).slice(0, 10).map(one => `${one.tagName}.${one.classList} ${one.textContent.slice(0, 20)}`)"""

# Text that is wider than the box that holds it runs into its neighbour even where the page itself stays narrow.
RUNNING_OVER = """
[...document.querySelectorAll('td, th, dd, dt, li, p, h1, h2, h3')].filter(one => {
  if (one.closest('.scroll, .sr, thead') || !one.getClientRects().length) return false;
  const range = document.createRange();
  range.selectNodeContents(one);
  const text = range.getBoundingClientRect(), box = one.getBoundingClientRect();
  return text.right > box.right + 1 || text.left < box.left - 1;
}).slice(0, 10).map(one => `${one.tagName}.${one.className} ${one.textContent.trim().slice(0, 40)}`)"""

OVERLAPPING = """
((selectors) => {
  const parts = selectors.flatMap(selector => [...document.querySelectorAll(selector)]);
  const found = [];
  for (let i = 0; i < parts.length; i++)
    for (let j = i + 1; j < parts.length; j++) {
      if (parts[i].contains(parts[j]) || parts[j].contains(parts[i])) continue;
      const a = parts[i].getBoundingClientRect(), b = parts[j].getBoundingClientRect();
      if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1)
        found.push(`${parts[i].textContent.trim().slice(0, 30)} | ${parts[j].textContent.trim().slice(0, 30)}`);
    }
  return found;
})(%s)"""


def bottom_of(page, selector):
    return page.ask(f"document.querySelector('{selector}').getBoundingClientRect().bottom")


@REPORTS
@WINDOWS
def test_page_never_scrolls_sideways(page, files, name, window):
    page.open(files[name], *window[:2], phone=window[2])
    page.ask(UNFOLD)
    width = page.ask("[document.documentElement.scrollWidth, innerWidth]")
    assert page.ask(STICKING_OUT) == []
    assert width == [window[0], window[0]]


@REPORTS
@WINDOWS
def test_all_text_has_14_px_or_more(page, files, name, window):
    page.open(files[name], *window[:2], phone=window[2])
    page.ask(UNFOLD)
    assert page.ask(SMALL_TEXT) == []
    assert page.ask(SVG_TEXT) == 0


@REPORTS
@WINDOWS
def test_no_text_runs_out_of_its_box(page, files, name, window):
    page.open(files[name], *window[:2], phone=window[2])
    page.ask(UNFOLD)
    assert page.ask(RUNNING_OVER) == []


@REPORTS
@WINDOWS
def test_parts_of_the_first_screen_do_not_overlap(page, files, name, window):
    page.open(files[name], *window[:2], phone=window[2])
    parts = "['h1', '.company', '.when', '.word', '.headline .zh', '.headline .en', '.owed li', '#first h2']"
    assert page.ask(OVERLAPPING % parts) == []


@WINDOWS
@pytest.mark.parametrize("name", [name for name in SAMPLES if name != "extreme"])
def test_first_screen_holds_status_headline_and_all_six_debts(page, files, name, window):
    page.open(files[name], *window[:2], phone=window[2])
    assert page.ask("document.querySelectorAll('.owed li').length") == 6
    for part in (".word", ".headline", ".owed"):
        assert 0 < bottom_of(page, part) <= window[1], part


@REPORTS
def test_no_cell_of_a_card_covers_another_on_the_phone(page, files, name):
    page.open(files[name], *PHONE[:2], phone=True)
    page.ask(UNFOLD)
    # The status floats in the corner of its card: the words of the name must flow around it.
    covered = page.ask("""
      [...document.querySelectorAll('.cards tbody tr')].filter(row => {
        const state = row.querySelector('.state'), name = row.querySelector('.name');
        if (!state || !name) return false;
        const box = state.getBoundingClientRect(), range = document.createRange();
        const walker = document.createTreeWalker(name, NodeFilter.SHOW_TEXT), lines = [];
        while (walker.nextNode()) {
          range.selectNodeContents(walker.currentNode);
          lines.push(...range.getClientRects());
        }
        return lines.some(text =>
          text.width > 0 && text.right > box.left + 1 && text.top < box.bottom - 1 && text.bottom > box.top + 1);
      }).slice(0, 5).map(row => row.textContent.trim().slice(0, 60))""")
    assert covered == []


@REPORTS
def test_page_asks_the_network_for_nothing_and_runs_no_script(page, files, name):
    page.open(files[name], *DESK[:2])
    assert page.requests == [files[name].as_uri()]
    assert page.ask("document.scripts.length") == 0
    assert page.ask("document.images.length") == 0, "a hostile text became an element"


def test_every_link_leads_to_a_place_on_the_page(page, files):
    page.open(files["breach"], *DESK[:2])
    assert (
        page.ask("""
      [...document.querySelectorAll('a')].map(one => one.getAttribute('href'))
        .filter(href => !href.startsWith('#') || !document.getElementById(href.slice(1)))""")
        == []
    )


@WINDOWS
def test_all_text_stands_out_from_its_background_by_4_5_to_1(page, files, window):
    page.open(files["breach"], *window[:2], phone=window[2])
    page.ask(UNFOLD)
    faint = page.ask("""
      (() => {
        const light = colour => {
          const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map(v => v / 255)
            .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const behind = one => {
          for (; one; one = one.parentElement) {
            const colour = getComputedStyle(one).backgroundColor;
            if (!colour.endsWith(', 0)')) return colour;
          }
          return 'rgb(255, 255, 255)';
        };
        const faint = new Set(), walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        while (walker.nextNode()) {
          const node = walker.currentNode, one = node.parentElement;
          if (!node.textContent.trim()) continue;
          const [a, b] = [light(getComputedStyle(one).color), light(behind(one))];
          const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
          if (contrast < 4.5) faint.add(`${contrast.toFixed(2)} ${node.textContent.trim().slice(0, 30)}`);
        }
        return [...faint].slice(0, 10);
      })()""")
    assert faint == []


def pages_of(pdf):
    return re.findall(rb"/Type\s*/Page\b(?!s)", pdf)


@pytest.mark.parametrize(("name", "most"), [("no_data", 4), ("ok", 8), ("breach", 9)])
def test_prints_on_a_few_a4_pages(page, files, name, most):
    page.open(files[name], *DESK[:2])
    pdf = page.print_pdf()
    assert pdf.startswith(b"%PDF-")
    assert 1 <= len(pages_of(pdf)) <= most
    sizes = set(re.findall(rb"/MediaBox\s*\[\s*0\s+0\s+([\d.]+)\s+([\d.]+)\s*\]", pdf))
    assert {(round(float(w)), round(float(h))) for w, h in sizes} == {(595, 842)}


def test_paper_shows_what_the_screen_folds_away(page, files):
    page.open(files["breach"], *DESK[:2])
    page.tell("Emulation.setEmulatedMedia", media="print")
    try:
        # What was skipped on screen becomes visible a few frames after the medium has changed.
        hidden = page.ask("""
          new Promise(tell => {
            const look = left => {
              const hidden = [...document.querySelectorAll('details > :not(summary)')]
                .filter(one => !one.checkVisibility({contentVisibilityAuto: true, checkVisibilityCSS: true}))
                .map(one => one.textContent.trim().slice(0, 30))
              if (hidden.length && left) setTimeout(look, 50, left - 1)
              else tell(hidden)
            }
            look(60)
          })""")
        wide = page.ask("document.documentElement.scrollWidth - innerWidth")
    finally:
        page.tell("Emulation.setEmulatedMedia", media="")
    assert hidden == []
    assert wide <= 0
