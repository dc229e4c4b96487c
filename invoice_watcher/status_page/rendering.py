"""The page as one HTML file that asks for nothing else: style and script lie in it, and nothing but these two may act.

The template escapes whatever it is given. What may act is named by its hash in a Content Security Policy, so that not
even a mistake in the template could let a file name do so. Raises ImportError where Jinja2 is not installed.
"""

from __future__ import annotations

import base64
import hashlib
import os
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from invoice_watcher.record import Record

if TYPE_CHECKING:
    from jinja2 import Template

    from invoice_watcher.languages import Language
    from invoice_watcher.status_page.view import View

_FOLDER = os.path.join(os.path.dirname(__file__), "templates")


class _Parts(Record, frozen=True):
    template: Template
    style: str
    script: str
    policy: str


def render(view: View, language: Language, now: float) -> str:
    """Return the page.

    Args:
        view: what it says.
        language: in which language.
        now: the moment of which it tells, seconds since the epoch.
    """
    parts = _parts()
    written = language.page.written.format(date=language.day(now), time=language.clock(now), zone=language.zone(now))
    return parts.template.render(
        view=view,
        text=language.page,
        written=written,
        written_iso=datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds"),
        policy=parts.policy,
        style=parts.style,
        script=parts.script,
    )


@cache
def _parts() -> _Parts:
    """Read the template and what goes into it, once."""
    # Only who writes a page needs Jinja2, and it takes longer to load than the rest of the program to start.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415

    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = _own("page.css"), _own("page.js")
    policy = "; ".join([
        "default-src 'none'",
        f"style-src '{_hash(style)}'",
        f"script-src '{_hash(script)}'",
        "base-uri 'none'",
        "form-action 'none'",
    ])  # fmt: skip
    return _Parts(environment.get_template("page.html"), style, script, policy)


def _own(name: str) -> str:
    with open(os.path.join(_FOLDER, name), encoding="utf-8") as file:
        return file.read()


def _hash(text: str) -> str:
    """Return how a policy names what stands between two tags (CSP Level 3, section 2.3.1)."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
