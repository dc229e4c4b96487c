"""A browser for all tests of this folder; without one they are skipped."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.chromium import PROGRAM, Browser

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start Chromium."""
    if PROGRAM is None:
        pytest.skip("there is no Chromium; as root: apt-get install chromium, or make test-browser")
    with Browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def axe() -> str:
    """Return the script of axe-core, which finds what people with disabilities would stumble over."""
    package = importlib.util.find_spec("axe_playwright_python")
    if package is None or package.origin is None:
        pytest.skip("there is no axe-core; pip install --no-deps axe-playwright-python, or make test-browser")
    return Path(package.origin).with_name("axe.min.js").read_text(encoding="utf-8")
