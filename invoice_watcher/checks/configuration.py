"""What the configuration says that can be looked at by itself: its doubts, the API code's source, the status page.

Asks the file system, changes nothing, and never shows the API code. Raises nothing.
"""

from __future__ import annotations

import os
import shlex
import stat
from typing import TYPE_CHECKING

from invoice_watcher.checks.finding import Finding, fault, note, ok
from invoice_watcher.config import locate_api_code, warnings
from invoice_watcher.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from invoice_watcher.config import Config


def look_at_configuration(config: Config, path: Path) -> Iterator[Finding]:
    """Yield that it could be read, where from, and what in it deserves a word."""
    yield ok("configuration", str(path))
    for doubt in warnings(config, path):
        yield note("configuration", str(doubt))
    yield ok("API", config.api.base_url)


def look_at_api_code(config: Config, path: Path, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield where the API code was found, and who else may read it there; `path` is the configuration's."""
    try:
        found = locate_api_code(config, environ)
    except ConfigError as error:
        yield from (fault("API code", str(one)) for one in error.faults)
        return
    yield ok("API code", f"found ({found.where}{f', {found.path}' if found.path else ''})")
    holder = path if found.where == "key api.api_code" else found.path
    if holder is not None:
        yield from _readers(holder, config.drop_dir)


def _readers(holder: Path, drop: Path) -> Iterator[Finding]:
    """Yield a note when the group that may drop invoices may also read the API code."""
    try:
        code, folder = os.stat(holder), os.stat(drop)
    except OSError:
        return
    if code.st_mode & stat.S_IRGRP and folder.st_mode & stat.S_IWGRP and code.st_gid == folder.st_gid:
        text = f"whoever may drop invoices can read it: {holder} is open to the group of the drop folder"
        yield note("API code", text, f"run: chmod g= {shlex.quote(str(holder))}")


def look_at_status_page(config: Config) -> Iterator[Finding]:
    """Yield a note when the status page has no place: it would stop no invoice, but nobody would see it."""
    if config.status_page is None:
        return
    page = config.drop_dir / config.status_page
    try:
        found = os.lstat(page)
    except OSError:
        return
    if not stat.S_ISREG(found.st_mode):
        kind = "folder" if stat.S_ISDIR(found.st_mode) else "link or device"
        cure = "move it away, or give the page another name (status_page)"
        yield note("status page", f"{page} is a {kind}, so the page cannot be written there", cure)
