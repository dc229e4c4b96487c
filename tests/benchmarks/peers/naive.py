"""The script most people write first: watchdog, requests and a move, with nothing promised.

Usage: naive.py DROP_DIR DONE_DIR BASE_URL API_CODE. Its observer has the default event mask, its upload runs
in the event's own call, and any failure ends it: it is here to be measured, not to be used.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import requests
from watchdog.events import FileClosedEvent, FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer


class Uploads(FileSystemEventHandler):
    """Uploads every file that was closed after writing, and moves it to the done folder."""

    def __init__(self, done: Path, base_url: str, api_code: str) -> None:
        self.done = done
        self.base_url = base_url
        self.session = requests.Session()
        self.session.headers.update({"ApiCode": api_code, "Accept": "application/json"})

    def on_closed(self, event: FileSystemEvent) -> None:
        """Upload one file; `event` says which."""
        assert isinstance(event, FileClosedEvent)
        path = Path(str(event.src_path))
        with path.open("rb") as document:
            url = f"{self.base_url}/order/{path.stem}/invoice"
            answer = self.session.post(url, files={"File": document}, timeout=30)
        answer.raise_for_status()
        shutil.move(path, self.done / path.name)


def main(drop: str, done: str, base_url: str, api_code: str) -> None:
    """Watch `drop` until the process is ended."""
    observer = Observer()
    observer.schedule(Uploads(Path(done), base_url, api_code), drop)
    observer.start()
    observer.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
