"""The page as HTML: one whole file, in which nothing may act but its own style and script."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from invoice_watcher.languages import TAGS
from invoice_watcher.standing import Sent
from tests.status_page.cases import at, failed, page, paused, standing, trouble, waiter

BAD = """<script>alert(1)</script>'"><img src=x onerror=alert(2)>&lt;{{ 7*7 }}</style></script><!--"""


class Tags(HTMLParser):
    """Takes down the tags, their attributes, and the text of a page; every tag must be closed in its turn."""

    _VOID = ("meta", "br", "path", "circle")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take it down."""
        self.tags.append((tag, dict(attrs)))
        if tag not in self._VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take it down."""
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """See that it is the one that was opened last."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Gather the text, but for style and script."""
        if self._open and self._open[-1] not in {"style", "script"}:
            self.text += data


@pytest.fixture(params=TAGS)
def language(request: pytest.FixtureRequest) -> str:
    """Give each language."""
    return str(request.param)


def hostile(language: str) -> str:
    """Return a page on which everything that comes from outside is an attack."""
    fails = [failed(BAD, "brand_new", BAD, order=BAD, hint=BAD), failed(BAD, "empty", BAD, order=BAD)]
    files = (waiter(BAD, state="behind", behind=BAD), waiter(BAD, state="settling", text=BAD))
    told = standing(
        program=BAD,
        drop_dir=BAD,
        waiting=2,
        files=files,
        pause=paused("brand_new", BAD, "operator"),
        recent=(Sent(at(1), BAD, BAD),),
        left_alone=(BAD,),
    )
    return page(language, told, fails)


def test_nothing_from_outside_becomes_markup(language: str) -> None:
    """`<script>` in a file name, a message, a path: it is shown as it is, and is a text like any other."""
    bad, good = Tags(hostile(language)), Tags(trouble(language))
    assert bad.text.count(BAD) >= 10
    assert {tag for tag, _ in bad.tags} == {tag for tag, _ in good.tags}
    assert {name for _, attributes in bad.tags for name in attributes} <= {
        name for _, attributes in good.tags for name in attributes
    }
    assert "49" not in bad.text.replace("149", "")


def test_the_policy_names_exactly_what_may_act(language: str) -> None:
    """The Content Security Policy allows this one style and this one script, by their hashes, and nothing else."""
    html = page(language)
    policy = next(one["content"] for tag, one in Tags(html).tags if one.get("http-equiv") == "Content-Security-Policy")
    hashes = {
        tag: base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()
        for tag in ("style", "script")
        if (found := re.search(f"<{tag}>(.*?)</{tag}>", html, re.DOTALL))
    }
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{hashes['style']}'; script-src 'sha256-{hashes['script']}'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert html.index("Content-Security-Policy") < html.index("<style>")


def test_the_page_asks_for_nothing(language: str) -> None:
    """The page is one file: no link, image, form, style or script in an attribute, nor another place's address."""
    html = trouble(language)
    tags = Tags(html).tags
    assert not {tag for tag, _ in tags} & {"link", "img", "a", "form", "iframe", "object", "base"}
    names = {name for _, attributes in tags for name in attributes}
    assert not {name for name in names if name in {"src", "href", "style", "action"} or name.startswith("on")}
    assert "://" not in html


def test_the_page_is_marked_up_for_everyone(language: str) -> None:
    """The page tells its language, has one main heading, no level left out, and named columns; icons are silent."""
    tags = Tags(trouble(language)).tags
    assert ("html", {"lang": language}) in tags
    levels = [int(tag[1]) for tag, _ in tags if re.fullmatch("h[1-6]", tag)]
    assert (levels[0], levels.count(1)) == (1, 1)
    assert len(levels) > 1
    assert all(deeper <= level + 1 for level, deeper in pairwise(levels)), "no level is left out"
    assert {one.get("scope") for tag, one in tags if tag == "th"} == {"col"}
    assert {one.get("aria-hidden") for tag, one in tags if tag == "svg"} == {"true"}


def test_the_page_says_in_words_when_it_is_out_of_date() -> None:
    """Without any script a reader sees when it was written, in which zone, and what it means if that is long ago."""
    text = " ".join(Tags(page()).text.split())
    assert re.search(r"Written on 24 Nov 2026 at \d\d:\d\d \(.*UTC.*\)\. Renewed every minute while the service", text)
    assert "if that is more than five minutes ago, the service is not running: tell the administrator" in text


def test_the_last_page_does_not_ask_for_renewal() -> None:
    """A page that says that the service was stopped stays true, and says that it is the last one."""
    html = page(told=standing(is_over=True))
    text = " ".join(Tags(html).text.split())
    assert "The service was stopped" in text
    assert "This is the last page that the service wrote" in text
    assert "Renewed every minute" not in text
    assert 'data-last="yes"' in html


def test_a_browser_without_scripts_reloads_it() -> None:
    """The page shows itself anew every half minute, with or without scripts."""
    assert '<noscript><meta http-equiv="refresh" content="30"></noscript>' in page()
