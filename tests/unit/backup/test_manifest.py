"""A manifest is read as it was written, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlast.backup import manifest
from outlast.backup.manifest import FILE, Entry, Manifest
from outlast.errors import BackupError

#: Any bytes, as Python shows them.
NAMES = st.binary(min_size=1, max_size=20).map(lambda name: name.decode("utf-8", "surrogateescape"))
ENTRIES = st.builds(
    Entry,
    path=NAMES,
    kind=st.sampled_from(("file", "directory", "link", "fifo")),
    mode=st.integers(0, 0o7777),
    uid=st.integers(0, 2**31),
    gid=st.integers(0, 2**31),
    mtime=st.integers(-(2**62), 2**62),
    size=st.integers(0, 2**62),
    digest=st.text("0123456789abcdef", max_size=64),
    target=NAMES,
    inode=st.integers(0, 2**62),
    changed=st.integers(0, 2**62),
)
SAMPLE = Manifest(
    "20261123T041122.250Z", 1795407082.25, "0.1.0", 1,
    (Entry("workspaces", "directory", 0o711, 0, 0, 0), Entry("workspaces/s/a", "file", 0o600, 1, 1, 5, 3, "ab" * 32)),
    ("s/deep: it is too deep",), {"REDIS_MEMORY": "1gb"},
)  # fmt: skip


@given(st.lists(ENTRIES, max_size=5))
def test_any_manifest_is_read_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, entries: list[Entry]) -> None:
    place = tmp_path_factory.mktemp("backup")
    written = Manifest("n", 1.5, "v", 2, tuple(entries))
    manifest.write(place, written)
    assert manifest.read(place) == written


def test_every_byte_of_it_counts(tmp_path: Path) -> None:
    manifest.write(tmp_path, SAMPLE)
    text = (tmp_path / FILE).read_bytes()
    for at in range(len(text)):
        (tmp_path / FILE).write_bytes(text[:at] + bytes([text[at] ^ 1]) + text[at + 1 :])
        with pytest.raises(BackupError, match=r"manifest of the backup .* is damaged|has format"):
            manifest.read(tmp_path)
    for length in range(len(text)):
        (tmp_path / FILE).write_bytes(text[:length])
        with pytest.raises(BackupError, match="is damaged"):
            manifest.read(tmp_path)


def test_a_directory_without_one_is_no_backup(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="never finished"):
        manifest.read(tmp_path)
