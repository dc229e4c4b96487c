#!/usr/bin/env python3
"""Write the manual pages: `make_pages.py FOLDER` makes invoice-watcher.1 and invoice-watcher.yaml.5 in it.

What can change with the program is taken from the program: commands and options from the command line itself, with
their help; exit statuses; keys, kinds and defaults of the configuration from its model, and what a key is for from
the comments of config.example.yaml, which stand beside this script's checkout. The rest is in the two `.in` files.

A command, an option, an exit status or a key for which there is nothing to say is an error (SystemExit), so that no
page is ever made that is silent about one.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from invoice_watcher import __version__, signals
from invoice_watcher.cli import DEFAULT_CONFIG, cli
from invoice_watcher.config import schema
from invoice_watcher.config.addresses import BaseUrl, Listen, NotifyUrl, ProxyUrl
from invoice_watcher.config.forms import ApiCode, Choice, Duration, Setting, Size, Truth, Whole
from invoice_watcher.config.keys import keys
from invoice_watcher.config.model import Config
from invoice_watcher.config.names import FileName, NamePattern, PathName, Regex
from invoice_watcher.config.units import show_size
from invoice_watcher.errors import ExitStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoice_watcher.config.keys import Section

HERE = Path(__file__).parent
EXAMPLE = HERE.parents[1] / "config.example.yaml"
PROGRAM = "invoice-watcher"

KINDS = {
    ApiCode: "GUID",
    BaseUrl: "address",
    Duration: "duration",
    FileName: "file name",
    Listen: "address and port",
    NamePattern: "file name pattern",
    NotifyUrl: "address",
    PathName: "path",
    ProxyUrl: "address",
    Regex: "regular expression",
    Truth: "true or false",
}

_SPECIAL = str.maketrans({"\\": r"\(rs", "-": r"\-", "'": r"\(aq", "^": r"\(ha", "~": r"\(ti", "`": r"\(ga"})
_CODE = re.compile(r"`([^`]+)`")


def roff(text: str) -> str:
    """Return `text` as roff that shows exactly this; what stands in back quotes is set bold."""
    parts = (part.translate(_SPECIAL) for part in _CODE.split(text))
    return _guarded("".join(rf"\fB{part}\fR" if i % 2 else part for i, part in enumerate(parts)))


def filled(text: str) -> str:
    """Return running text as roff, in lines of which none is too long; they are filled anew when shown."""
    words = roff(" ".join(text.split()))
    return _guarded(textwrap.fill(words, 78, break_long_words=False, break_on_hyphens=False))


def _guarded(text: str) -> str:
    """Return roff of which no line is taken for a request."""
    return re.sub(r"^(?=[.'])", r"\\&", text, flags=re.MULTILINE)


def item(term: str, text: str, *more: str) -> str:
    """Return one item of a list, with a term in roff, or several terms that share its text."""
    terms = [".TP", term, *(line for other in more for line in (".TQ", other))]
    return "\n".join([*terms, text])


def bold(text: str) -> str:
    """Return `text` in bold."""
    return rf"\fB{roff(text)}\fR"


# The command line.


def _top() -> click.Context:
    return click.Context(cli, info_name=PROGRAM, **cli.context_settings)


def commands() -> Iterator[tuple[click.Command, click.Context]]:
    """Yield each command with a context that its help can be asked in."""
    top = _top()
    for name in cli.list_commands(top):
        command = cli.get_command(top, name)
        if command is None or not command.help:
            sys.exit(f"the command {name} has no help")
        yield command, click.Context(command, info_name=name, parent=top)


def usage(command: click.Command, context: click.Context) -> str:
    """Return what the synopsis says of a command: its options by their long names, and its arguments."""
    choices = [f"[{term.rpartition(', ')[2]}]" for term, _ in _records(context) if "--help" not in term]
    arguments = [piece for piece in command.collect_usage_pieces(context) if piece != "[OPTIONS]"]
    return " ".join([bold(f"{PROGRAM} {command.name}"), *(roff(piece) for piece in choices + arguments)])


def synopsis() -> str:
    """Return a line for each command."""
    return "\n.br\n".join([*(usage(*found) for found in commands()), rf"{bold(PROGRAM)} \-\-help | \-\-version"])


def options(context: click.Context) -> str:
    """Return the options of one command, as its help has them."""
    return "\n".join(item(bold(term), filled(text)) for term, text in _records(context))


def _records(context: click.Context) -> Iterator[tuple[str, str]]:
    """Yield each option, `-c, --config PATH`, and its help. Arguments are told of in the command's own text."""
    for parameter in context.command.get_params(context):
        record = None if isinstance(parameter, click.Argument) else parameter.get_help_record(context)
        if record and not record[1]:
            sys.exit(f"the option {record[0]} has no help")
        if record:
            yield record


def paragraphs(text: str) -> list[str]:
    """Return the paragraphs of a help text as roff; one that is marked so for click stays as it is set."""
    found = []
    for paragraph in text.split("\n\n"):
        if paragraph.startswith("\b\n"):
            found.append(f".EX\n{roff(paragraph[2:].rstrip())}\n.EE")
        else:
            found.append(filled(paragraph))
    return found


