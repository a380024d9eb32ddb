"""Attacks on the rule that there are no sockets but those with a path: other families, other ways to make one.

A part of the group `network`.
"""

from __future__ import annotations

from ..case import Attack, Group
from .toolkit import python

_NETWORK = Group.NETWORK

_NETLINK = r"""
ask_links = struct.pack("=IHHIIBxHiII", 32, 18, 0x301, 1, 0, 0, 0, 0, 0, 0)
ask_sockets = struct.pack("=IHHIIBBxxI48x", 72, 20, 0x301, 1, 0, socket.AF_INET, socket.IPPROTO_TCP, 0xFFFFFFFF)
for protocol in range(0, 23):
    one = attempt(socket.socket, socket.AF_NETLINK, socket.SOCK_RAW, protocol)
    if one is not None:
        one.settimeout(1)
        attempt(one.bind, (0, 0))
        attempt(one.send, {0: ask_links, 4: ask_sockets}.get(protocol, ask_links))
        keep(f"netlink {protocol}", attempt(one.recv, 200) or "a socket")
import psutil
try:
    keep("addresses", psutil.net_if_addrs())
except (OSError, RuntimeError) as error:
    refused.append(str(error))
keep("names of interfaces", attempt(socket.if_nameindex))
verdict()
"""

_PACKETS = r"""
for kind in (socket.SOCK_RAW, socket.SOCK_DGRAM, socket.SOCK_PACKET if hasattr(socket, "SOCK_PACKET") else 10):
    for protocol in (0, 3, 0x0300, 0x0008):
        one = attempt(socket.socket, socket.AF_PACKET, kind, protocol)
        if one is not None:
            keep("a socket for packets", str(one))
            for interface in ("eth0", "lo"):
                attempt(one.bind, (interface, 3))
                keep(f"sent on {interface}", attempt(one.send, b"\xff" * 12 + b"\x08\x06" + bytes(46)))
for path in ("/dev/net/tun", "/dev/tap0", "/dev/vhost-net", "/dev/vsock"):
    device = attempt(os.open, path, os.O_RDWR)
    keep(path, device)
verdict()
"""

_FAMILIES = r"""
kinds = (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET, socket.SOCK_RDM, 10)
for family in range(0, 64):
    if family == socket.AF_UNIX:
        continue
    for kind in kinds:
        for protocol in (0, 1, 6):
            keep(f"family {family}, kind {kind}, protocol {protocol}", attempt(call, "socket", family, kind, protocol))
        pair = (ctypes.c_int * 2)()
        if attempt(call, "socketpair", family, kind, 0, pair) is not None:
            keep(f"a pair of family {family}", list(pair))
verdict()
"""

_MACHINE = r"""
# Sockets that lead to the machine below or into Linux itself.
for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM):
    keep("a socket to the machine below", attempt(lambda: str(socket.socket(socket.AF_VSOCK, kind))))
def algorithm(kind, name):
    with socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET) as one:
        one.bind((kind, name))
        return f"{kind} {name}"
for kind, name in (("hash", "sha256"), ("skcipher", "cbc(aes)"), ("aead", "gcm(aes)"), ("rng", "stdrng")):
    keep("Linux's ciphers", attempt(algorithm, kind, name))
for family, kind, protocol in ((31, 3, 1), (31, 5, 0), (29, 3, 1), (30, 4, 0), (30, 2, 0), (44, 3, 0), (43, 1, 0), (42,
        2, 0),
                               (21, 5, 0), (41, 2, 0), (38, 5, 0), (45, 2, 0), (24, 1, 2), (15, 3, 2)):
    keep(f"family {family}", attempt(lambda: str(socket.socket(family, kind, protocol))))
verdict()
"""

_PROTOCOLS = r"""
for family in (socket.AF_INET, socket.AF_INET6):
    for kind, protocol in ((1, 6), (1, 132), (5, 132), (6, 33), (2, 136), (1, 262), (1, 256), (2, 17), (2, 1), (3,
            255), (2, 58)):
        for flags in (0, socket.SOCK_CLOEXEC, socket.SOCK_NONBLOCK, socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK):
            keep(f"family {family}, kind {kind}, protocol {protocol}", attempt(call, "socket", family, kind | flags,
                    protocol))
verdict()
"""

_DIRTY = r"""
# Linux looks at 32 bits of a family, a filter may look at 64; and at some bits of a kind.
for family in (2, 10, 16, 17):
    for high in (1 << 32, 0xFFFFFFFF << 32, 1 << 63):
        keep(f"family {family} with {high:x}", attempt(call, "socket", ctypes.c_ulong(family | high), 1, 0))
    for kind in (1 | 1 << 32, 2 | 0xFF << 56):
        keep(f"family {family}, kind {kind:x}", attempt(call, "socket", family, ctypes.c_ulong(kind), 0))
    keep(f"family {family}, low bits of AF_UNIX above", attempt(call, "socket", ctypes.c_ulong(1 << 32 | family), 2, 0))
for family in (2, 10):
    pair = (ctypes.c_int * 2)()
    if attempt(call, "socketpair", ctypes.c_ulong(family | 1 << 40), 1, 0, pair) is not None:
        keep("a pair", list(pair))
verdict()
"""

