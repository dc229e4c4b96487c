"""The page's file: whole, in its own folder, through no link, and readable for whoever sees its name."""

from __future__ import annotations

import errno
import os
import stat
import threading
from typing import TYPE_CHECKING

import pytest

from invoice_watcher.naming import PAGE_IN_WRITING
from invoice_watcher.status_page.sheet import Sheet
from tests.support.children import needs_root

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    """Make a drop folder as the package does."""
    (tmp_path / "drop").mkdir()
    (tmp_path / "drop").chmod(0o2770)
    return tmp_path / "drop"


def test_a_page_is_replaced(drop: Path) -> None:
    """The second page stands in the place of the first, and nothing else is left."""
    sheet = Sheet(drop, "status.html")
    assert sheet.write("one")
    assert sheet.write("zwei: ü")
    assert (drop / "status.html").read_text(encoding="utf-8") == "zwei: ü"
    assert os.listdir(drop) == ["status.html"]


def test_a_reader_never_sees_half_a_page(drop: Path) -> None:
    """Whoever opens the page at any moment reads a whole one."""
    sheet, pages = Sheet(drop, "status.html"), {letter * 300_000 for letter in "abc"}
    sheet.write("a" * 300_000)
    over = threading.Event()

    def write() -> None:
        for page in sorted(pages) * 30:
            sheet.write(page)
        over.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not over.is_set():
        assert (drop / "status.html").read_text() in pages
    writer.join()


@pytest.mark.parametrize(("folder", "page"), [(0o2770, 0o640), (0o775, 0o644), (0o700, 0o600)])
def test_who_may_list_the_folder_may_read_the_page(drop: Path, folder: int, page: int) -> None:
    """Clerks reach the folder by its group, or as others: just so they reach the page, whatever the umask is."""
    drop.chmod(folder)
    umask = os.umask(0o077)
    try:
        Sheet(drop, "status.html").write("x")
    finally:
        os.umask(umask)
    assert stat.S_IMODE((drop / "status.html").stat().st_mode) == page


@needs_root
def test_the_page_belongs_to_the_folders_group(drop: Path) -> None:
    """A folder that is not set-group-ID: its group can read the page all the same."""
    os.chown(drop, -1, 12345)
    drop.chmod(0o770)
    Sheet(drop, "status.html").write("x")
    assert (drop / "status.html").stat().st_gid == 12345


def test_a_link_is_replaced_and_not_followed(drop: Path, tmp_path: Path) -> None:
    """A link that somebody laid under either name leads nothing anywhere."""
    secret = tmp_path / "secret"
    secret.write_text("untouched")
    (drop / "status.html").symlink_to(secret)
    (drop / PAGE_IN_WRITING).symlink_to(secret)
    Sheet(drop, "status.html").write("x")
    assert secret.read_text() == "untouched"
    assert (drop / "status.html").is_file()
    assert not (drop / "status.html").is_symlink()


def test_a_folder_of_that_name_stays(drop: Path) -> None:
    """Somebody's folder is never removed for a page; the error says what is in the way, and no litter is left."""
    (drop / "status.html").mkdir()
    with pytest.raises(IsADirectoryError):
        Sheet(drop, "status.html").write("x")
    assert os.listdir(drop) == ["status.html"]


def test_another_folder_in_its_place_gets_no_page(drop: Path, tmp_path: Path) -> None:
    """The folder was replaced, or its disk went away and left a bare mount point: nothing is written there."""
    sheet = Sheet(drop, "status.html")
    drop.rename(tmp_path / "moved")
    assert not sheet.write("x")
    drop.mkdir()
    assert not sheet.write("x")
    sheet.remove()
    assert os.listdir(drop) == os.listdir(tmp_path / "moved") == []


def test_the_page_keeps_no_disk_in_use(drop: Path) -> None:
    """Between two pages no file of the folder is open, so it can be unmounted."""
    before = os.listdir("/proc/self/fd")
    sheet = Sheet(drop, "status.html")
    sheet.write("x")
    assert os.listdir("/proc/self/fd") == before


def test_only_the_own_page_is_removed(drop: Path) -> None:
    """When there is to be no page, the one that was written goes; what somebody put in its place stays."""
    sheet = Sheet(drop, "status.html")
    sheet.remove()
    sheet.write("x")
    sheet.remove()
    assert os.listdir(drop) == []
    sheet.write("x")
    (drop / "theirs").write_text("theirs")
    (drop / "theirs").rename(drop / "status.html")
    sheet.remove()
    assert (drop / "status.html").read_text() == "theirs"


def test_a_name_of_255_bytes(drop: Path) -> None:
    """A page's name may be as long as a name can be."""
    name = "ü" * 125 + ".html"
    Sheet(drop, name).write("x")
    assert os.listdir(drop) == [name]


def test_a_full_disk_keeps_the_old_page(drop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be written whole is not written: the old page stays, and nothing beside it."""
    sheet = Sheet(drop, "status.html")
    sheet.write("old")

    def rename(*_args: object, **_kwargs: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", rename)
        with pytest.raises(OSError, match="No space"):
            sheet.write("new")
    assert (drop / "status.html").read_text() == "old"
    assert os.listdir(drop) == ["status.html"]
