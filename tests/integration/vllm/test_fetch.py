"""`tools/model.py` against a stand-in for the hub on this machine: fetched, interrupted, unknown, unreachable."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.dependencies import missing

ROOT = Path(__file__).parent.parent.parent.parent
REVISION = "a" * 40
HEADER = json.dumps({"w": {"dtype": "U8", "shape": [40_000_000], "data_offsets": [0, 40_000_000]}}).encode()
WEIGHTS = struct.pack("<Q", len(HEADER)) + HEADER + os.urandom(40_000_000)
FILES = {
    "config.json": b"{}",
    "tokenizer.json": b"{}",
    "model.safetensors": WEIGHTS,
    "model.gguf": b"the same again",
    "README.md": b"nothing for a server",
}


class Hub(ThreadingHTTPServer):
    """A hub with one model, `someone/Tiny`. While `gate` is shut, the weights stop half-way."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.gate = threading.Event()
        self.half_way = threading.Event()
        self.fetched: list[tuple[str, int]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Answers(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if file := re.fullmatch(rf"/someone/Tiny/resolve/{REVISION}/(.+)", path):
            self._file(file[1])
        elif re.fullmatch(rf"/api/models/someone/Tiny(/revision/{REVISION})?", path):
            self._json({"id": "someone/Tiny", "sha": REVISION, "siblings": [{"rfilename": name} for name in FILES]})
        elif path == f"/api/models/someone/Tiny/tree/{REVISION}":
            self._json(
                [{"type": "file", "path": name, "size": len(FILES[name]), "oid": _digest(name)} for name in FILES]
            )
        else:
            self._json({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})

    def _json(self, content: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(content).encode()
        self._head(status, {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})})
        self.wfile.write(body)

    def _file(self, name: str) -> None:
        content = FILES[name]
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
        headers = {"ETag": f'"{_digest(name)}"', "X-Repo-Commit": REVISION, "Accept-Ranges": "bytes"}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._head(206 if start else 200, headers | {"Content-Length": str(len(content) - start)})
        if self.command == "HEAD":
            return
        self.server.fetched.append((name, start))
        rest = content[start:]
        if name == "model.safetensors" and not self.server.gate.is_set():
            self.wfile.write(rest[: len(rest) // 2])
            self.wfile.flush()
            self.server.half_way.set()
            self.server.gate.wait()
            return
        self.wfile.write(rest)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


def _digest(name: str) -> str:
    return hashlib.sha256(FILES[name]).hexdigest()


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.gate.set()
        server.shutdown()


def start(name: str, directory: Path, address: str) -> subprocess.Popen[str]:
    """`tools/model.py` as make runs it, in a process group of its own."""
    environment = {**os.environ, "HF_ENDPOINT": address, "HF_HOME": str(directory / "hf")}
    command = [sys.executable, ROOT / "tools/model.py", name, directory / "models"]
    return subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )


def run(name: str, directory: Path, address: str) -> tuple[int, str, str]:
    """The whole run: exit code, output, errors."""
    with start(name, directory, address) as process:
        out, errors = process.communicate(timeout=150)
    if "could not be installed" in errors:
        missing("what fetches models cannot be installed here")
    return process.returncode, out, errors


def test_a_model_is_fetched_without_what_the_server_does_not_read(hub: Hub, tmp_path: Path) -> None:
    hub.gate.set()
    code, out, errors = run("someone/Tiny", tmp_path, hub.address)
    assert code == 0, errors
    assert "someone/Tiny is complete" in out
    fetched = {path.name for path in (tmp_path / "models/Tiny").iterdir() if path.is_file()}
    assert fetched == {"config.json", "tokenizer.json", "model.safetensors"}
    assert (tmp_path / "models/Tiny/model.safetensors").read_bytes() == WEIGHTS
    assert (tmp_path / "models/Tiny/model.safetensors").stat().st_mode & 0o004

    hub.fetched.clear()
    code, out, _ = run("someone/Tiny", tmp_path, hub.address)
    assert (code, hub.fetched) == (0, [])
    assert "already complete" in out


def test_an_interrupted_download_goes_on_where_it_stopped(hub: Hub, tmp_path: Path) -> None:
    with start("someone/Tiny", tmp_path, hub.address) as process:
        while not hub.half_way.wait(0.1):
            assert process.poll() is None, process.communicate()
        # The half that was sent has arrived once the file has grown by it.
        parts = tmp_path / "models/Tiny/.cache/huggingface/download"
        while not any(path.stat().st_size > 5_000_000 for path in parts.glob("*.incomplete")):
            assert process.poll() is None, process.communicate()
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "goes on where it stopped" in errors

    hub.gate.set()
    hub.fetched.clear()
    code, out, errors = run("someone/Tiny", tmp_path, hub.address)
    assert code == 0, errors
    assert "is complete" in out
    [start_of_rest] = [offset for name, offset in hub.fetched if name == "model.safetensors"]
    assert start_of_rest > 5_000_000
    assert (tmp_path / "models/Tiny/model.safetensors").read_bytes() == WEIGHTS
    assert not list((tmp_path / "models/Tiny").rglob("*.incomplete"))


def test_an_unknown_model_is_told_in_one_sentence(hub: Hub, tmp_path: Path) -> None:
    code, _, errors = run("someone/Huge", tmp_path, hub.address)
    assert code == 1
    [line] = errors.strip().splitlines()
    assert line.startswith("The hub has no model someone/Huge")
    assert not (tmp_path / "models/Huge").exists()


def test_a_hub_that_cannot_be_reached_is_told_in_one_sentence(tmp_path: Path) -> None:
    code, _, errors = run("someone/Tiny", tmp_path, "http://127.0.0.1:9")
    assert code == 1
    [line] = errors.strip().splitlines()
    assert "cannot be reached" in line and "http://127.0.0.1:9" in line


@pytest.mark.parametrize("name", ["Tiny", "../etc", "a/b/c", "someone/Tiny;ls", ""])
def test_what_is_no_models_name_is_refused_before_anything_is_asked(hub: Hub, tmp_path: Path, name: str) -> None:
    code, _, errors = run(name, tmp_path, hub.address)
    assert code == 2
    assert errors.startswith(f"{name or 'Nothing'} is not the name of a model") and "owner/name" in errors
    assert not (tmp_path / "models").exists()
