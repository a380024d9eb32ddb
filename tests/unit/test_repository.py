"""What the repository says about itself is true: settings, locks, licence, and rules that no linter knows."""

from __future__ import annotations

import ast
import itertools
import re
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from outlast.deploy.options import OPTIONS
from outlast.settings import Settings

ROOT = Path(__file__).parent.parent.parent
SOURCES = sorted((ROOT / "services/outlast").rglob("*.py"))
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

#: A line of .env.example that sets something, commented out or not.
SETTING = re.compile(r"^(?P<off>#?)(?P<name>[A-Z][A-Z0-9_]*)=(?P<value>.*)$", re.M)


def test_the_example_of_the_environment_has_every_setting_once_in_the_order_of_the_code() -> None:
    told = [found["name"] for found in SETTING.finditer((ROOT / ".env.example").read_text())]
    ours = [f"OUTLAST_{setting.name.upper()}" for setting in fields(Settings)]
    assert told == [*(option.name for option in OPTIONS), *ours]


def test_the_example_of_the_environment_tells_the_defaults_and_sets_nothing() -> None:
    found = list(SETTING.finditer((ROOT / ".env.example").read_text()))
    assert all(line["off"] for line in found)
    told = {line["name"]: line["value"] for line in found}
    assert [told.pop(option.name) for option in OPTIONS] == [option.default for option in OPTIONS]
    assert Settings.load(told) == Settings()


def test_every_setting_of_the_example_is_explained_above_it() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    for number, line in enumerate(lines):
        if SETTING.match(line):
            assert lines[number - 1].startswith("# "), line


def test_only_settings_reads_the_variables_of_outlast() -> None:
    for source in SOURCES:
        if source.name != "settings.py":
            for name in _variables_read(ast.parse(source.read_text())):
                assert not name.startswith(("OUTLAST_", "RQ_")), f"{source} reads {name}"


def _variables_read(tree: ast.AST) -> Iterator[str]:
    """Names that the code looks up in `environ` or with `getenv`."""
    for node in ast.walk(tree):
        match node:
            case ast.Subscript(value=place, slice=ast.Constant(value=str(name))) if _is(place, "environ"):
                yield name
            case ast.Call(func=ast.Attribute(value=place), args=[ast.Constant(value=str(name)), *_]) if _is(
                place, "environ"
            ):
                yield name
            case ast.Call(func=function, args=[ast.Constant(value=str(name)), *_]) if _is(function, "getenv"):
                yield name


def _is(node: ast.expr, name: str) -> bool:
    """Whether the expression is `name` or `something.name`."""
    return (isinstance(node, ast.Attribute) and node.attr == name) or (isinstance(node, ast.Name) and node.id == name)


def test_the_search_for_variables_finds_each_way_to_read_one() -> None:
    code = "os.environ['A']; os.environ.get('B', 1); environ['C']; os.getenv('D'); getenv('E'); os.environ.pop('F')"
    assert sorted(_variables_read(ast.parse(code))) == ["A", "B", "C", "D", "E", "F"]


def test_only_the_log_uses_stream_commands() -> None:
    commands = {"xadd", "xrange", "xrevrange", "xread", "xlen", "xdel", "xtrim", "xinfo_stream", "xsetid"}
    for source in SOURCES:
        if source.parent.name != "log":
            called = {node.attr for node in ast.walk(ast.parse(source.read_text())) if isinstance(node, ast.Attribute)}
            # RQ keeps the results of its jobs in streams of its own, which the command line reads.
            allowed = {"xrevrange"} if source.name == "source.py" else set()
            assert not called & commands - allowed, source


