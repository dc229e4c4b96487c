"""What stays wrong is said aloud; what is wrong for a moment is not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from invoice_watcher.complaints import MOST_REMEMBERED, Complaints

if TYPE_CHECKING:
    import pytest

HOUR, DAY = 3600, 86_400


def heard(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Give the warnings so far."""
    return [record.getMessage() for record in caplog.records]


def test_a_moment_is_nobodys_business(caplog: pytest.LogCaptureFixture) -> None:
    """A file that is open for writing while it is copied for half a minute is not complained of in the log."""
    complaints = Complaints(gap=60)
    for second in range(59):
        complaints.about("1.pdf", "is still open", second)
    assert heard(caplog) == []


def test_what_lasts_is_said_once_a_day(caplog: pytest.LogCaptureFixture) -> None:
    """A file forgotten open in a program for two days: three lines in the log, not one a second."""
    complaints = Complaints(gap=60)
    for moment in range(0, 2 * DAY + HOUR, 30):
        complaints.about("1.pdf", "is still open", moment)
    assert heard(caplog) == ["1.pdf is still open"] * 3


def test_reasons_that_take_turns_do_not_hide_one_another(caplog: pytest.LogCaptureFixture) -> None:
    """A file that is written to now and then, and open now and then, is named in the log all the same."""
    complaints = Complaints(gap=60)
    for moment in range(0, HOUR, 10):
        complaints.about("1.pdf", "is still open" if moment % 20 else "keeps changing", moment)
    assert sorted(heard(caplog)) == ["1.pdf is still open", "1.pdf keeps changing"]


def test_what_only_a_person_can_mend_is_said_at_once(caplog: pytest.LogCaptureFixture) -> None:
    """A FIFO in the drop folder is named at the first look."""
    Complaints(gap=60).about("pipe.pdf", "is no regular file", 0, 0.0)
    assert heard(caplog) == ["pipe.pdf is no regular file"]


def test_what_was_mended_begins_anew(caplog: pytest.LogCaptureFixture) -> None:
    """Another file of a name that was complained of, an hour later, is given the same patience."""
    complaints = Complaints(gap=60)
    complaints.about("1.pdf", "is still open", 0)
    complaints.about("1.pdf", "is still open", HOUR)
    complaints.about("1.pdf", "is still open", HOUR + 30)
    assert heard(caplog) == []
    complaints.about("1.pdf", "is still open", HOUR + 60)
    assert heard(caplog) == ["1.pdf is still open"]


def test_memory_is_bounded_and_frees_itself(caplog: pytest.LogCaptureFixture) -> None:
    """A flood of oddly named things fills no memory, and once it is over the next one is named again."""
    complaints = Complaints(gap=60)
    for number in range(MOST_REMEMBERED + 5):
        complaints.about(f"pipe {number}", "is no regular file", DAY, 0.0)
    assert len(heard(caplog)) == MOST_REMEMBERED
    for number in (7, 8):
        complaints.about(f"pipe {number}", "is no regular file", DAY + number, 0.0)
    complaints.about("later", "is no regular file", DAY + 67, 0.0)
    assert heard(caplog)[-1] == "later is no regular file"
    assert set(complaints._matters) == {"pipe 7", "pipe 8", "later"}, "what is still wrong is not forgotten"


def test_names_are_escaped(caplog: pytest.LogCaptureFixture) -> None:
    """A name from outside cannot move the cursor of whoever reads the log."""
    Complaints(gap=60).about("\x1b[2J.pdf", "is no regular file", 0, 0.0)
    assert "\x1b" not in heard(caplog)[0]


def test_a_name_that_is_used_again_and_again_is_not_complained_of(caplog: pytest.LogCaptureFixture) -> None:
    """The same name dropped anew every half minute, and delivered each time, is nothing to warn of."""
    complaints = Complaints(gap=60)
    for moment in range(0, HOUR, 30):
        complaints.about("daily.pdf", "keeps changing", moment)
        complaints.over("daily.pdf")
        complaints.over("of which nothing was known.pdf")
    assert heard(caplog) == []


def test_a_flood_beyond_the_memory_costs_no_more_than_it_brings(caplog: pytest.LogCaptureFixture) -> None:
    """A bulk copy of twice as many files as are remembered: the second half is as cheap as the first."""
    caplog.set_level("ERROR")
    complaints = Complaints(gap=60)
    took = []
    for half in ("first", "second"):
        began = time.thread_time()
        for number in range(MOST_REMEMBERED):
            complaints.about(f"{half} {number}.pdf", "keeps changing", 0)
        took.append(time.thread_time() - began)
    assert took[1] < 20 * took[0]
