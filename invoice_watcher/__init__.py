"""invoice-watcher: invoices dropped into a folder reach the i.materialise Invoice API, once, whole, and on record.

ARCHITECTURE.md draws the house. The short of it: `cli` starts `serve`, which runs one `daemon` after another. That one
has `lookout` see what lies in the drop folder and `queue` say what is due, and gives each invoice to `workers`, where
`delivery` has `uploader` send it and `spool` file it away with its receipt.
"""

__version__ = "0.1.0"
