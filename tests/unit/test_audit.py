"""`make audit` tells a clean bill from a service that was not asked, or that knows nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tools import audit

#: A stand-in for pip-audit: of each package of the file it says what `LIST` has.
PROGRAM = """\
import json, pathlib, sys
words = dict(zip(sys.argv[1:], sys.argv[2:]))
LIST = {known}
told = []
for line in pathlib.Path(words["--requirement"]).read_text().splitlines():
    name, _, version = line.partition(" ")[0].partition("==")
    entry = LIST.get(f"{{name}}=={{version}}", [])
    told.append({{"name": name, "skip_reason": entry}} if isinstance(entry, str) else
        {{"name": name, "version": version, "vulns": [{{"id": it, "fix_versions": fixed}} for it, fixed in entry]}})
pathlib.Path(words["--output"]).write_text(json.dumps({{"dependencies": told, "fixes": []}}))
"""

FAMOUS = {audit.KNOWN.strip(): [("CVE-2019-10906", ["2.10.1"])]}


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """What the command comes to."""
    sys.argv[:] = ["audit.py", *words]
    code = audit.main()
    return code, *capsys.readouterr()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two locks."""
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/a.txt").write_text("safe==1\nodd==2\n")
    (tmp_path / "requirements/b.txt").write_text("torch==2.13.0+cpu\n")
    monkeypatch.setattr(audit, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", [])
    return tmp_path


def stand_in(root: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    (root / "pip_audit.py").write_text(program)
    monkeypatch.setattr(audit, "PIP_AUDIT", [sys.executable, "-SE", str(root / "pip_audit.py")])


def knows(root: Path, monkeypatch: pytest.MonkeyPatch, known: dict[str, object]) -> None:
    stand_in(root, monkeypatch, PROGRAM.format(known=repr(known)))


def test_locks_without_a_known_vulnerability(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    knows(root, monkeypatch, {**FAMOUS})
    assert run(capsys) == (
        0, "requirements/a.txt: 2 looked up, nothing found\nrequirements/b.txt: 1 looked up, nothing found\n", ""
    )  # fmt: skip


def test_a_vulnerability_is_told_with_its_lock_and_what_mends_it(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {"odd==2": [("CVE-1", ["2.1", "3"]), ("CVE-2", [])], "torch==2.13.0": [("CVE-3", ["2.14"])]}
    knows(root, monkeypatch, {**FAMOUS, **found})
    code, out, err = run(capsys, "--service", "osv")
    assert (code, err) == (1, "")
    assert out.splitlines() == [
        "requirements/a.txt: 2 looked up, 2 found",
        "  odd 2: CVE-1, fixed in 2.1, 3",
        "  odd 2: CVE-2, without a fixed release",
        "requirements/b.txt: 1 looked up, 1 found",
        "  torch 2.13.0: CVE-3, fixed in 2.14",
    ]


def test_a_package_that_the_service_does_not_know_is_no_clean_bill(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    knows(root, monkeypatch, {**FAMOUS, "odd==2": "never heard of it"})
    code, out, _ = run(capsys)
    assert code == 1 and "  odd: not looked up (never heard of it)\n" in out


@pytest.mark.parametrize("known", [{}, {audit.KNOWN.strip(): "not found"}])
def test_an_index_without_vulnerabilities_is_not_taken_for_an_answer(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], known: dict[str, object]
) -> None:
    knows(root, monkeypatch, known)
    code, out, err = run(capsys)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1 and "make audit SERVICE=osv" in err and "pypi has nothing about jinja2==2.10" in err


def test_a_service_that_cannot_be_reached_is_told_in_one_sentence(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(root, monkeypatch, "import sys\nsys.exit('Traceback\\nConnectionError: no such host\\n')\n")
    code, out, err = run(capsys)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1 and "run make audit on a machine with the internet" in err
    assert err.endswith("(pip-audit exited 1: ConnectionError: no such host).\n")
