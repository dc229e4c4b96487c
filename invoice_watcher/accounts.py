"""The names of users and groups, as the system knows them (getpwuid(3), getgrgid(3)).

Guarantees: a user is asked for once, and remembered, for a directory server may take its time. Raises nothing: where
there is no name, the number is one.
"""

from __future__ import annotations

import grp
import pwd
from functools import lru_cache


@lru_cache(maxsize=1024)
def user_name(uid: int) -> str:
    """Return the user's name, or the number where the system knows no name."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group_name(gid: int) -> str:
    """Return the group's name, or its number likewise."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
