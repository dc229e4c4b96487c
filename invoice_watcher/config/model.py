"""The configuration as the rest of the program sees it: frozen, typed, whole.

Nothing behind this border sees a dict, or a text that stands for something else: durations are seconds
(float), sizes are bytes, paths are absolute, the pattern is compiled. Each field carries a `Setting` that
says how its key is read and what it means; the parser, the JSON Schema and the tests all read it from here.

Built by `parse`, which checks everything. A test may build one by hand (`Config(drop_dir=...)`): nothing is
checked then, but the relative folders and the API's address are filled in all the same. Pure; raises nothing.
"""

# No `from __future__ import annotations`: `keys` reads the annotations at run time.

import re
from pathlib import Path
from typing import Annotated, Literal, TypeAlias, get_args

from invoice_watcher.config.forms import Choice, Setting, Size, Truth
from invoice_watcher.config.keys import Section
from invoice_watcher.config.names import FileName, NamePattern, PathName, Regex
from invoice_watcher.config.sections import Api, Log, Metrics, Notify, Retry, Settle
from invoice_watcher.languages import TAGS
from invoice_watcher.record import field, force_setattr

ORDER_ID_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MIB = 1 << 20

DoneLayout: TypeAlias = Literal["flat", "month"]


class Config(Section, frozen=True, kw_only=True):
    """The whole configuration.

    `done_dir`, `failed_dir` and `work_dir` are absolute once a Config exists: relative ones are under
    `drop_dir`.
    """

    drop_dir: Annotated[
        Path,
        Setting(
            PathName(),
            "The folder where invoices are dropped, as ORDERNUMBER.pdf. The one key that must be given.",
        ),
    ]
    done_dir: Annotated[
        Path,
        Setting(
            PathName(beside_config=False),
            "Where delivered invoices go. A relative path is under drop_dir; all four folders must be on "
            "one file system.",
        ),
    ] = Path("done")
    failed_dir: Annotated[
        Path,
        Setting(PathName(beside_config=False), "Where rejected invoices go, each with a .json file that says why."),
    ] = Path("failed")
    work_dir: Annotated[
        Path,
        Setting(PathName(beside_config=False), "Where an invoice lies while it is being sent. Nothing for people."),
    ] = Path(".processing")
    order_id_pattern: Annotated[
        re.Pattern[str],
        Setting(
            Regex(),
            "A regular expression for the whole file name without its extension. A group (?P<order_id>...) "
            "takes the order's id out of a longer name.",
        ),
    ] = ORDER_ID_PATTERN
    ignore: Annotated[
        tuple[str, ...],
        Setting(
            NamePattern(),
            "More file names to leave alone, as patterns such as '*.bak', besides the usual temporary ones.",
            many=True,
        ),
    ] = ()
    max_size: Annotated[
        int,
        Setting(
            Size(1, 100 * _MIB),
            "The largest file that is sent. The API takes no more than 10 MB; a larger limit, up to 100MiB, "
            "only helps if that ever changes.",
        ),
    ] = 10 * _MIB
    receipts: Annotated[bool, Setting(Truth(), "Write a .json receipt beside each delivered invoice, too.")] = True
    done_layout: Annotated[
        DoneLayout,
        Setting(
            Choice(get_args(DoneLayout)),
            "flat: delivered invoices lie in done_dir itself. month: each with its receipt in a folder in it for the "
            "month (UTC) in which it was delivered, YYYY-MM. May be changed at any time; what lies there stays.",
        ),
    ] = "flat"
    status_page: Annotated[
        str | None,
        Setting(
            FileName(),
            "The name of the page in drop_dir that tells people how things stand, for any browser. Null: none.",
            null=True,
        ),
    ] = "status.html"
    status_language: Annotated[str, Setting(Choice(TAGS), "The language of that page.")] = "en"
    api: Api = field(default_factory=Api)
    settle: Settle = field(default_factory=Settle)
    retry: Retry = field(default_factory=Retry)
    log: Log = field(default_factory=Log)
    metrics: Metrics = field(default_factory=Metrics)
    notify: Notify = field(default_factory=Notify)

    def __post_init__(self) -> None:
        for name in ("done_dir", "failed_dir", "work_dir"):
            force_setattr(self, name, self.drop_dir / getattr(self, name))
