"""What the keeper refuses before Redis starts, and what it gives away."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from keeper import directory
from keeper.errors import PlaceError
from tests.kept_redis import PASSWORDS, KeptRedis


def test_no_password_is_on_a_command_line_in_an_environment_in_a_log_or_in_a_file_of_redis(kept: KeptRedis) -> None:
    process = Path(f"/proc/{kept.pid}")
    places = [process / "cmdline", process / "environ", kept.runtime / "users.acl", kept.runtime / "redis.conf"]
    text = b"".join(place.read_bytes() for place in places) + kept.log_text().encode()
    assert b"redis-server" in text and b"user client on #" in text
    for password in (*PASSWORDS.values(), (kept.runtime / "health").read_text()):
        assert password.encode() not in text
    assert {path.stat().st_mode & 0o777 for path in kept.runtime.iterdir()} == {0o600}


def test_the_keeper_becomes_redis(kept: KeptRedis) -> None:
    assert Path(f"/proc/{kept.pid}/exe").resolve().name.startswith("redis-")


def start(kept: KeptRedis, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "keeper"],
        env=kept.environment | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("variable", "value", "code", "told"),
    [
        ("REDIS_MEMORY", "lots", 2, r"REDIS_MEMORY='lots' is not a whole number with mb or gb after it, 64mb .*"),
        ("KEEPER_DAAT", "/data", 2, r"KEEPER_DAAT is not a setting; .*"),
        ("KEEPER_SECRETS", "/nowhere", 2, r"the secret /nowhere/redis_client cannot be read \(No such file .*"),
        ("KEEPER_DATA", "/nowhere", 3, r"/nowhere/\.lock cannot be used \(No such .*\); mount a volume at /nowhere\."),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence_and_nothing_starts(
    kept: KeptRedis, variable: str, value: str, code: int, told: str
) -> None:
    done = start(kept, **{variable: value})
    assert (done.returncode, done.stdout) == (code, "")
    assert re.match(f"keeper: {told}", done.stderr) and "Traceback" not in done.stderr


def test_two_never_share_a_data_directory(kept: KeptRedis) -> None:
    done = start(kept, KEEPER_PORT="1")
    assert done.returncode == 3
    assert done.stderr == (
        f"keeper: another Redis uses {kept.data}; stop it first: two would destroy each other's files.\n"
    )


def test_a_full_disk_is_told_with_how_much_is_missing() -> None:
    directory.demand_space(Path("/data"), directory.LEAST_FREE)
    with pytest.raises(PlaceError, match=r"/data is full \(7 MB are free, 32 MB are needed to start\); make room"):
        directory.demand_space(Path("/data"), 7 << 20)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user; the image is tested too")
def test_data_of_another_user_is_told_with_the_mend(tmp_path: Path) -> None:
    (tmp_path / "appendonlydir").mkdir()
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    code = f"from keeper import directory; from pathlib import Path; directory.take(Path({str(tmp_path)!r}))"
    done = subprocess.run(
        ["setpriv", "--reuid", "10002", "--regid", "10002", "--clear-groups", "/usr/bin/python3", "-c", code],
        env={"PYTHONPATH": str(Path(directory.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "cannot be written to by user 10002" in done.stderr and "chown -R 10002:10002" in done.stderr