def described() -> str:
    """Return the section of each command."""
    sections = []
    for command, context in commands():
        texts = paragraphs((command.help or "").replace("\f", ""))
        after = paragraphs(command.epilog) if command.epilog else []
        sections += [f".SS {roff(command.name or '')}", "\n.PP\n".join(texts + after), options(context)]
    return "\n".join(sections)


def statuses() -> str:
    """Return what each exit status means, as the program's own help says it."""
    told = (cli.help or "").partition("Exit status: ")[2]
    found = dict(re.findall(r"(\d+) ([^;]+)(?:;|\.?\s*$)", " ".join(told.split())))
    if found.keys() != {str(int(status)) for status in ExitStatus}:
        sys.exit(
            f"the help speaks of the exit statuses {sorted(found)}, the program has {[int(s) for s in ExitStatus]}"
        )
    return "\n".join(
        item(bold(status), filled(f"{text[0].upper()}{text[1:].rstrip('.')}.")) for status, text in found.items()
    )


# The configuration.


class Entry(NamedTuple):
    """One comment of the example, and the keys that stand under it; the name of a group ends in a dot."""

    about: str
    names: tuple[str, ...]


_LINE = re.compile(r"(?P<indent> *)(?:#(?P<comment>.*)|(?P<key>[a-z_]+): *(?P<value>.*))?")


def entries(example: str) -> Iterator[Entry]:
    """Yield the example's comments in their order, each with the dotted keys that stand right below it."""
    about: list[str] = []
    names: list[str] = []
    group = ""
    for line in [*example.splitlines(), ""]:
        indent, comment, key, value = _LINE.fullmatch(line).groups()  # type: ignore[union-attr] # a schema test reads it
        if key is None and (names or comment is None) and (names or about):
            yield Entry("\n".join(about), tuple(names))
            about, names = [], []
        if comment is not None:
            about.append(comment.strip())
        elif key:
            group = f"{key}." if not value else group if indent else ""
            names.append(f"{group}{key}" if value else group)


def settings() -> dict[str, tuple[Setting, str]]:
    """Return what the model says about each dotted key, and its default as a person would write it."""
    found = {}

    def add(section: type[Section], described: dict[str, Any], group: str = "") -> None:
        for key in keys(section):
            inner = described["properties"][key.name]
            if isinstance(key.what, Setting):
                found[group + key.name] = key.what, _default(inner)
            else:
                add(key.what, inner, f"{group}{key.name}.")

    add(Config, schema())
    return found


def _default(described: dict[str, Any]) -> str:
    return f"default `{json.dumps(described['default']).strip(chr(34))}`" if "default" in described else "required"


def kind(setting: Setting) -> str:
    """Return what values a key takes, in a few words."""
    form = setting.form
    if isinstance(form, Choice):
        word = ", ".join(f"`{word}`" for word in form.words)
    elif isinstance(form, Whole):
        word = f"whole number, {form.least} to {form.most}"
    elif isinstance(form, Size):
        word = f"size, up to {show_size(form.most)}"
    else:
        word = KINDS[type(form)]
    return f"list, each item: {word}" if setting.many else word


def described_keys(example: str) -> str:
    """Return an item for each comment of the example that has keys, with what the model says about these."""
    known = settings()
    found = []
    for entry in entries(example):
        terms = [
            rf"{bold(name)} \fR({filled(f'{kind(known[name][0])}; {known[name][1]}')})"
            for name in entry.names
            if name in known
        ]
        if terms:
            found.append(item(terms[0], filled(entry.about), *terms[1:]))
        elif entry.names and entry.about:
            found.append(f".PP\n{filled(entry.about)}")
    silent = known.keys() - {name for entry in entries(example) if entry.about for name in entry.names}
    if silent:
        sys.exit(f"{EXAMPLE.name} says nothing about {', '.join(sorted(silent))}")
    return "\n".join(found)


# The pages.


def page(template: str, parts: dict[str, str]) -> str:
    """Return a page: its template with each `@NAME@` filled in; a name that is not known is a KeyError."""
    return re.sub(r"@([A-Z]+)@", lambda found: parts[found[1]], template)


def pages() -> dict[str, str]:
    """Return the text of each page by its name."""
    example = EXAMPLE.read_text(encoding="utf-8")
    made = dt.datetime.fromtimestamp(float(os.environ.get("SOURCE_DATE_EPOCH", time.time())), dt.UTC)
    introduction = next(entries(example)).about.split("\n\n", 1)[1]
    parts = {
        "DATE": f"{made:%Y-%m-%d}",
        "VERSION": __version__,
        "CONFIG": roff(DEFAULT_CONFIG),
        "GRACE": f"{signals.GRACE:.0f}",
        "SYNOPSIS": synopsis(),
        "OPTIONS": options(_top()),
        "COMMANDS": described(),
        "STATUSES": statuses(),
        "INTRODUCTION": "\n.PP\n".join(paragraphs(introduction)),
        "KEYS": described_keys(example),
    }
    sources = HERE.glob("*.in")
    return {source.stem: page(source.read_text(encoding="utf-8"), parts) for source in sources}


def main() -> None:
    """Write each page into the folder that the command line names."""
    (folder,) = sys.argv[1:] or sys.exit(__doc__)
    for name, text in pages().items():
        (Path(folder) / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
