"""What cannot be done, and must say so at once and clearly instead of hanging."""

from __future__ import annotations

from tests.sandbox.case import Allowed, Group

REFUSALS: tuple[Allowed, ...] = (
    Allowed(
        "input() and getpass() say that nobody can answer",
        """
import getpass
for ask in (input, getpass.getpass):
    try:
        ask("Your name? ")
        raise SystemExit("somebody answered")
    except Exception as error:
        assert "nobody can answer" in str(error), error
import subprocess, sys
child = subprocess.run([sys.executable, "-c", "input()"], capture_output=True, text=True, timeout=30)
assert "EOFError" in child.stderr
print("WORKS")
""",
    ),
    Allowed(
        "pip fails at once and says what is installed",
        """
import subprocess, sys, time
for command in (["pip", "install", "seaborn"], ["pip3", "install", "seaborn"],
                [sys.executable, "-m", "pip", "install", "seaborn"]):
    began = time.monotonic()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except FileNotFoundError:
        raise AssertionError(f"there is no program {command[0]} that explains it") from None
    said = done.stdout + done.stderr
    assert done.returncode != 0 and time.monotonic() - began < 10
    assert "pandas" in said and "matplotlib" in said, said
%pip install seaborn
print("WORKS")
""",
        group=Group.NETWORK,
    ),
    Allowed(
        "the network: every way to connect fails at once, with an error that names it",
        """
import asyncio, http.client, smtplib, socket, time, urllib.error, urllib.request
import pandas as pd
def tries():
    yield "an address", lambda: socket.create_connection(("192.0.2.1", 80), timeout=20)
    yield "this machine", lambda: socket.create_connection(("127.0.0.1", 80), timeout=20)
    yield "IPv6", lambda: socket.create_connection(("2001:db8::1", 80), timeout=20)
    yield "a datagram", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 53))
    yield "a server of one's own", lambda: http.client.HTTPConnection("localhost", 8000, timeout=20).request("GET", "/")
    yield "urllib", lambda: urllib.request.urlopen("https://example.com/data.csv", timeout=20)
    yield "pandas", lambda: pd.read_csv("https://example.com/data.csv")
    yield "mail", lambda: smtplib.SMTP("mail.example.com", 25, timeout=20)
    yield "a name", lambda: socket.getaddrinfo("example.com", 443)
for what, attempt in tries():
    began = time.monotonic()
    try:
        attempt()
        raise SystemExit(f"{what}: connected")
    except OSError as error:
        took = time.monotonic() - began
        print(f"{what}: {took:.2f} s, {type(error).__name__}: {error}")
        assert took < 10 and str(error), what
began = time.monotonic()
try:
    await asyncio.open_connection("192.0.2.1", 80)
    raise SystemExit("asyncio: connected")
except OSError as error:
    assert time.monotonic() - began < 10
print("WORKS")
""",
        group=Group.NETWORK,
    ),
    Allowed(
        "the network from the shell: bash's own sockets and python's fail at once",
        r"""
SECONDS=0
if (exec 3<>/dev/tcp/192.0.2.1/80) 2>tcp.txt; then echo connected; exit 1; fi
[ -s tcp.txt ] && cat tcp.txt
if python3 -c 'import urllib.request; urllib.request.urlopen("http://example.com", timeout=20)' 2>urllib.txt
then exit 2; fi
tail -1 urllib.txt
connect='exit(IO::Socket::INET->new(PeerAddr => "192.0.2.1:80", Timeout => 20) ? 0 : 1)'
if perl -MIO::Socket::INET -e "$connect"; then exit 3; fi
[ "$SECONDS" -lt 10 ] && echo WORKS
""",
        language="shell",
        group=Group.NETWORK,
    ),
    Allowed(
        "the network from JavaScript: fetch, sockets and names fail at once",
        r"""
const assert = require("assert/strict"), net = require("net"), dns = require("dns/promises"), http = require("http");
const attempts = {
  fetch: () => fetch("https://example.com/data.json"),
  address: () => fetch("http://192.0.2.1/"),
  socket: () => new Promise((resolve, reject) => net.connect(80, "192.0.2.1", resolve).on("error", reject)),
  lookup: () => dns.lookup("example.com"),
  listen: () => new Promise((resolve, reject) => http.createServer().listen(0, resolve).on("error", reject)),
};
(async () => {
  for (const [what, attempt] of Object.entries(attempts)) {
    const began = performance.now();
    await assert.rejects(attempt, (error) => (console.log(what, String(error), String(error.cause ?? "")), true));
    assert.ok(performance.now() - began < 10000, what);
  }
  console.log("WORKS");
  process.exit(0);
})().catch((error) => { console.error(error); process.exit(1); });
""",
        language="javascript",
        group=Group.NETWORK,
    ),
    Allowed(
        "what a cell may not read or write is a PermissionError, and exit() ends nothing",
        """
import os, pathlib
for attempt in (lambda: open("/usr/new.txt", "w"), lambda: open("/etc/shadow"), lambda: os.mkdir("/opt/new"),
                lambda: os.listdir("/root")):
    try:
        attempt()
        raise SystemExit("it was allowed")
    except OSError as error:
        assert isinstance(error, PermissionError) or error.errno == 30, error
try:
    os.kill(1, 0)
    raise SystemExit("the first process could be signalled")
except PermissionError:
    pass
x = 1
exit()
assert x == 1 and pathlib.Path("/usr/bin/env").exists() and os.path.isdir("/etc")
print("WORKS")
""",
        group=Group.FILES,
    ),
)