#: Code for the processor itself: `int 0x80` enters Linux's table for 32-bit programs, bit 30 the one for x32.
_FOREIGN = r"""
def machine_code(code):
    area = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    area.write(code)
    function = ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(area)))
    function.area = area
    return function
def in_a_child(step):
    "What the step returns in a process that may be killed for it."
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        result = step()
        os.write(into, str(result).encode())
        os._exit(0)
    os.close(into)
    status = os.waitpid(child, 0)[1]
    text = os.read(out, 100).decode()
    refused.append(f"status {status}, result {text}")
    return int(text or -1)
def move(register, value):
    return bytes([0xB8 + register]) + struct.pack("=I", value)
EAX, ECX, EDX, EBX, ESI = 0, 1, 2, 3, 6
if platform.machine() == "x86_64":
    for family, kind in ((2, 1), (2, 2), (10, 1), (16, 3), (17, 3)):
        code = b"\x53" + move(EAX, 359) + move(EBX, family) + move(ECX, kind) + move(EDX,
                0) + b"\xcd\x80\x48\x98\x5b\xc3"
        found = in_a_child(machine_code(code))
        keep(f"family {family} by the 32-bit entry", found if found >= 0 else None)
        # `socketcall`, whose arguments lie in memory, below 4 GiB.
        area = libc.mmap
        area.restype, area.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3,
                                                        ctypes.c_long]
        low = area(0x10000000, 4096, 3, 0x32, -1, 0)
        if low == 0x10000000:
            ctypes.memmove(low, struct.pack("=3I", family, kind, 0), 12)
            code = b"\x53" + move(EAX, 102) + move(EBX, 1) + move(ECX, low) + b"\xcd\x80\x48\x98\x5b\xc3"
            found = in_a_child(machine_code(code))
            keep(f"family {family} by the 32-bit socketcall", found if found >= 0 else None)
        def by_x32():
            with contextlib.suppress(OSError):
                return call(0x40000000 | 41, family, kind, 0)
            return -1
        found = in_a_child(by_x32)
        keep(f"family {family} by the x32 entry", found if found >= 0 else None)
else:
    refused.append("this machine has no such entry")
verdict()
"""

_RING = r"""
parameters = ctypes.create_string_buffer(120)
ring = attempt(call, "io_uring_setup", 8, parameters)
keep("a ring", ring)
if ring is not None:
    words = struct.unpack("=30I", parameters.raw)
    entries, completions, sq, cq = words[0], words[1], words[10:20], words[20:30]
    rings = mmap.mmap(ring, max(sq[6] + 4 * entries, cq[5] + 16 * completions), offset=0)
    requests = mmap.mmap(ring, 64 * entries, offset=0x10000000)
    # IORING_OP_SOCKET: family, kind and protocol.
    requests[:64] = struct.pack("=BBHiQQIIQ", 45, 0, 0, socket.AF_INET, socket.SOCK_STREAM, 0, 0, 0,
                                7) + bytes(64 - 48 + 8)
    struct.pack_into("=I", rings, sq[6], 0)
    struct.pack_into("=I", rings, sq[1], struct.unpack_from("=I", rings, sq[1])[0] + 1)
    if attempt(call, "io_uring_enter", ring, 1, 1, 1, 0, 0) is not None:
        who, result = struct.unpack_from("=Qi", rings, cq[5])
        keep("a network socket of the ring", result if result > 0 else None)
verdict()
"""

_INHERITED = r"""
# Sockets that were made before the network was closed: our own, our parents', the worker's.
for entry in os.listdir("/proc/self/fd"):
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(int(entry))) as one:
        if one.family != socket.AF_UNIX:
            keep(f"descriptor {entry}", (str(one.family), attempt(one.send, b"PING\r\n")))
for pid in [os.getppid(), *others()]:
    handle = attempt(os.pidfd_open, pid)
    for entry in range(3, 64) if handle is not None else ():
        taken = attempt(call, "pidfd_getfd", handle, entry, 0)
        if taken is None:
            continue
        with contextlib.suppress(OSError), socket.socket(fileno=taken) as one:
            if one.family in (socket.AF_INET, socket.AF_INET6):
                one.settimeout(2)
                keep(f"the connection {entry} of {pid}", (attempt(one.send, b"PING\r\n"), attempt(one.recv, 50)))
verdict()
"""

