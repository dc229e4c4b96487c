"""What an administrator asks: how things stand (`overview`), and why a file still waits (`explanation`).

The running program is asked first, by its control socket (`word`); what it does not know, or when it does not run, is
seen by looking: what waits (`backlog`), what failed or was delivered (`filed`), where a file lies by now
(`whereabouts`), what is wrong with it (`examination`), who has it open and who holds the folder (`openers`).
Guarantees: nothing is changed, nothing is locked. Each room says what it raises.
"""

from invoice_watcher.inquiry.explanation import Explanation, explain
from invoice_watcher.inquiry.filed import Failure
from invoice_watcher.inquiry.overview import Overview, encode, overview

__all__ = ["Explanation", "Failure", "Overview", "encode", "explain", "overview"]
