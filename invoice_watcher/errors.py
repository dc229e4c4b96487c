"""What the commands end with: the exit statuses, and every exception that carries one up to the command line.

    InvoiceWatcherError
    ├── ConfigError         the administrator's: the configuration cannot be used              78
    ├── FolderError         the administrator's: a folder is missing, split over file systems,
    │   │                   or may not be written                                              78
    │   ├── FolderLostError a folder went away, or changed identity, while the program ran     78 (a daemon waits)
    │   └── FolderUnavailableError   this machine's: the disk is full, read-only or ailing, or
    │                       too many files are open; it may pass                               75 (a daemon waits)
    ├── FolderInUseError    another instance holds the folder                                  75
    ├── ControlError        the running program cannot be asked how things stand               75
    ├── StuckError          uploads that would not end hold the folders                        75
    └── MissingExtraError   an optional part was asked for and is not installed                 2

What becomes of an *invoice* is never an exception: it is an `outcome`. What one unit raises for its callers alone
(`receipt.ReceiptError`, say) stands there. Whatever else escapes is a bug, and shows its traceback.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class ExitStatus(IntEnum):
    """The program's exit statuses; 75 and 78 are EX_TEMPFAIL and EX_CONFIG of BSD's sysexits.h."""

    OK = 0
    FAILED = 1  # an invoice was rejected, a check failed, or not all that was asked for could be done or printed
    USAGE = 2
    WAITING = 75  # nothing is wrong with what was asked for; it may do later
    CONFIG = 78


class InvoiceWatcherError(Exception):
    """Anything the program itself has to say about why it cannot go on; its text is a sentence for people."""

    exit_status = ExitStatus.CONFIG


class ConfigFault(NamedTuple):
    """One thing wrong with a configuration.

    Attributes:
        where: file and line, `config.yaml:12`, or the file alone.
        key: the dotted key, `settle.quiet`; empty when the fault is the file's as a whole.
        text: what is wrong and what would be right; never holds the value of a secret.
    """

    where: str
    key: str
    text: str

    def __str__(self) -> str:
        return ": ".join(part for part in self if part)


class ConfigError(InvoiceWatcherError):
    """The configuration cannot be used. Carries every fault found, not only the first."""

    def __init__(self, faults: Sequence[ConfigFault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


class FolderError(InvoiceWatcherError):
    """A folder cannot serve: it is missing, is no folder, lies on another file system, or denies a rename."""


class FolderLostError(FolderError):
    """A folder that was there at the start is gone, is closed to us, or another one stands in its place."""


class FolderUnavailableError(FolderError):
    """The folders are the right ones, but cannot be used now; trying again later may do."""

    exit_status = ExitStatus.WAITING


class FolderInUseError(InvoiceWatcherError):
    """Another instance works on this folder, whether by the same path or another."""

    exit_status = ExitStatus.WAITING


class ControlError(InvoiceWatcherError):
    """The running program may not be asked by this user, or does not answer."""

    exit_status = ExitStatus.WAITING


class StuckError(InvoiceWatcherError):
    """A worker waits for a disk that does not answer, and still holds the folders: only a new process can go on."""

    exit_status = ExitStatus.WAITING

    def __init__(self) -> None:
        super().__init__("an upload could not be ended, and holds the folders; start the program anew")


class MissingExtraError(InvoiceWatcherError):
    """An optional part of the program was asked for, and the package it needs is not installed."""

    exit_status = ExitStatus.USAGE
