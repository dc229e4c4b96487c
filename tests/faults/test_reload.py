"""The configuration is broken when the running program is told to read it anew, in every way by turns."""

from __future__ import annotations

import os
import signal
from functools import partial
from typing import TYPE_CHECKING

from tests.integration.place import pdf
from tests.integration.program import API_CODE, lines_with, until
from tests.integration.test_configuration import BROKEN, FAULTY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.stand_in import StandIn

_REFUSED = "the new configuration is not used"


def _breakages(place: Place) -> Iterator[Callable[[], object]]:
    """Yield what puts something else in the place of the configuration, where nothing is."""
    path = place.config
    for text in (*BROKEN.values(), FAULTY, "drop_dir: [" * 5000, "a: 1\n" * 20_000):
        raw = text.replace("{secret}", API_CODE).encode("utf-8", "surrogateescape")
        yield partial(path.write_bytes, raw)
    yield lambda: None
    yield path.mkdir
    yield lambda: path.symlink_to(path)
    yield lambda: path.symlink_to("/dev/zero")
    yield lambda: path.symlink_to("/proc/self/mem")
    yield lambda: os.mkfifo(path)


def test_every_broken_configuration_is_refused(api: StandIn, place: Place, start: Start) -> None:
    """SIGHUP with whatever stands there: said aloud, without the API code; the old configuration stays at work."""
    daemon = start()
    good = place.config.read_text(encoding="utf-8")
    for number, breaks in enumerate(_breakages(place)):
        told = len(lines_with(_REFUSED, daemon.lines))
        _remove(place)
        breaks()
        daemon.send(signal.SIGHUP)
        until(lambda: len(lines_with(_REFUSED, daemon.lines)) > told, f"a refusal of number {number}")  # noqa: B023
        place.put(f"{number}.pdf", pdf())
        place.until_done(f"{number}.pdf")
    _remove(place)
    place.write_config(good)
    daemon.send(signal.SIGHUP)
    daemon.says("was read anew")
    assert daemon.stop() == 0


def _remove(place: Place) -> None:
    if place.config.is_dir() and not place.config.is_symlink():
        place.config.rmdir()
    else:
        place.config.unlink(missing_ok=True)
