"""The stream between a container and the host: whole, or refused."""

from __future__ import annotations

import io
import tarfile

import pytest

from outlast.cli import archive
from outlast.cli.elsewhere import Cut
from outlast.cli.saving import Item, Readable, Short

ITEMS = (
    Item(("d",)),
    Item(("d", "a\nb\udcff"), 3, io.BytesIO(b"abc")),
    Item(("d", "x" * 200, "y" * 200), 70_000, io.BytesIO(bytes(70_000))),
)


def stream() -> io.BytesIO:
    written = io.BytesIO()
    for item in ITEMS:
        if isinstance(item.content, io.BytesIO):
            item.content.seek(0)
    archive.write(iter(ITEMS), written)
    written.seek(0)
    return written


def everything(content: Readable | None) -> bytes | None:
    return content.read(1 << 20) if content else None


def test_what_is_read_is_what_was_written() -> None:
    told = [(item.parts, item.size, everything(item.content)) for item in archive.read(stream())]
    assert told == [(("d",), 0, None), (ITEMS[1].parts, 3, b"abc"), (ITEMS[2].parts, 70_000, bytes(70_000))]


@pytest.mark.parametrize("end", [1, 2000, 40_000])
def test_a_stream_that_is_cut_off_in_a_file_is_never_taken_for_whole(end: int) -> None:
    with pytest.raises(Cut):
        for item in archive.read(io.BytesIO(stream().getvalue()[:end])):
            everything(item.content)


@pytest.mark.parametrize("data", [b"", b"outlast: no", bytes(range(256)) * 40])
def test_what_is_no_archive_is_refused(data: bytes) -> None:
    with pytest.raises(Cut):
        list(archive.read(io.BytesIO(data)))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(kind: bytes) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w|") as tar:
        member = tarfile.TarInfo("a")
        member.type, member.linkname = kind, "/etc/passwd"
        tar.addfile(member)
    made.seek(0)
    with pytest.raises(Cut):
        list(archive.read(made))


def test_a_file_that_shrinks_cuts_the_archive_off() -> None:
    written = io.BytesIO()
    with pytest.raises(Short):
        archive.write(iter([Item(("a",), 100_000, io.BytesIO(b"few"))]), written)
    written.seek(0)
    with pytest.raises(Cut):
        list(archive.read(written))
