"""Where the control socket lies: found by those who ask, and nowhere where a stranger could have put it."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest

from invoice_watcher.control import rendezvous
from invoice_watcher.control.rendezvous import make_folder, places, places_of_instances
from tests.support.children import NOBODY, in_child, needs_root

STRANGER = 200_000 + os.getpid()  # nobody's; the name of the folder in /tmp is made of it


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give an environment that says nothing."""
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)


def test_systemds_directory_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under systemd the socket lies in the first runtime directory of the unit."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/run/one:/run/two")
    found = list(places(tmp_path))
    assert found[0].parent == Path("/run/one")
    assert found[1].parent == Path("/run/invoice-watcher")


def test_one_folder_by_two_paths(tmp_path: Path) -> None:
    """Whoever reaches the drop folder by a link finds the same socket; another folder has another one."""
    drop, alias = tmp_path / "drop", tmp_path / "alias"
    drop.mkdir()
    alias.symlink_to(drop)
    assert list(places(alias)) == list(places(drop))
    assert not set(places(tmp_path)) & set(places(drop))


def test_a_path_that_is_too_long_for_a_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long runtime directory is passed over; the kernel takes 107 bytes (unix(7))."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/run/" + "x" * 100)
    assert all(len(os.fsencode(path)) <= 107 for path in places(tmp_path))
    assert next(places(tmp_path)).parent == Path("/run/invoice-watcher")


@needs_root
def test_the_session_of_somebody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`su` leaves the caller's runtime directory in the environment: nothing there is believed."""
    with tempfile.TemporaryDirectory(prefix="iw-") as session:
        monkeypatch.setenv("XDG_RUNTIME_DIR", session)
        own = Path(session) / "invoice-watcher"
        assert own in {path.parent for path in places(tmp_path)}
        os.chown(session, NOBODY, NOBODY)
        assert own not in {path.parent for path in places(tmp_path)}


@needs_root
def test_a_folder_in_tmp_that_a_stranger_made(tmp_path: Path) -> None:
    """Everybody may make a folder in /tmp under our name: such a one is neither used nor asked."""
    private = Path(f"/tmp/invoice-watcher-{STRANGER}")  # noqa: S108 - the very name

    def mine() -> bool:
        return private in {path.parent for path in places(tmp_path)}

    assert in_child(mine, uid=STRANGER)
    private.mkdir()
    try:
        os.chown(private, NOBODY, NOBODY)
        assert not in_child(mine, uid=STRANGER)
        os.chown(private, STRANGER, STRANGER)
        assert in_child(mine, uid=STRANGER)
        private.chmod(0o777)
        assert not in_child(mine, uid=STRANGER)
        with pytest.raises(PermissionError):
            make_folder(private)
    finally:
        private.rmdir()


def test_a_new_folder_is_shut_to_others(tmp_path: Path) -> None:
    """A folder that is made for the socket is this user's alone."""
    make_folder(tmp_path / "new")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


@needs_root
def test_an_instance(tmp_path: Path) -> None:
    """`invoice-watcher@NAME.service` has a folder of its own in the runtime directory, and is found there."""
    folder = Path(f"/run/invoice-watcher/test-{os.getpid()}")
    folder.mkdir(parents=True)
    try:
        assert folder in {path.parent for path in places_of_instances(tmp_path)}
    finally:
        folder.rmdir()


@needs_root
def test_a_folder_for_temporary_files_that_is_shut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where this user may not even look into /tmp, the service starts, and `status` answers, all the same."""
    shut = tmp_path / "tmp"
    shut.mkdir(mode=0o700)
    monkeypatch.setattr(rendezvous, "_EVERYBODYS", shut)
    assert Path("/run/invoice-watcher") in in_child(lambda: [path.parent for path in places(tmp_path)], uid=STRANGER)
