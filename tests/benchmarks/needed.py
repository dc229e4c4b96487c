"""Why each system call is made that a delivered document costs: one line for each, in the order of its way.

The keys are those of `calls.named`: a call on a name, or, in angle brackets, on what is open under that name by then.
A call that is not in this table, or is made more often, fails the tests; so does a line whose call is no longer made.
Python makes some of these for us (poll, ioctl): they are counted like any other. Values only.
"""

from __future__ import annotations

from typing import NamedTuple


class Need(NamedTuple):
    """How often a document may cost a call, on the average, and what for."""

    times: int
    why: str


_DROPPED, _CLAIMED, _NOTE, _RECEIPT = (
    "drop/N.pdf",
    "drop/.processing/N.pdf",
    "drop/.processing/N.pdf.json",
    "drop/.processing/.receipt",
)

NEEDED = {
    f"newfstatat {_DROPPED}": Need(3, "the scan looks when it was last changed, once or twice while it waits"),
    f"openat {_DROPPED}": Need(1, "it is opened without following links"),
    f"newfstatat <{_DROPPED}>": Need(2, "is it what the scan saw? Before it is read, and before it is claimed"),
    f"fcntl <{_DROPPED}> F_SETLEASE, F_RDLCK": Need(2, "has nobody it open for writing? At the same two moments"),
    f"read <{_DROPPED}>": Need(1, "the document, whole"),
    f"fcntl <{_DROPPED}> F_GETLEASE": Need(1, "did somebody want to write while it was read?"),
    f"fcntl <{_DROPPED}> F_SETLEASE, F_UNLCK": Need(2, "a writer is no longer held up"),
    "newfstatat drop": Need(1, "is the drop folder still the one that was opened?"),
    "newfstatat drop/.processing": Need(1, "and the work folder?"),
    "newfstatat drop/done": Need(1, "and the one for what was delivered?"),
    "newfstatat drop/failed": Need(1, "and the one for what was refused?"),
    f"openat {_RECEIPT}": Need(1, "room for the receipt: what could not be recorded is not sent"),
    f"fchmod <{_RECEIPT}>": Need(1, "the group may read it, whatever the umask"),
    f"pwrite64 <{_RECEIPT}>": Need(2, "the room, and later the receipt"),
    f"newfstatat {_NOTE}": Need(1, "the claim must not meet the note of an earlier document of that name"),
    f"renameat2 {_DROPPED} → {_CLAIMED}": Need(1, "the claim, never onto another name"),
    f"newfstatat {_CLAIMED}": Need(1, "is what was claimed what was read?"),
    "fsync <drop/.processing>": Need(
        2, "the claim is on disk before anything is sent; the decision, before its note goes"
    ),
    "ioctl <socket> FIONBIO": Need(2, "urllib3 sets the time limits for sending and for the answer"),
    "poll <socket> POLLIN": Need(3, "has the API closed the connection? Is the answer there?"),
    "poll <socket> POLLOUT": Need(1, "Python waits within the time limit until it may send"),
    "sendto <socket>": Need(1, "the request, head and document in one"),
    "recvfrom <socket>": Need(1, "the answer, head and text in one"),
    f"fcntl <{_CLAIMED}> F_SETLEASE, F_RDLCK": Need(1, "does somebody write to the claimed document after all?"),
    f"newfstatat <{_CLAIMED}>": Need(1, "did somebody, while it was sent?"),
    f"fcntl <{_CLAIMED}> F_SETLEASE, F_UNLCK": Need(1, "a writer is no longer held up"),
    "newfstatat drop/done/N.pdf": Need(1, "is the name free for the document?"),
    "newfstatat drop/done/N.pdf.json": Need(1, "and for its receipt, so that both get the same number?"),
    f"ftruncate <{_RECEIPT}>": Need(1, "room that the receipt did not need is given back"),
    f"fsync <{_RECEIPT}>": Need(1, "the receipt is on disk before it counts"),
    f"renameat {_RECEIPT} → {_NOTE}": Need(1, "it becomes the note: the decision is made"),
    "openat drop/failed/N.pdf.json": Need(1, "an earlier failure's receipt of that name is out of date now"),
    f"linkat {_NOTE} → drop/done/N.pdf.json": Need(1, "the receipt under its final name, which a link never replaces"),
    f"renameat2 {_CLAIMED} → drop/done/N.pdf": Need(1, "the commit, never onto another name"),
    "fsync <drop/done>": Need(1, "the commit is on disk before the note goes"),
    f"unlinkat {_NOTE}": Need(1, "all is done, and nothing left to recover"),
    "newfstatat <drop/failed>": Need(1, "was a failure filed since, whose receipt is out of date under another name?"),
    "close <drop/.processing/N.pdf.json>": Need(1, "the receipt"),
    "close <drop/done/N.pdf>": Need(1, "the document"),
}
