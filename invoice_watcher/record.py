"""How a class of values is written here: as a record, with its fields and nothing else to say how it is made.

Records are msgspec's Structs. A dataclass would read the same, but has its methods written and compiled anew at each
start, nearly a millisecond for each class; a Struct is made in C, in a fiftieth of that, and there are dozens of them
(`make bench`, *start*). Only where a class has a metaclass already, as an abstract one has, it is a dataclass.

Guarantees: records of one class are equal when their fields are; those of a `Record` then hash alike, and a
`MutableRecord` has no hash, unless it is only equal to itself. Raises AttributeError for whoever writes to a `Record`.
"""

from __future__ import annotations

from msgspec import NODEFAULT as NO_DEFAULT
from msgspec import Struct, field
from msgspec.structs import asdict, fields, force_setattr, replace

__all__ = ["NO_DEFAULT", "MutableRecord", "Record", "asdict", "field", "fields", "force_setattr", "replace"]


class Record(Struct, frozen=True):
    """A value that never changes; `replace` makes another one of it."""


class MutableRecord(Struct):
    """What changes while it lives, and says in its docstring who changes it."""
