"""The status page in a real browser: on a phone and on a desktop, with hostile texts, without scripts, out of date."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from invoice_watcher.standing import Sent
from invoice_watcher.status_page.rendering import _hash
from tests.browser.chromium import Tab
from tests.status_page.cases import at, failed, page, paused, standing, trouble, waiter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.browser.chromium import Browser

PHONE, NARROW, DESKTOP = (360, 740), (320, 640), (1280, 800)
pytestmark = pytest.mark.usefixtures("berlin")

NAMES = [
    "<script>alert('name')</script>.pdf",
    '"><img src=x onerror="alert(\'image\')">.pdf',
    "</style></script><style>*{display:none}</style>.pdf",
    "<meta http-equiv=refresh content='0;url=http://127.0.0.1:9/'>.pdf",
    "javascript:alert(1)//.pdf",
    "new\nline\ttab\x1b[31m\x00.pdf",
    "\u202efdp.54321.pdf",
    "\u2066\u200f\u05d0\u05d1\u05d2 \u0627\u0644\u0641\u0627\u062a\u0648\u0631\u0629.pdf",
    "\\xff\\xfe.pdf",
    "W" * 251 + ".pdf",
    "\u00fc" * 125 + ".pdf",
    "   two   blanks   .pdf",
]

# What is wider than its box, sticks out of the window, or lies over its neighbour.
OVERFLOW = """(() => {
  const wrong = [];
  for (const one of document.querySelectorAll("body *")) {
    const box = one.getBoundingClientRect();
    if (!box.width || one.closest("thead") || one.closest("svg")) continue;
    if (box.right > innerWidth + 0.5 || box.left < -0.5) wrong.push(["out of the window", one.outerHTML.slice(0, 80)]);
    if (one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).display !== "inline")
      wrong.push(["cut off", one.outerHTML.slice(0, 80)]);
  }
  const texts = [...document.querySelectorAll("h1, h2, h3, p, dt, dd, td")].filter(one => !one.querySelector("p"));
  const boxes = texts.map(one => [one, one.getBoundingClientRect()]).filter(([, box]) => box.width && box.height);
  for (let i = 0; i < boxes.length; i++) for (let j = i + 1; j < boxes.length; j++) {
    const [a, b] = [boxes[i][1], boxes[j][1]];
    if (boxes[i][0].contains(boxes[j][0]) || boxes[j][0].contains(boxes[i][0])) continue;
    if (a.left + 1 < b.right && b.left + 1 < a.right && a.top + 1 < b.bottom && b.top + 1 < a.bottom)
      wrong.push(["overlap", boxes[i][0].outerHTML.slice(0, 80), boxes[j][0].outerHTML.slice(0, 80)]);
  }
  if (document.documentElement.scrollWidth > innerWidth) wrong.push(["scrolls", document.documentElement.scrollWidth]);
  return wrong;
})()"""


def hostile(language: str = "en") -> str:
    """Return a page on which every text from outside is an attack, or as long as can be."""
    now = time.time()
    fails = [failed(name, "brand_new", name * 3, order=name, now=now, hint=name) for name in NAMES]
    files = tuple(waiter(name, now, state="settling", text=name * 2) for name in NAMES)
    recent = tuple(Sent(at(i, now), name, name) for i, name in enumerate(NAMES[-10:]))
    pause = paused("brand_new", "".join(NAMES), "operator", now)
    told = standing(now, drop_dir=NAMES[0], waiting=999_999, files=files, recent=recent, pause=pause)
    return page(language, told, fails, 1_000_000, now=now)


def well(language: str = "en") -> str:
    """Return a page of this moment on which all is well."""
    now = time.time()
    return page(language, standing(now), now=now)


def of_now(language: str = "en") -> str:
    """Return a page of this moment on a bad day."""
    return trouble(language, time.time())


def stopped(language: str = "en") -> str:
    """Return the last page of a service that was stopped an hour ago."""
    now = time.time() - 3600
    return page(language, standing(now, is_over=True), now=now)


def old(language: str = "en") -> str:
    """Return a page that was written six minutes ago."""
    return trouble(language, time.time() - 360)


@pytest.fixture
def put(tmp_path: Path) -> Callable[[str], Path]:
    """Write a page into a folder."""

    def put(html: str) -> Path:
        path = tmp_path / "status.html"
        path.write_text(html, encoding="utf-8")
        return path

    return put


def assert_quiet(tab: Tab, path: Path) -> None:
    """See that the page asked for nothing but itself, and that the browser had nothing to refuse or to complain of."""
    assert tab.requests() == [path.as_uri()]
    assert tab.complaints() == []


def open_next(tab: Tab, path: Path) -> bool:
    """Open the page that was written just now; tell whether it could know what the last one stored.

    Now and then the browser has not stored it yet when the next page follows at once: then it can know nothing.
    """
    source = "window.couldKnow = sessionStorage.length > 0"
    script = tab.call("Page.addScriptToEvaluateOnNewDocument", source=source)["identifier"]
    tab.open(path)
    tab.call("Page.removeScriptToEvaluateOnNewDocument", identifier=script)
    return bool(tab.evaluate("window.couldKnow"))


def is_shown(tab: Tab, which: str) -> bool:
    """Tell whether a part of the page is to be seen."""
    return bool(tab.evaluate(f"document.querySelector({json.dumps(which)}).getBoundingClientRect().height > 0"))


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("size", [PHONE, NARROW, DESKTOP], ids=["phone", "narrow", "desktop"])
@pytest.mark.parametrize("make", [well, of_now, hostile, old, stopped])
def test_everything_has_its_place(
    browser: Browser, put: Callable[[str], Path], make: Callable[[str], str], size: tuple[int, int], language: str
) -> None:
    """On a phone, a narrow one, and a desktop: nothing is cut off, covered, or reached by scrolling sideways only."""
    path = put(make(language))
    with Tab(browser, *size) as tab:
        tab.open(path)
        assert tab.evaluate(OVERFLOW) == []
        assert_quiet(tab, path)


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_hostile_texts_are_shown_as_texts(browser: Browser, put: Callable[[str], Path], size: tuple[int, int]) -> None:
    """Markup, scripts, bidi overrides and control characters in names and messages: all is read, none acts."""
    path = put(hostile())
    with Tab(browser, *size) as tab:
        tab.open(path)
        text = tab.evaluate("document.body.innerText")
        for name in NAMES[:5]:
            assert name in text
        assert "\\u202efdp.54321.pdf" in text
        assert "new\\nline\\ttab\\x1b[31m\\x00.pdf" in text
        assert not set("\u202e\u2066\u200f\x1b\x00") & set(text)
        assert tab.evaluate("document.images.length + document.scripts.length + document.styleSheets.length") == 2
        assert_quiet(tab, path)


def test_the_policy_is_in_force(browser: Browser, put: Callable[[str], Path]) -> None:
    """Were a tag to slip through, it could do nothing: the browser refuses what the policy does not name."""
    smuggled = "<script>document.title = 'owned'</script><img src='file:///etc/hostname'><p style='color: red'>x</p>"
    path = put(well().replace("</main>", f"{smuggled}</main>"))
    with Tab(browser) as tab:
        tab.open(path)
        assert tab.evaluate("document.title").startswith("All is well")
        assert len([one for one in tab.complaints() if "Content Security Policy" in one]) >= 3


def test_a_page_of_now_is_believed(browser: Browser, put: Callable[[str], Path]) -> None:
    """No banner stands over a page that is renewed."""
    path = put(of_now())
    with Tab(browser) as tab:
        tab.open(path)
        assert not is_shown(tab, "#stale")
        assert not tab.evaluate("document.documentElement.classList.contains('is-stale')")


def test_a_page_that_is_out_of_date_says_so(browser: Browser, put: Callable[[str], Path]) -> None:
    """Six minutes old: a banner says so, by this device's clock, and what it said before is struck out."""
    path = put(old())
    with Tab(browser, *PHONE) as tab:
        tab.open(path)
        assert is_shown(tab, "#stale")
        assert "According to this device's clock" in tab.evaluate("document.getElementById('stale').innerText")
        assert "line-through" in tab.evaluate("getComputedStyle(document.getElementById('state')).textDecoration")
        assert_quiet(tab, path)


