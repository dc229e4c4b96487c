"""`python -m invoice_watcher` is the same program as `invoice-watcher`."""

from invoice_watcher.cli import main

if __name__ == "__main__":
    main()
