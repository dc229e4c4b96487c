"""invoice-watcher: invoices dropped into a folder reach the i.materialise Invoice API, once, whole, and on record.

ARCHITECTURE.md draws the house. The short of it: `cli` starts `daemon`, which scans the drop folder through
`spool`, lets `schedule` say what is due, and hands each invoice to `delivery`, which asks `uploader` and files
the document away with its receipt.
"""

__version__ = "0.1.0"
