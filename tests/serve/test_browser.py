"""The pages in a real browser: a whole case, without JavaScript, on a small screen, by keyboard, and with axe."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.report.making import SCRIPT
from tests.serve.running import Server, running
from tests.state.nights import DAY, Nights

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium to show the pages in")
PEOPLE = ("ann", "bob", "carol", "dan", "erin")
SMALL = {"width": 420, "height": 800}


@pytest.fixture
def nights(tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str], loaded_once: None) -> Nights:
    """A state with two campaigns after one scan."""
    made = Nights(folder=tmp_path, cache=cache, capture=capsys)
    made.start = int(time.time()) // DAY * DAY - 20 * DAY
    made.settings()
    assert made.scan(made.day(0, one=24, two=24), "--baseline") == 0, made.said
    assert len(made.found()) == 2
    return made


@contextmanager
def visiting(browser: Any, server: Server, name: str, **more: Any) -> Iterator[Any]:
    """A tab of a reviewer. What goes wrong in the page fails the test."""
    context = browser.new_context(base_url=f"http://127.0.0.1:{server.port}", accept_downloads=True, **more)
    page = context.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("dialog", lambda dialog: troubles.append(f"dialog {dialog.message}"))
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    page.goto(server.serving.addresses[name])
    page.wait_for_url("**/")
    yield page
    context.close()
    expected = "status of 4"  # an answer that refuses is an error of the console
    assert not [one for one in troubles if expected not in one], troubles


def first_finding(page: Any) -> str:
    page.goto("/?show=all")
    address: str = page.locator("tr[data-row] a").first.get_attribute("href")
    return address


def test_a_browser_shows_everything(nights: Nights, made: Path, tmp_path: Path) -> None:
    """One browser for all, because it takes long to start."""
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
        with running(nights.out, nights.state, reviewers=PEOPLE) as server:
            _keyboard_alone(browser, server)
            _without_javascript(browser, server)
            _small_and_accessible(browser, server)
            _search(browser, server)
            _a_whole_case(browser, server, nights)
        hostile = shutil.copytree(made, tmp_path / "hostile")
        with running(hostile / "out", hostile / "state", reviewers=PEOPLE) as server:
            _hostile_texts(browser, server)
        browser.close()


def _hostile_texts(browser: Any, server: Server) -> None:
    """Prompts, ids, notes and reasons that would run as scripts do not; the browser says nothing of the policy."""
    with visiting(browser, server, "ann") as page:
        finding = first_finding(page)
        page.goto(finding)
        page.fill("#reason", SCRIPT)
        page.click("text=Show the texts")
        page.check("input[value=unsure]")
        page.fill("#note", SCRIPT)
        page.click("text=Save the verdict")
        page.fill("#find", SCRIPT)
        page.click("button:has-text('Find')")
        page.goto(finding)
        hostile = page.locator("#accounts a", has_text="HYPERLINK").first.get_attribute("href")
        for address in ("/?show=all&found=yes", finding, f"{finding}?accounts=2&prompts=3", hostile, "/runs", "/audit"):
            page.goto(address)
            page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
            assert page.title() != "owned", address
            assert page.locator("img, iframe, main script").count() == 0, address
            assert "onerror" in page.inner_text("body") or address == "/runs", "the text is shown as text"


def _search(browser: Any, server: Server) -> None:
    """From a finding to prompts like it, an account, and what else that sends; without JavaScript, and by keyboard."""
    with visiting(browser, server, "erin", java_script_enabled=False) as page:
        page.goto(first_finding(page))
        page.click("text=Search for prompts like these")
        page.wait_for_selector("text=By account", timeout=60_000)
        assert page.url.endswith("/search#answer")
        assert "near in wording" in page.inner_text("#answer")
        assert page.locator("#campaigns a").count() >= 1
        assert page.locator(".quote").count() == 0
        page.fill("#reason", "case 9")
        page.click("text=Show the texts")
        assert "step by step" in page.inner_text(".hits") or "hidden assumption" in page.inner_text(".hits")
        page.locator("#accounts a.who").first.click()
        page.wait_for_url("**/account/*")
        page.focus("text=What else does it send?")
        page.keyboard.press("Enter")
        page.wait_for_selector("h2:has-text('sends')", timeout=60_000)
        page.click("summary:has-text('Seeds')")
        page.fill("#seeds-reason", "case 9")
        with page.expect_download() as waiting:
            page.click("text=Download")
        assert Path(waiting.value.path()).read_text(encoding="utf-8").startswith('{"account": ')


def _a_whole_case(browser: Any, server: Server, nights: Nights) -> None:
    """From the queue to a verdict that the next scan respects, and an export."""
    with visiting(browser, server, "ann", viewport={"width": 1280, "height": 900}) as page:
        page.goto("/?show=all&tier=")
        assert page.locator("tr[data-row]").count() == 2
        page.select_option("#choose-sort", "prompts")
        page.wait_for_url("**sort=prompts**")
        page.locator("tr[data-row] a").first.click()
        page.wait_for_url("**/finding/**")
        campaign = page.locator("h1 code").inner_text()
        assert "exam question" in page.inner_text("main") or "hidden assumption" in page.inner_text("main")
        assert page.locator(".quote").count() == 0
        page.fill("#reason", "case 7")
        page.click("text=Show the texts")
        assert page.locator(".quote").count() > 0
        page.fill("#find", campaign)
        page.click("button:has-text('Find')")
        assert page.locator("tr[data-row]").count() == 1
        page.locator("tr[data-row] a").first.click()
        page.check("input[value=benign]")
        page.fill("#note", "a course at a school")
        page.select_option("#expires", "90d")
        page.click("text=Save the verdict")
        assert "The verdict was saved: benign." in page.inner_text("[role=status]")
        page.fill("#find", "")
        page.click("button:has-text('Find')")
        assert nights.scan(nights.day(0, one=24, two=24), nights.day(1, one=24, two=24)) == 0, nights.said
        for _ in range(100):
            page.goto("/?show=judged&where=scan")
            if "watch" in page.inner_text("tbody") and not page.locator(".stale:visible").count():
                break
            time.sleep(0.2)
        assert campaign in page.inner_text("tbody")
        assert page.locator("tbody .tier.watch").count() == 1
        page.goto(f"/finding/{campaign}")
        assert "ann judged it benign" in page.inner_text("article")
        page.goto("/runs")
        page.click("text=difference to run 1")
        assert campaign in page.inner_text("main")
        page.goto("/")
        page.click("summary:has-text('Export')")
        page.select_option("#export-form", "stix")
        page.select_option("#export-tier", "watch")
        with page.expect_download() as waiting:
            page.click("text=Download")
        text = Path(waiting.value.path()).read_text(encoding="utf-8")
        assert waiting.value.suggested_filename == "harvestdetect-stix.json"
        assert "exam question" not in text
        page.goto("/audit")
        said = page.inner_text("main")
        assert all(what in said for what in ("reveal", "verdict", "export", "case 7"))
        assert re.search(r"/[^ ]*(exam|school|case)", page.url) is None


def _without_javascript(browser: Any, server: Server) -> None:
    with visiting(browser, server, "bob", java_script_enabled=False) as page:
        page.select_option("#choose-tier", "urgent")
        page.click("text=Apply")
        assert "tier=urgent" in page.url
        page.goto(first_finding(page))
        page.fill("#reason", "case 8")
        page.click("text=Show the texts")
        assert page.locator(".quote").count() > 0
        page.click("text=Hide them again")
        assert page.locator(".quote").count() == 0
        page.check("input[value=harvest]")
        page.click("text=Save the verdict")
        assert "bob judged it harvest" in page.inner_text("#verdict")
        page.click("text=Undo the last verdict")
        assert "No verdict is in force" in page.inner_text("#verdict")
        page.locator("#accounts a").first.click()
        assert "posterior probability" in page.inner_text("main")
        page.click("text=Queue")
        page.click("summary:has-text('Export')")
        with page.expect_download() as waiting:
            page.click("text=Download")
        assert Path(waiting.value.path()).read_bytes()


def _keyboard_alone(browser: Any, server: Server) -> None:
    with visiting(browser, server, "carol", viewport={"width": 1280, "height": 900}) as page:
        keys = page.keyboard
        keys.press("j")
        keys.press("j")
        keys.press("k")
        keys.press("Enter")
        page.wait_for_url("**/finding/**")
        first = page.url
        keys.press("n")
        page.wait_for_url(lambda url: "/finding/" in url and url != first)
        keys.press("p")
        page.wait_for_url(first)
        keys.press("v")
        keys.press("b")
        assert page.is_checked("input[value=benign]")
        keys.press("Tab")
        keys.type("jkn/?b")
        assert page.input_value("#note") == "jkn/?b", "keys that are typed do nothing else"
        page.focus("input[value=benign]")
        keys.press("s")
        page.focus(".judge button")
        keys.press("Enter")
        page.wait_for_selector("text=The verdict was saved: unsure.")
        page.focus(".undo button")
        keys.press("Enter")
        page.wait_for_selector("text=The last verdict was undone.")
        keys.press("u")
        page.wait_for_url(lambda url: "/finding/" not in url)
        keys.press("/")
        keys.type("one-1")
        keys.press("Enter")
        page.wait_for_selector("text=Accounts with this text in their id")
        page.focus("a")
        keys.press("?")
        assert page.locator(".keys[open]").count() == 1
        page.uncheck("#single-keys")
        page.focus("a")
        before = page.url
        keys.press("j")
        keys.press("Enter")
        page.goto("/")
        keys.press("j")
        assert page.evaluate("document.activeElement === document.body"), f"single keys can be switched off ({before})"
        page.evaluate("localStorage.clear()")


def _small_and_accessible(browser: Any, server: Server) -> None:
    """No page is wider than a small screen, and axe finds no serious fault, light and dark."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    with visiting(browser, server, "dan", viewport=SMALL) as page:
        finding = first_finding(page)
        page.goto(finding)
        account = page.locator("#accounts a").first.get_attribute("href")
        page.fill("#reason", "to see all of the page")
        page.click("text=Show the texts")
        page.goto(finding)
        page.click("text=Search for prompts like these")
        page.wait_for_selector("text=By account", timeout=60_000)
        page.fill("#reason", "to see all of the page")
        page.click("text=Show the texts")
        large = {"width": 1280, "height": 900}
        views = (
            ("light", SMALL, ("/?show=all", finding, account, "/search", "/runs", "/audit")),
            ("dark", large, ("/", finding, "/search")),
        )
        for scheme, size, addresses in views:
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size(size)
            for address in addresses:
                page.goto(address)
                page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
                width = page.evaluate("document.documentElement.scrollWidth")
                assert width <= size["width"], (address, width)
                found = axe.run(page).response["violations"]
                serious = [one for one in found if one["impact"] in ("serious", "critical")]
                assert not serious, (address, scheme, [(one["id"], one["nodes"][0]["html"]) for one in serious])