_NAMESPACES = r"""
def in_a_child(step):
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(OSError):
            os.write(into, repr(step()).encode())
        os._exit(0)
    os.close(into)
    os.waitpid(child, 0)
    return os.read(out, 300).decode()
def fresh(flags):
    attempt(call, "unshare", flags)
    return os.readlink("/proc/self/ns/net")
here = os.readlink("/proc/self/ns/net")
for flags in (0x40000000, 0x50000000):
    there = in_a_child(lambda: fresh(flags))
    keep("a network of our own", there if here not in there else None)
for pid in [1, *others()]:
    for way in ("ns", "pidfd"):
        place = attempt(os.open, f"/proc/{pid}/ns/net", os.O_RDONLY) if way == "ns" else attempt(os.pidfd_open, pid)
        if place is not None:
            done = in_a_child(lambda: call("setns", place, 0x40000000))
            keep(f"the network of {pid}", done)
made = subprocess.run(["unshare", "--user", "--net", "sh", "-c", "readlink /proc/self/ns/net"], capture_output=True,
                      text=True).stdout
keep("a network of unshare(1)", made)
verdict()
"""

_CHILDREN = r"""
# Whatever a cell starts, in whatever way: each reports the network socket that it got.
report = "import socket; s = socket.socket(); print(s.family, s.fileno())"
def thread():
    found = []
    one = threading.Thread(target=lambda: found.append(attempt(lambda: str(socket.socket()))))
    one.start()
    one.join()
    return found[0]
keep("a thread", thread())
for words in ([sys.executable, "-I", "-S", "-c", report], ["/usr/bin/python3", "-c", report], ["env", "-i",
        sys.executable, "-c", report],
              ["setsid", sys.executable, "-c", report], ["nohup", sys.executable, "-c", report],
              ["/lib64/ld-linux-x86-64.so.2", os.path.realpath(sys.executable), "-c", report],
              ["perl", "-MSocket", "-e", 'socket(S, PF_INET, SOCK_STREAM, 0) and print "socket"'],
              ["bash", "-c", "exec 3<>/dev/udp/127.0.0.1/9 && echo socket"]):
    with contextlib.suppress(FileNotFoundError):
        keep(words[0], subprocess.run(words, capture_output=True, text=True).stdout.strip())
out, into = os.pipe()
actions = [(os.POSIX_SPAWN_DUP2, into, 1), (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0)]
pid = os.posix_spawn(sys.executable, [sys.executable, "-c", report], {}, file_actions=actions)
os.close(into)
os.waitpid(pid, 0)
keep("posix_spawn", os.read(out, 200))
out, into = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        with contextlib.suppress(OSError):
            os.write(into, str(socket.socket()).encode())
    os._exit(0)
os.close(into)
os.wait()
keep("a daemon", os.read(out, 200))
image = os.memfd_create("program")
os.write(image, f"#!{sys.executable}\n{report}\n".encode())
keep("a program without a file", subprocess.run([f"/proc/self/fd/{image}"], capture_output=True,
                                                pass_fds=[image]).stdout)
verdict()
"""

_PASSED = r"""
# A descriptor can be passed on a socket: does anybody who answers hand one out?
for line in open("/proc/net/unix").readlines()[1:]:
    path = (line.split()[7:] or [""])[0]
    if not path or path.startswith(own_sockets()):
        continue
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(1)
        if passes(one.connect, "\0" + path[1:] if path[0] == "@" else path):
            sent = attempt(socket.send_fds, one, [b"\xff" + bytes(8) + b"\x7f"], [0])
            data = attempt(socket.recv_fds, one, 100, 8)
            owner = struct.unpack("=3i", one.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            if int(fields(owner[0])[3]) != os.getsid(0):
                keep(f"{path} of {owner}", (sent, data))
verdict()
"""

ATTACKS: tuple[Attack, ...] = (
    python(_NETWORK, "Linux's own interfaces for networks", _NETLINK),
    python(_NETWORK, "everybody's packets, and devices that carry them", _PACKETS),
    python(_NETWORK, "sockets of every family and kind", _FAMILIES),
    python(_NETWORK, "the machine below, and large parts of Linux, by sockets", _MACHINE),
    python(_NETWORK, "every protocol of the Internet's families", _PROTOCOLS),
    python(_NETWORK, "sockets whose family a filter may read wrongly", _DIRTY),
    python(_NETWORK, "sockets by Linux's entries for other kinds of programs", _FOREIGN),
    python(_NETWORK, "sockets made by Linux itself, in a ring", _RING),
    python(_NETWORK, "connections that somebody else has open", _INHERITED),
    python(_NETWORK, "another network, or one of our own", _NAMESPACES),
    python(_NETWORK, "sockets from every kind of child", _CHILDREN),
    python(_NETWORK, "descriptors that others pass on", _PASSED),
)
