"""What the sections of the configuration share: the list of their keys, and which of these may hold a secret.

That is said in one place, the key's form (`Form.private`); what is shown, and what the log blackens, follow from it.

Pure; raises nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, get_origin, get_type_hints

from invoice_watcher.config.forms import Setting
from invoice_watcher.config.secret import Secret
from invoice_watcher.record import Record, fields

if TYPE_CHECKING:
    from collections.abc import Iterator


class Section(Record, frozen=True):
    """A group of keys. Its repr hides the values that may hold a secret."""

    def __repr__(self) -> str:
        pairs = (f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({', '.join(pairs)})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        """Return what rich, whose tracebacks show local variables, may print."""
        values = ((key, getattr(self, key.name)) for key in keys(type(self)))
        return [(key.name, Secret("") if value and key.is_private else value) for key, value in values]

    def secrets(self) -> Iterator[str]:
        """Yield every text in here that may be a secret. Whoever calls this answers for where they go."""
        for key in keys(type(self)):
            value = getattr(self, key.name)
            if isinstance(value, Section):
                yield from value.secrets()
            elif value and key.is_private:
                yield from (_revealed(one) for one in (value if isinstance(value, tuple) else (value,)))


class Key(NamedTuple):
    """One key of a section.

    Attributes:
        name: as it is written in the file.
        what: how its value is read; or, for a group of keys, the section they make.
        default: the model's value when the key is missing; `record.NO_DEFAULT` for a required key and for a group.
    """

    name: str
    what: Setting | type[Section]
    default: object

    @property
    def is_private(self) -> bool:
        """Whether its values may hold a secret."""
        return isinstance(self.what, Setting) and self.what.form.private


def keys(section: type[Section]) -> tuple[Key, ...]:
    """Return the keys of `section` in the order in which the model names them."""
    hints = get_type_hints(section, include_extras=True)
    return tuple(Key(spec.name, _what(hints[spec.name]), spec.default) for spec in fields(section))


def _what(hint: Any) -> Setting | type[Section]:  # noqa: ANN401 - an annotation has no type of its own
    found: Setting | type[Section] = hint.__metadata__[0] if get_origin(hint) is Annotated else hint
    return found


def _revealed(value: Secret | str) -> str:
    return value.reveal() if isinstance(value, Secret) else value
