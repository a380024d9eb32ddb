"""A stand-in for vLLM's server, for the tests of the launcher: it serves no model, and says so.

STANDIN names a directory. `plan.json` in it has one entry a start: `say` (lines to print, as vLLM prints them), then
either `exit` (a code) or serving, until a signal: `answers` (whether a token that is asked for comes), `computes` (the
use of the cache moves by itself), `deaf` (SIGTERM is ignored), `slow` (it announces the end of its last request and
then stays), `crash` (it exits with 1 and this line, once it was asked for a token). What it was started with goes to
`starts.jsonl`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HOME = Path(os.environ["STANDIN"])


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, part: dict[str, Any]) -> None:
        super().__init__(("127.0.0.1", port), Answers)
        self.part = part
        self.tokens = 0
        self.cache = 0


class Answers(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        server = self.server
        server.cache += bool(server.part.get("computes"))
        self._say(
            f"vllm:iteration_tokens_total_count {server.tokens}\nvllm:kv_cache_usage_perc {server.cache}\n"
            f"process_cpu_seconds_total {os.times().user}\nhttp_requests_total {os.times().elapsed}\n"
        )

    def do_POST(self) -> None:
        server = self.server
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        authorised = self.headers["Authorization"] == f"Bearer {os.environ['VLLM_API_KEY']}"
        print(f"asked for {asked['max_tokens']} token, authorised: {authorised}", flush=True)
        if crash := server.part.get("crash"):
            print(crash, flush=True)
            os._exit(1)
        if not server.part.get("answers", True):
            threading.Event().wait()
        server.tokens += 1
        self._say("{}")

    def _say(self, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


def main() -> None:
    with (HOME / "starts.jsonl").open("a+") as starts:
        starts.seek(0)
        number = len(starts.readlines())
        starts.write(json.dumps({"argv": sys.argv[1:], "key": os.environ.get("VLLM_API_KEY")}) + "\n")
    part = json.loads((HOME / "plan.json").read_text())[number]
    print("This is a stand-in for vLLM: there is no model behind it.", flush=True)
    for line in part.get("say", ()):
        print(line, flush=True)
    if "exit" in part:
        sys.exit(part["exit"])
    # vLLM's engine is a process of its own, below the server's.
    engine = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    (HOME / "engine").write_text(str(engine.pid))

    def asked_to_stop(*_: object) -> None:
        print("the stand-in was asked to stop", flush=True)
        if part.get("slow"):
            print("(EngineCore pid=9) INFO [shutdown] EngineCore: request processing complete; starting", flush=True)
        elif not part.get("deaf"):
            os._exit(0)

    signal.signal(signal.SIGTERM, asked_to_stop)
    if part.get("loads"):
        signal.pause()
    Server(int(sys.argv[sys.argv.index("--port") + 1]), part).serve_forever()


if __name__ == "__main__":
    main()
