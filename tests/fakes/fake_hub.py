"""A Hugging Face Hub of its own: the few requests by which files are fetched, and a 404 for anything else.

Serves folders of files as repositories. It can break a connection in the middle of a file, and notes what it is asked.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class FakeHub:
    """Runs in threads of this process; use as a context manager."""

    def __init__(self, repositories: Mapping[str, Path], cards: Mapping[str, Mapping[str, Any]]) -> None:
        """Folders and model cards by the name of the repository."""
        self.repositories, self.cards = repositories, cards
        self.requests: list[tuple[str, str, str]] = []
        """Method, path and Range header of every request."""
        self.unknown: list[str] = []
        self.breaks: dict[str, int] = {}
        """How often the connection breaks in the middle of a file of this name."""
        self.status: dict[str, tuple[int, Mapping[str, str]]] = {}
        """Status and headers with which requests for a repository are refused."""
        hub = self

        class Handler(_Handler):
            def hub(self) -> FakeHub:
                return hub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> FakeHub:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def info(self, repository: str) -> dict[str, Any]:
        """The answer about a repository."""
        folder = self.repositories[repository]
        names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
        return {
            "id": repository,
            "sha": COMMIT,
            "cardData": self.cards[repository],
            "siblings": [{"rfilename": name, "size": (folder / name).stat().st_size} for name in names],
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def hub(self) -> FakeHub:
        raise NotImplementedError

    def log_message(self, format: str, *args: Any) -> None:
        """Keeps quiet."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        hub, path = self.hub(), urlsplit(self.path).path
        hub.requests.append((self.command, path, self.headers.get("Range", "")))
        asked = re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/([^/]+))?", path)
        file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        repository = (asked or file).group(1) if asked or file else ""
        if repository in hub.status:
            code, headers = hub.status[repository]
            self._send(code, b"{}", headers, body)
        elif asked and repository in hub.repositories and asked.group(2) in (None, "main", COMMIT):
            self._send(200, json.dumps(hub.info(repository)).encode(), {"Content-Type": "application/json"}, body)
        elif asked and repository in hub.repositories:
            self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"}, body)
        elif file and repository in hub.repositories and (hub.repositories[repository] / file.group(3)).is_file():
            self._file(hub.repositories[repository] / file.group(3), body)
        else:
            hub.unknown.append(f"{self.command} {path}")
            self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"}, body)

    def _file(self, path: Path, body: bool) -> None:
        data = path.read_bytes()
        headers = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted is None:
            self._send(200, data, headers, body, path.name)
            return
        first, last = int(wanted.group(1)), int(wanted.group(2) or len(data) - 1)
        headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
        self._send(206, data[first : last + 1], headers, body, path.name)

    def _send(self, code: int, data: bytes, headers: Mapping[str, str], body: bool, name: str = "") -> None:
        self.send_response(code)
        for key, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(key, value)
        self.end_headers()
        if not body:
            return
        if self.hub().breaks.get(name, 0):
            self.hub().breaks[name] -= 1
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            self.close_connection = True
            self.connection.close()
            return
        self.wfile.write(data)
