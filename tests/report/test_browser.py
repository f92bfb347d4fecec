"""The page in a real browser: `make test-browser` installs what this needs.

Chromium is Debian's (or the one that CHROMIUM names), driven by Playwright.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from big_report import metrics_of, write_page

pytestmark = [pytest.mark.browser, pytest.mark.one_backend]
playwright = pytest.importorskip("playwright.sync_api")


@pytest.fixture(scope="session")
def browser() -> Any:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if path is None:
        pytest.skip("there is no Chromium: apt-get install chromium, or CHROMIUM=PATH")
    with playwright.sync_playwright() as started:
        # Root cannot use Chromium's sandbox; the page is ours and loads nothing.
        opened = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """128 filters of 12 images, all different."""
    path = tmp_path_factory.mktemp("pages") / "report.html"
    return write_page(path, 128, 12, 1524, metrics_of())


@pytest.fixture
def look(browser: Any) -> Any:
    """Opens a page; at its end there must be no message, error or request."""
    opened: list[tuple[Any, list[str]]] = []

    def open_page(path: Path, width: int = 1280, scheme: str = "light") -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": 850},
            color_scheme=scheme,
            reduced_motion="reduce",
        )
        page, faults = context.new_page(), []
        page.on("console", lambda message: faults.append(message.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("dialog", lambda dialog: faults.append("a script of a name ran"))
        page.on(
            "request",
            lambda request: (
                request.url.startswith(("file:", "data:")) or faults.append(request.url)
            ),
        )
        page.goto(path.as_uri())
        page.wait_for_selector("#gallery > li")
        opened.append((context, faults))
        return page

    yield open_page
    for context, faults in opened:
        context.close()
        assert faults == []


def numbers(page: Any) -> list[int]:
    read = "a => a.map(e => Number(e.dataset.filter))"
    return page.eval_on_selector_all("#gallery > li", read)


def wait_for(page: Any, count: int) -> None:
    """Until so many filters are shown."""
    playwright.expect(page.locator("#gallery > li")).to_have_count(count)


def loaded(page: Any, selector: str) -> int:
    """How many pictures there are, all of which have pixels."""
    page.wait_for_timeout(300)
    done = page.eval_on_selector_all(selector, "a => a.every(i => i.complete)")
    assert done
    widths = page.eval_on_selector_all(selector, "a => a.map(i => i.naturalWidth)")
    assert all(width > 0 for width in widths)
    return len(widths)


def test_size_of_128_filters_of_12_images(file: Path) -> None:
    assert 4e6 < file.stat().st_size < 15e6


def test_pictures_load_and_are_described(look: Any, file: Path) -> None:
    page = look(file)
    assert loaded(page, "#gallery img") > 200
    texts = page.eval_on_selector_all("#gallery img", "a => a.map(i => i.alt)")
    assert all("fires with strength" in text for text in texts)
    assert page.locator("#gallery .thumb polygon").count() >= len(texts)
    assert page.locator("img:not([alt])").count() == 0


def test_sort(look: Any, file: Path) -> None:
    page = look(file)
    data = page.evaluate("JSON.parse(document.getElementById('data').textContent)")
    by_use = sorted(data["filters"], key=lambda one: -one["use"])
    assert numbers(page) == [one["id"] for one in by_use[:24]]
    page.select_option("#sort", "id")
    assert numbers(page) == list(range(24))
    page.select_option("#sort", "against")
    by_against = sorted(data["filters"], key=lambda one: one["adds"])
    assert numbers(page) == [one["id"] for one in by_against[:24]]


def test_search(look: Any, file: Path) -> None:
    page = look(file)
    page.fill("#search", "tail")
    playwright.expect(page.locator("#count")).to_contain_text("of 128 filters")
    page.wait_for_timeout(300)
    assert page.inner_text("#count").startswith("21 of 128")
    page.fill("#search", "17")
    wait_for(page, 1)
    assert numbers(page) == [17]
    page.fill("#search", "onerror")
    page.wait_for_selector("#gallery > li[data-filter='3']")
    page.fill("#search", "no such thing")
    wait_for(page, 0)
    assert "No filter fits" in page.inner_text("#count")


def test_show(look: Any, file: Path) -> None:
    page = look(file)
    page.select_option("#show", "dead")
    assert numbers(page) == [1]
    assert "fires in no image" in page.inner_text("#gallery")
    page.select_option("#show", "part:head")
    assert all(number % 6 == 0 for number in numbers(page))
    page.click(".group")
    assert sorted(numbers(page)) == [0, 2]
    assert page.get_attribute(".group", "aria-pressed") == "true"
    page.click("#gallery .alike button")
    assert len(numbers(page)) == 1


def test_pages(look: Any, file: Path) -> None:
    page = look(file)
    first = numbers(page)
    page.click("#next-page")
    assert not set(first) & set(numbers(page))
    assert "25 to 48" in page.inner_text("#count")
    page.select_option("#page", "5")
    assert len(numbers(page)) == 128 - 5 * 24
    assert page.is_disabled("#next-page")


def test_stepping(look: Any, file: Path) -> None:
    page = look(file)
    assert page.inner_text("#where") == "1 of 6"
    assert loaded(page, "#picture img") == 1
    page.click("#next")
    assert "photo 1.jpg" in page.inner_text("#explanation")
    page.focus("#viewer")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#where") == "3 of 6"
    assert "poor reconstruction" in page.inner_text("#explanation .warnings")
    page.keyboard.press("End")
    assert page.inner_text("#where") == "6 of 6" and page.is_disabled("#next")
    page.keyboard.press("Home")
    assert page.inner_text("#where") == "1 of 6"
    page.select_option("#which", "disagree")
    assert page.inner_text("#where") == "1 of 1"
    page.select_option("#which", "all")
    page.click("#disagreements a[data-step]")
    assert page.inner_text("#where") == "3 of 6"
    assert page.evaluate("document.activeElement.id") == "viewer"
    assert "filter 0" in page.get_attribute("#picture img", "alt")


def test_keyboard_reaches_everything(look: Any, file: Path) -> None:
    page = look(file)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    seen = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.id"))
    assert {"theme", "search", "sort", "show", "outlines"} <= seen


LUMINANCE = """(element) => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (text) => { const [r, g, b] = rgb(text).map((v) => (v / 255) ** 2.2);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  let back = element;
  while (back && rgb(getComputedStyle(back).backgroundColor)[3] === 0)
    back = back.parentElement;
  const [a, b] = [light(getComputedStyle(element).color),
    light(getComputedStyle(back || document.body).backgroundColor)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(look: Any, file: Path, scheme: str) -> None:
    """WCAG 2 AA: 4.5 for texts."""
    page = look(file, scheme=scheme)
    for selector in ("p", ".quiet", ".meaning", "a", "dd", "dt", ".tag", ".control"):
        element = page.locator(f"main {selector}").first
        assert element.evaluate(LUMINANCE) >= 4.5, selector


def test_colours(look: Any, file: Path) -> None:
    def paper(page: Any) -> str:
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    page = look(file, scheme="dark")
    dark = paper(page)
    assert dark == "rgb(15, 19, 24)"
    page.click("#theme")  # light
    assert paper(page) == "rgb(255, 255, 255)"
    page.click("#theme")  # dark
    assert paper(page) == dark
    assert page.get_attribute("#theme", "aria-label") == "Colours: dark"
    page.click("#theme")
    assert page.get_attribute("html", "data-theme") == "auto"


def test_a_phone(look: Any, file: Path) -> None:
    page = look(file, width=375)
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    assert len(numbers(page)) == 12
    box = page.locator("#next").bounding_box()
    assert box["width"] >= 40 and box["height"] >= 40
    for target in ("#search", "#picture", "#gallery > li"):
        assert page.locator(target).first.bounding_box()["width"] <= 375


def test_names_are_texts(look: Any, file: Path) -> None:
    """A name ran no script (`look` sees dialogs), and made no element."""
    page = look(file)
    assert page.locator("img[src=x]").count() == 0
    assert page.locator("main b:text('1524')").count() == 0
    page.fill("#search", "3")
    wait_for(page, 1)
    assert "<img src=x onerror=alert(1)>" in page.inner_text("#gallery h3")


def test_10000_filters(look: Any, tmp_path: Path) -> None:
    path = write_page(tmp_path / "many.html", 10_000, 4, 40, metrics_of())
    assert path.stat().st_size < 15e6
    page = look(path)
    assert "10000 of 10000 filters; 1 to 24 shown" in page.inner_text("#count")
    assert page.locator("#gallery > li").count() == 24
    page.fill("#search", "9999")
    wait_for(page, 1)
    assert numbers(page) == [9999]
