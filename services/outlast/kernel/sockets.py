"""What waits in the buffers of Unix sockets, by user, as Linux tells over netlink (`unix_diag`). Standard library only.

Numbers and structures: <linux/sock_diag.h>, <linux/unix_diag.h>, <linux/netlink.h>.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

_NETLINK_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY = 4, 20
_REQUEST_AND_DUMP, _ERROR, _DONE = 0x301, 2, 3
_SHOW_QUEUES, _SHOW_MEMORY, _SHOW_USER = 0x10, 0x20, 0x40
_QUEUES, _MEMORY, _USER = 4, 5, 7
#: struct nlmsghdr, struct unix_diag_req, struct unix_diag_msg, struct nlattr.
_HEADER, _ASK, _ANSWER, _ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=BBHIIIII"), 16, struct.Struct("=HH")


def buffered(uid: int) -> int:
    """Bytes in buffers of this user's Unix sockets, in this network namespace. OSError where Linux does not tell."""
    received = sent = 0
    for attributes in _all():
        if struct.unpack_from("=I", attributes.get(_USER, b"\xff" * 4))[0] == uid:
            received += struct.unpack_from("=I", attributes.get(_QUEUES, bytes(4)))[0]
            # Of `SK_MEMINFO` the third: what is on its way, with all that Linux needs to keep it.
            sent += struct.unpack_from("=3I", attributes.get(_MEMORY, bytes(12)))[2]
    # The same bytes, from both ends; a sender may be gone.
    return max(received, sent)


def _all() -> Iterator[dict[int, bytes]]:
    """Of each socket its attributes by their numbers."""
    show = _SHOW_QUEUES | _SHOW_MEMORY | _SHOW_USER
    ask = _ASK.pack(socket.AF_UNIX, 0, 0, 0xFFFFFFFF, 0, show, 0, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as netlink:
        netlink.settimeout(1.0)
        netlink.send(_HEADER.pack(_HEADER.size + len(ask), _SOCK_DIAG_BY_FAMILY, _REQUEST_AND_DUMP, 1, 0) + ask)
        while True:
            data = netlink.recv(1 << 18)
            while data:
                length, kind, _, _, _ = _HEADER.unpack_from(data)
                if kind == _DONE:
                    return
                if kind == _ERROR:
                    raise OSError(-struct.unpack_from("=i", data, _HEADER.size)[0], "unix_diag")
                yield dict(_attributes(data[_HEADER.size + _ANSWER : length]))
                data = data[_aligned(length) :]


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        yield kind, data[_ATTRIBUTE.size : length]
        data = data[_aligned(max(length, _ATTRIBUTE.size)) :]


def _aligned(length: int) -> int:
    return (length + 3) & ~3
