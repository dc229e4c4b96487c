"""The script of those who do not know inotify: list, upload, move, sleep a second, with nothing promised.

Usage: poll.py DROP_DIR DONE_DIR BASE_URL API_CODE. Any failure ends it: it is here to be measured, not to be used.
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

import requests


def main(drop: str, done: str, base_url: str, api_code: str) -> None:
    """Upload what lies in `drop`, again and again, until the process is ended."""
    session = requests.Session()
    session.headers.update({"ApiCode": api_code, "Accept": "application/json"})
    while True:
        for path in sorted(Path(drop).glob("*.pdf")):
            with path.open("rb") as document:
                url = f"{base_url}/order/{path.stem}/invoice"
                session.post(url, files={"File": document}, timeout=30).raise_for_status()
            shutil.move(path, Path(done) / path.name)
        time.sleep(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