def test_a_page_grows_old_while_it_is_open(browser: Browser, put: Callable[[str], Path]) -> None:
    """Five minutes pass on the reader's clock, and the banner appears without a reload."""
    path = put(of_now())
    with Tab(browser) as tab:
        tab.open(path)
        tab.evaluate("Date.now = (now => () => now() + 301000)(Date.now)")
        tab.evaluate(
            "new Promise(done => { const look = () => document.getElementById('stale').hidden"
            " ? setTimeout(look, 50) : done(); look() })"
        )
        assert is_shown(tab, "#stale")


def test_the_page_of_a_stopped_service_does_not_grow_old(browser: Browser, put: Callable[[str], Path]) -> None:
    """It says that the service was stopped, and that stays true."""
    path = put(stopped())
    with Tab(browser) as tab:
        tab.open(path)
        assert not is_shown(tab, "#stale")


def test_a_clock_that_is_ahead_is_found_out(browser: Browser, put: Callable[[str], Path]) -> None:
    """The device's clock is an hour ahead: once the page was renewed under its eyes, it is believed; later not."""
    ahead = time.time() - 3600
    path = put(trouble(now=ahead))
    with Tab(browser) as tab:
        tab.open(path)
        assert is_shown(tab, "#stale")
        assert any(open_next(tab, put(trouble(now=ahead + renewed))) for renewed in range(60, 300, 60))
        assert not is_shown(tab, "#stale")
        put(trouble(now=ahead - 400))
        tab.open(path)
        assert is_shown(tab, "#stale")


