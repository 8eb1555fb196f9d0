"""The site and a report in a real headless Chromium: `scripts/browser-test` finds or installs one, and runs this."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser
ROOT = Path(__file__).resolve().parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PHONE, WIDE = {"width": 390, "height": 844}, {"width": 1280, "height": 900}

# contrast of each visible text with the nearest background, by WCAG 2; large text needs 3, other text 4.5
CONTRAST = """() => {
  const channels = (text) => {
    const numbers = text.match(/[\\d.]+/g).map(Number);
    if (text.startsWith("color(")) for (let i = 0; i < 3; i++) numbers[i] *= 255;
    return numbers;
  };
  const light = (c) => [0.2126, 0.7152, 0.0722].reduce((sum, weight, i) => {
    const v = c[i] / 255;
    return sum + weight * (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  }, 0);
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * (top[3] ?? 1) + below[i] * (1 - (top[3] ?? 1)));
  const paper = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) layers.push(channels(getComputedStyle(e).backgroundColor));
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
  };
  const bad = [];
  const texts = "h1,h2,h3,p,li,td,th,a,b,small,span,figcaption,summary,code,dt,dd,button,label";
  for (const element of document.querySelectorAll(`main :is(${texts})`)) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    const style = getComputedStyle(element);
    if (!own || !element.checkVisibility() || style.opacity === "0") continue;
    if (element.closest(".headerlink, .md-nav, .highlight")) continue; // the theme's own
    const below = paper(element);
    const [a, b] = [light(over(channels(style.color), below)), light(below)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize);
    if (ratio < (size >= 24 || (size >= 18.6 && style.fontWeight >= 700) ? 3 : 4.5))
      bad.push(`${element.tagName} "${element.textContent.trim().slice(0, 30)}": ${ratio.toFixed(2)}`);
  }
  return bad;
}"""
# the page wider than the screen, or a picture that is not there
WRONG = """async () => {
  const wrong = [];
  const over = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (over > 0) wrong.push(`${over} pixels too wide`);
  for (const image of document.images) {
    image.loading = "eager";
    try { await image.decode(); } catch { wrong.push("no picture: " + image.src); }
    if (!image.naturalWidth) wrong.push("empty picture: " + image.src);
    if (!image.alt && image.closest("article")) wrong.push("no words for " + image.src);
  }
  return wrong;
}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[str]:
    """The address of the site on this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The system's Chromium."""
    program = os.environ.get("ZOO_CHROMIUM") or next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip(f"no Chromium on the PATH ({', '.join(NAMES)}); scripts/browser-test installs one")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        options = ["--no-sandbox"] if hasattr(os, "getuid") and os.getuid() == 0 else []
        started = playwright.chromium.launch(executable_path=program, args=options)
        yield started
        started.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A fresh page that fails the test if the console reports an error or another host is asked."""
    context = browser.new_context(viewport=WIDE, color_scheme="light")
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("requestfailed", lambda one: complaints.append(f"{one.failure}: {one.url}") if lost(one) else None)
    allowed = ("http://127.0.0.1", "file:", "data:", "blob:", "about:")
    opened.on("request", lambda one: None if one.url.startswith(allowed) else complaints.append(f"asked {one.url}"))
    yield opened
    context.close()
    assert complaints == []


def lost(request: Any) -> bool:
    """Whether a request failed by itself, not because the page was left."""
    return request.failure != "net::ERR_ABORTED"


def addresses(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.html") if path.name != "404.html")


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_every_page_loads_fits_and_reads_well_in_light_and_dark(
    page: Any, folder: Path, served: str, size: Any
) -> None:
    page.set_viewport_size(size)
    found: dict[str, list[str]] = {}
    for address in addresses(folder):
        page.goto(f"{served}/{address}")
        problems = page.evaluate(WRONG) + page.evaluate(CONTRAST)
        page.add_style_tag(content="* { transition: none !important }")  # a colour half-way is not one to read
        page.evaluate("document.body.dataset.mdColorScheme = 'slate'")
        problems += page.evaluate(CONTRAST)
        if problems:
            found[address] = problems[:6]
    assert found == {}


def test_dark_mode_is_a_click_away_and_stays(page: Any, served: str) -> None:
    def background() -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    page.goto(f"{served}/index.html")
    light = background()
    page.get_by_title("Switch to dark mode").click()
    page.wait_for_function("document.body.dataset.mdColorScheme === 'slate'")
    dark = background()
    page.goto(f"{served}/architectures/vgg16.html")
    assert light != dark == background()
    page.get_by_title("Switch to light mode").click()
    page.wait_for_function("document.body.dataset.mdColorScheme === 'default'")
    assert background() == light


def test_a_reader_who_prefers_dark_gets_it(page: Any, served: str) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto(f"{served}/index.html")
    assert page.evaluate("document.body.dataset.mdColorScheme") == "slate"


def test_a_diagram_zooms_moves_and_unfolds(page: Any, served: str) -> None:
    page.goto(f"{served}/architectures/vgg16.html")
    diagram = page.locator(".diagram")
    scale = lambda: float(diagram.get_attribute("data-scale"))  # noqa: E731
    page.wait_for_function("document.querySelector('.diagram').dataset.scale")
    before = scale()
    diagram.get_by_role("button", name="Zoom in").click()
    assert scale() == pytest.approx(before * 1.3, rel=0.01)
    view = diagram.locator(".view")
    view.focus()
    page.keyboard.press("-")
    assert scale() == pytest.approx(before, rel=0.01)
    place = diagram.locator("img").bounding_box()
    box = view.bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 150, box["y"] + 130)
    page.mouse.up()
    moved = diagram.locator("img").bounding_box()
    assert (moved["x"] - place["x"], moved["y"] - place["y"]) == pytest.approx((50, 30), abs=1)
    page.mouse.wheel(0, -200)
    page.wait_for_function(f"document.querySelector('.diagram').dataset.scale > {before}")
    folded = diagram.locator("img").evaluate("image => image.naturalHeight")
    diagram.get_by_role("button", name="Show every layer").click()
    page.wait_for_function(f"document.querySelector('.diagram img').naturalHeight > {folded}")
    diagram.get_by_role("button", name="Fold into stages").click()
    page.wait_for_function(f"document.querySelector('.diagram img').naturalHeight === {folded}")


def test_a_series_of_pictures_moves_with_its_slider(page: Any, served: str) -> None:
    page.goto(f"{served}/architectures/fc-tf.html")
    series = page.locator(".series").first
    shown = series.locator(".frame:visible")
    last = int(shown.get_attribute("data-step"))
    series.get_by_label("Step of training").focus()
    page.keyboard.press("Home")
    assert shown.count() == 1
    assert int(shown.get_attribute("data-step")) == 0
    assert series.locator("output").inner_text() == "step 0"
    page.keyboard.press("End")
    assert int(shown.get_attribute("data-step")) == last > 0


def test_the_leaderboard_sorts_and_filters(page: Any, served: str) -> None:
    page.goto(f"{served}/leaderboard.html")
    rows = page.locator(".board tbody tr:visible")
    values = lambda column: [  # noqa: E731
        float(cell)
        for cell in rows.locator(f"> :nth-child({column})").evaluate_all("all => all.map(c => c.dataset.value)")
    ]
    for name, column in (("accuracy", 4), ("parameters", 8)):
        heading = page.locator(".board thead").get_by_role("button", name=name)
        heading.click()
        assert values(column) == sorted(values(column), reverse=True)
        heading.press("Enter")
        assert values(column) == sorted(values(column))
        assert page.locator("[aria-sort=ascending]").count() == 1
    everything = rows.count()
    filters = page.locator(".filters")
    filters.get_by_label("Search").fill("cnn")
    assert 0 < rows.count() < everything
    filters.get_by_label("Search").fill("")
    filters.get_by_label("Data set").select_option("mnist")
    assert set(rows.evaluate_all("all => all.map(row => row.dataset.dataset)")) == {"mnist"}


@pytest.mark.parametrize("way", ["http", "file"])
def test_the_search_finds_what_is_written(page: Any, folder: Path, served: str, way: str) -> None:
    page.goto(f"{served}/index.html" if way == "http" else (folder / "index.html").as_uri())
    page.keyboard.press("/")
    page.keyboard.type("residual")
    first = page.locator(".md-search-result__link").first
    first.wait_for(timeout=20_000)
    assert "residual" in page.locator(".md-search-result__list").inner_text().lower()
    first.click()
    page.wait_for_load_state()
    assert "residual" in page.locator("article").inner_text().lower()


def test_it_opens_from_a_folder(page: Any, folder: Path) -> None:
    page.goto((folder / "index.html").as_uri())
    page.get_by_role("link", name="Five minutes").first.click()
    page.wait_for_url("**/guide/five-minutes.html")
    assert page.evaluate(WRONG) == []


def test_the_keyboard_reaches_everything(page: Any, served: str) -> None:
    page.goto(f"{served}/leaderboard.html")
    reached: set[str] = set()
    places = "['.filters', 'thead', '.md-search', '.md-tabs', '.md-sidebar']"
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.update(page.evaluate(f"{places}.filter(place => document.activeElement.closest(place))"))
    assert reached == {".filters", "thead", ".md-search", ".md-tabs", ".md-sidebar"}
    page.goto(f"{served}/architectures/cnn.html")
    page.locator(".diagram .view").focus()
    assert page.locator(".diagram .view").evaluate("view => getComputedStyle(view).outlineStyle") == "solid"


@pytest.mark.parametrize(("scheme", "size"), [("light", WIDE), ("dark", PHONE)])
def test_a_report_opens_from_a_folder(page: Any, tmp_path: Path, scheme: str, size: Any) -> None:
    environment = os.environ | {"ZOO_CACHE": str(tmp_path / "cache")}
    run = tmp_path / "run"
    command = ["train", "cnn", "mnist", "--rehearse", "--no-export", "--output", str(run)]
    subprocess.run([sys.executable, "-m", "zoo", *command], env=environment, check=True, capture_output=True)
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size(size)
    page.goto((run / "report.html").as_uri())
    assert page.evaluate(WRONG) + page.evaluate(CONTRAST) == []
    assert "REHEARSAL" in page.locator(".stamp").inner_text()
    assert page.locator("figure img").count() >= 3
    folded = page.locator("details table").first
    assert not folded.is_visible()
    page.emulate_media(media="print")
    assert folded.is_visible(), "on paper nothing can be unfolded"
