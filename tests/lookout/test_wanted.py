"""What is worth a look, and when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from invoice_watcher.lookout.wanted import MOST_NAMES, NEVER, Wanted

moments = st.integers(0, 20).map(float)
wishes = st.lists(st.tuples(st.sampled_from("abcdef"), moments), max_size=30)


@given(wishes, moments)
def test_whatever_was_wanted_comes_due(wished: list[tuple[str, float]], now: float) -> None:
    """A name is looked at once, at the first moment for which it was wanted, and not later."""
    wanted = Wanted()
    for name, moment in wished:
        wanted.name(name, moment)
    first = {name: min(moment for other, moment in wished if other == name) for name, _ in wished}
    assert wanted.next_at == min(first.values(), default=NEVER)
    assert sorted(wanted.take(now)) == sorted(name for name, moment in first.items() if moment <= now)
    assert wanted.next_at == min((moment for moment in first.values() if moment > now), default=NEVER)
    assert wanted.take(now) == []
    assert wanted.all_at == NEVER


def test_more_names_than_are_remembered() -> None:
    """A name too many to be remembered is seen with all of the folder; those remembered can become due sooner."""
    wanted = Wanted()
    for number in range(MOST_NAMES):
        wanted.name(str(number), 9.0)
    wanted.name("one more", 5.0)
    assert wanted.all_at == 5.0
    wanted.name("0", 1.0)
    assert wanted.take(1.0) == ["0"]
    assert len(wanted.take(9.0)) == MOST_NAMES - 1


def test_what_was_just_looked_at_is_wanted_no_longer() -> None:
    """A name that was just looked at is not looked at again until somebody wants it."""
    wanted = Wanted()
    wanted.name("a", 1.0)
    wanted.name("b", 1.0)
    wanted.forget("a")
    wanted.forget("c")
    assert wanted.take(1.0) == ["b"]
    wanted.name("a", 2.0)
    assert wanted.take(2.0) == ["a"]


def test_nothing_is_wanted_while_all_is_looked_at() -> None:
    """A look at all of the folder sees whatever a glance would."""
    wanted = Wanted()
    wanted.name("a", 1.0)
    wanted.all(2.0)
    wanted.clear()
    assert (wanted.next_at, wanted.all_at, wanted.take(9.0)) == (NEVER, NEVER, [])