def test_a_clock_that_is_behind_is_found_out(browser: Browser, put: Callable[[str], Path]) -> None:
    """The page comes from the device's future: its age is counted from when it was seen first."""
    path = put(trouble(now=time.time() + 3600))
    with Tab(browser) as tab:
        tab.open(path)
        assert not is_shown(tab, "#stale")
        assert any(open_next(tab, put(trouble(now=time.time() + 3600 - 400 * step))) for step in range(1, 5))
        assert is_shown(tab, "#stale")


def test_the_page_is_whole_without_scripts(browser: Browser, put: Callable[[str], Path]) -> None:
    """Scripts switched off, as some offices do: all of it is there, in words, and the browser reloads it by itself."""
    path = put(of_now())
    with Tab(browser, *PHONE) as tab:
        tab.disable_scripts()
        tab.open(path)
        document = tab.call("DOM.getDocument", depth=-1)["root"]
        text = json.dumps(document, ensure_ascii=False)
        for words in ("Paused: the administrator is needed", "five minutes ago", "48213.pdf", "Renewed every minute"):
            assert words in text
        assert '"http-equiv", "refresh", "content", "30"' in text
        assert_quiet(tab, path)


def hurried(html: str) -> str:
    """Return a page that reloads itself five times a second, and may."""

    def script(page: str) -> str:
        return page.partition("<script>")[2].partition("</script>")[0]

    changed = html.replace("30 * 1000", "200")
    return changed.replace(_hash(script(html)), _hash(script(changed)))


def test_the_page_reloads_itself(browser: Browser, put: Callable[[str], Path]) -> None:
    """A reader who leaves the page open sees what is new; while text is marked, it is left alone."""
    html = hurried(well())
    path = put(html)
    with Tab(browser) as tab:
        tab.open(path)
        put(html.replace("All is well", "All is new"))
        tab.reads("All is new")
        tab.evaluate("getSelection().selectAllChildren(document.body)")
        put(html.replace("All is well", "All is newer"))
        tab.evaluate("new Promise(done => setTimeout(done, 700))")
        assert "All is newer" not in tab.evaluate("document.title")
        tab.evaluate("getSelection().removeAllRanges()")
        tab.reads("All is newer")


@pytest.mark.parametrize("make", [well, of_now, hostile])
def test_the_page_can_be_printed(browser: Browser, put: Callable[[str], Path], make: Callable[[str], str]) -> None:
    """On paper it is black on white, without what only a screen needs, and nothing is lost at the edges."""
    path = put(make("de"))
    with Tab(browser, 794, 1123) as tab:
        tab.prefer("dark", media="print")
        tab.open(path)
        assert tab.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
        assert tab.evaluate(OVERFLOW) == []
        assert tab.printed().startswith(b"%PDF-")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("make", [well, of_now, hostile, old, stopped])
def test_everybody_can_use_it(  # noqa: PLR0913, PLR0917 - each is a case of its own
    browser: Browser,
    axe: str,
    put: Callable[[str], Path],
    make: Callable[[str], str],
    size: tuple[int, int],
    language: str,
    scheme: str,
) -> None:
    """axe-core finds nothing: contrast, structure, names and roles are fit for all, in either colour scheme."""
    path = put(make(language))
    with Tab(browser, *size) as tab:
        tab.prefer(scheme)
        tab.open(path)
        tab.evaluate(axe + "; undefined")
        found: dict[str, Any] = tab.evaluate("axe.run(document, {resultTypes: ['violations']})")
        wrong = [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found["violations"]]
        assert wrong == []
        assert found["testEngine"]["name"] == "axe-core"
