"""A bare loop around requests, with a streamed body and nothing else: what a thread of Python can send.

Usage: bare.py FOLDER BASE_URL API_CODE THREADS. Every document of the folder is uploaded once and left where it is.
The settings are those of a careful client: one session for each thread, nothing taken from the environment, blocks of
128 KiB. Any failure ends it with a status other than 0.
"""

from __future__ import annotations

import sys
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter

if TYPE_CHECKING:
    from typing import BinaryIO

_BLOCK = 128 * 1024
_BOUNDARY = "5f0c7f4e9d3b4c0c8f7a1d2e3b4a5968"


class _Blocks(HTTPAdapter):
    def init_poolmanager(self, *arguments: Any, **settings: Any) -> None:  # noqa: ANN401 - urllib3's own
        super().init_poolmanager(*arguments, blocksize=_BLOCK, **settings)


class _Form:
    """A document and the frame around it, read piece by piece; `len` is what requests looks for."""

    def __init__(self, document: BinaryIO, name: str, size: int) -> None:
        disposition = f'Content-Disposition: form-data; name="File"; filename="{name}"'
        head = f"--{_BOUNDARY}\r\n{disposition}\r\nContent-Type: application/octet-stream\r\n\r\n".encode()
        tail = f"\r\n--{_BOUNDARY}--\r\n".encode()
        self._document, self._head, self._tail = document, head, tail
        self.len = len(head) + size + len(tail)

    def read(self, size: int = -1) -> bytes:
        """Return the next piece: the head goes with the first, the tail with the last."""
        head, self._head = self._head, b""
        piece = head + self._document.read(size - len(head))
        if len(piece) < size:
            piece, self._tail = piece + self._tail, b""
        return piece


def _uploads(waiting: deque[Path], base_url: str, api_code: str) -> None:
    session = requests.Session()
    session.trust_env = False
    session.mount("http://", _Blocks())
    session.headers.update(
        {
            "ApiCode": api_code,
            "Accept": "application/json",
            "Content-Type": f"multipart/form-data; boundary={_BOUNDARY}",
        }
    )
    while True:
        try:
            path = waiting.popleft()
        except IndexError:
            return
        with path.open("rb", buffering=0) as document:
            form: Any = _Form(document, path.name, path.stat().st_size)
            session.post(f"{base_url}/order/{path.stem}/invoice", data=form, timeout=60).raise_for_status()


def main(folder: str, base_url: str, api_code: str, threads: str) -> None:
    """Upload what lies in `folder`."""
    waiting = deque(sorted(Path(folder).glob("*.pdf")))
    with ThreadPoolExecutor(int(threads)) as pool:
        for done in [pool.submit(_uploads, waiting, base_url, api_code) for _ in range(int(threads))]:
            done.result()


if __name__ == "__main__":
    main(*sys.argv[1:])
