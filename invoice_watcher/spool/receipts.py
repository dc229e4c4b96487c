"""Receipts and notes, read back; and which receipts in the failed folder are of no use any more.

Guarantees: no link is followed; where others may write, no receipt is believed that they may have written; only our own
receipts are ever removed. Raises OSError for what cannot be read now.
"""

from __future__ import annotations

import errno
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from invoice_watcher.escaping import encodable
from invoice_watcher.receipt import SUFFIX, Receipt, ReceiptError, decode
from invoice_watcher.spool.syscalls import exists, read_up_to

if TYPE_CHECKING:
    from invoice_watcher.spool.folders import Folder

LARGEST_RECEIPT = 64 * 1024
# What says that there is no file of ours under a name; all else is a fault of the machine.
_NO_RECEIPT = frozenset({
    errno.ENOENT, errno.ENAMETOOLONG, errno.EISDIR, errno.ELOOP, errno.ENXIO, errno.ENODEV,
})  # fmt: skip
# A receipt whose document has not followed yet looks like a stale one; nobody else may look in between.
pairing = threading.RLock()


def is_stale(name: str, folder: Folder) -> bool:
    """Tell whether under this name lies the receipt of a failed document that a person has taken out of `folder`.

    One that cannot be read is none: no invoice has to wait because of an old receipt. Nor is one that has another name
    as well: it is a note still, of another instance that files into the same folder, and its document follows in an
    instant. That is asked first, for when the note is gone the document is there.
    """
    with pairing, suppress(OSError):
        is_ours = _of_failure(name, folder) is not None
        return is_ours and not _is_note(name + SUFFIX, folder) and not _is_in_use(name, folder)
    return False


def remove_stale(name: str, folder: Folder) -> bool:
    """Remove such a receipt; False when it is none, or cannot be removed, and stays."""
    with pairing, suppress(OSError):
        if is_stale(name, folder):
            os.unlink(name + SUFFIX, dir_fd=folder.fd)
            return True
    return False


def stale_receipt(name: str, folder: Folder) -> Receipt | None:
    """Return the receipt of a failed document that a person has taken out of `folder`; None when there is none."""
    receipt = _of_failure(name, folder)
    return None if receipt is None or _is_in_use(name, folder) else receipt


def _of_failure(name: str, folder: Folder) -> Receipt | None:
    receipt = read_receipt(name + SUFFIX, folder, ours=True)
    return receipt if receipt is not None and receipt.state == "failed" and receipt.file == encodable(name) else None


def _is_note(name: str, folder: Folder) -> bool:
    """Tell whether a receipt is another instance's note as well; where there are no hard links, that cannot be seen."""
    return os.stat(name, dir_fd=folder.fd, follow_symlinks=False).st_nlink > 1


def _is_in_use(name: str, folder: Folder) -> bool:
    """Tell whether a receipt has its document beside it, or is one itself.

    People move a document back together with its receipt. That is then a document of its own, with a receipt beside it,
    which was there first.
    """
    return exists(name, folder.fd) or exists(name + SUFFIX + SUFFIX, folder.fd)


def read_receipt(name: str, folder: Folder, *, ours: bool = False, note: bool = False) -> Receipt | None:
    """Read a receipt; None when there is none, or it is not ours to read. OSError when that cannot be known now.

    Args:
        name: its name.
        folder: where it lies.
        ours: believe none that somebody else may have written, for others may write in this folder.
        note: it is in the work folder, where nobody else writes: one that may not be read is not taken for missing.
    """
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder.fd)
        try:
            found = os.fstat(fd)
            if ours and found.st_uid not in trusted(folder):
                return None
            return decode(read_up_to(fd, min(found.st_size, LARGEST_RECEIPT)))
        finally:
            os.close(fd)
    except ReceiptError:
        return None
    except OSError as error:
        if error.errno in _NO_RECEIPT or (isinstance(error, PermissionError) and not note):
            return None
        raise


def trusted(folder: Folder) -> set[int]:
    """Whose receipts are believed: this user's, root's, and the folder's owner's, who may have run this before."""
    return {os.geteuid(), 0, os.fstat(folder.fd).st_uid}
