"""Makes the pictures of the status page that README.md shows: `python -m tests.browser.screenshots`.

They are pictures of real pages in a real browser, of one fixed day, so that they only change when the page does. Needs
Chromium, and pngquant to make them small.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.browser.chromium import Browser, Tab
from tests.status_page.cases import page, trouble

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path(__file__).with_name("screenshots")
LARGEST = 100_000
# How each page is made, the window, and how many pixels there are to a point.
_PICTURES: dict[str, tuple[Callable[[], str], tuple[int, int], float]] = {
    "all-well.png": (page, (1000, 560), 1),
    "trouble.png": (trouble, (1000, 1180), 1),
    "phone-de.png": (lambda: trouble("de"), (360, 1530), 1.5),
}


def make(browser: Browser, name: str) -> None:
    """Make one picture, as small as can be."""
    written, (width, height), scale = _PICTURES[name]
    picture = FOLDER / name
    with tempfile.TemporaryDirectory() as folder, Tab(browser, width, height, scale) as tab:
        path = Path(folder) / "status.html"
        path.write_text(written(), encoding="utf-8")
        tab.prefer("light")
        tab.disable_scripts()  # by this device's clock, the pages are out of date
        tab.open(path)
        picture.write_bytes(tab.picture(whole=False))
    subprocess.run(["pngquant", "--force", "--strip", "--ext", ".png", "64", picture], check=True)
    assert picture.stat().st_size < LARGEST, f"{name} is too large"


def main() -> None:
    """Make them all."""
    FOLDER.mkdir(exist_ok=True)
    with Browser() as browser:
        for name in _PICTURES:
            make(browser, name)


if __name__ == "__main__":
    os.environ["TZ"] = "Europe/Berlin"
    time.tzset()
    main()