def test_the_records_import_nothing_of_ours() -> None:
    for node in ast.walk(ast.parse((ROOT / "services/outlast/log/records.py").read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0 and not (node.module or "").startswith("outlast")
        if isinstance(node, ast.Import):
            assert not any(alias.name.startswith("outlast") for alias in node.names)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_pins_and_hashes_every_package_and_names_no_address(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text and "@" not in text and "--index" not in text and "--find-links" not in text
    for package in re.split(r"\n(?=[a-zA-Z0-9])", re.sub(r"\A(#.*\n)+", "", text)):
        assert re.match(r"[\w.-]+(\[[\w, -]+\])?==\S+", package), package
        assert "--hash=sha256:" in package, package


def test_every_role_has_its_lock_and_every_lock_its_role() -> None:
    # PyTorch for processors is one file from an index of its own; its lock is kept by hand.
    roles = {source.stem for source in (ROOT / "requirements").glob("*.in")}
    assert {lock.stem for lock in LOCKS} == roles | {"torch-cpu"}


def test_the_locks_agree_with_each_other_where_they_share_an_environment() -> None:
    pinned: dict[str, str] = {}
    for role in ("client", "build", "worker", "demo", "dev"):
        lock = (ROOT / f"requirements/{role}.txt").read_text()
        for name, version in re.findall(r"^([\w.-]+)(?:\[\S+\])?==(\S+) \\", lock, re.M):
            assert pinned.setdefault(name, version) == version, f"{name} in {role}"


def test_the_peers_of_the_bench_are_measured_on_the_libraries_of_the_kernels() -> None:
    kernel, others = (_pins(role) for role in ("kernel", "peers"))
    assert {"numpy", "pandas", "cloudpickle"} <= kernel.keys() & others.keys()
    assert all(others[name] == kernel[name] for name in kernel.keys() & others.keys())


def _pins(role: str) -> dict[str, str]:
    lock = (ROOT / f"requirements/{role}.txt").read_text()
    return dict(re.findall(r"^([\w.-]+)(?:\[\S+\])?==(\S+)", lock, re.M))


def test_no_lock_but_the_model_servers_brings_a_machine_learning_framework() -> None:
    for lock in (lock for lock in LOCKS if lock.stem not in ("torch-cpu", "vllm-cpu", "vllm-cuda")):
        assert not re.search(r"^(torch|tensorflow|jax|nvidia-)\S*==", lock.read_text(), re.M), lock


def test_the_declared_dependencies_are_those_of_the_locks() -> None:
    declared = {"client": PROJECT["dependencies"], "worker": PROJECT["optional-dependencies"]["worker"]}
    for role, wanted in declared.items():
        lines = (ROOT / f"requirements/{role}.in").read_text().splitlines()
        asked = {re.split(r"[<>=]", line)[0] for line in lines if line and not line.startswith(("#", "-"))}
        assert asked == {re.split(r"[<>=\[]", item)[0] for item in wanted}, role


def test_the_licence_is_the_whole_of_the_one_declared() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert PROJECT["license"] == "AGPL-3.0-only"
    assert text.lstrip().startswith("GNU AFFERO GENERAL PUBLIC LICENSE")
    assert "13. Remote Network Interaction" in text and "END OF TERMS AND CONDITIONS" in text


@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md", "docs/architecture.md"])
def test_what_a_page_links_to_or_names_as_a_file_is_there(page: str) -> None:
    text = (ROOT / page).read_text()
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert ((ROOT / page).parent / target).exists(), target
    for named in re.findall(r"`((?:services|tests|demo|bench|docs|tools|requirements)/[\w./-]+)`", text):
        assert (ROOT / named).exists(), named


def test_the_readme_names_only_make_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = set(re.findall(r"\bmake ([a-z-]+)\b", " ".join(re.findall(r"`[^`]*`", (ROOT / "README.md").read_text()))))
    assert {"demo", "test"} <= named <= targets


def test_the_makefile_explains_every_target_that_people_call() -> None:
    targets = re.findall(r"^([a-z-]+):(.*)$", (ROOT / "Makefile").read_text(), re.M)
    assert all("## " in rest for name, rest in targets if not name.startswith("environment"))


def test_every_exception_of_the_linters_of_images_and_of_the_stack_has_its_reason() -> None:
    for file in [ROOT / ".hadolint.yaml", *ROOT.glob("images/*/Dockerfile")]:
        lines = file.read_text().splitlines()
        for above, line in itertools.pairwise(lines):
            if "hadolint ignore" in line or line.startswith("  - "):
                assert re.match(r" *# \w.* ", above), f"{file}: {line}"
    for rule, told in yaml.safe_load((ROOT / ".compose-lint.yml").read_text())["rules"].items():
        assert told.keys() == {"exclude_services"}, rule
        assert all(" " in reason for reason in told["exclude_services"].values()), rule


def test_an_interpreter_that_does_not_fit_is_asked_for_by_name(tmp_path: Path) -> None:
    broken = tmp_path / "python3"
    broken.write_text("#!/bin/sh\necho 'python3: command not found' >&2\nexit 127\n")
    broken.chmod(0o755)
    search = ["/bin/sh", ROOT / "tools/find-python"]
    result = subprocess.run(search, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert result.returncode == 1 and result.stdout == ""
    assert "Python 3.11 or Python 3.12" in result.stderr and len(result.stderr.splitlines()) == 1
