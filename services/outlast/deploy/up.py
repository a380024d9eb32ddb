"""`make up` and its kin: check everything, then make what is missing, build, start, and wait until all is well."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from . import build, checks, docker, dotenv, secrets, sessions, watch
from .checks import Facts
from .docker import DeployError
from .findings import any_bad, line
from .options import OPTIONS
from .progress import Display
from .stack import CPU_FILES, Container, Stack, mounted

OK, FAILED, REFUSED, INTERRUPTED = 0, 1, 2, 130


def up(stack: Stack, *, cpu: bool, fresh: bool, force: bool = False) -> int:
    """Bring the stack up; `fresh` takes the newest base image first. Returns the exit code.

    An upgrade is refused, unless `force`, while sessions could not be handed back; a plain start may be the mend.
    """
    stack = _with_cpu(stack, cpu=cpu)
    ready = prepare(stack, fresh=fresh, careful=fresh and not force)
    if isinstance(ready, int):
        return ready
    facts = ready[0]
    ran = sessions.running(stack, facts.containers)
    code = start(stack, *ready)
    if code != OK or not ran:
        return code
    after = stack.containers(facts.project)
    return sessions.until_gone_on(stack, ran, reopened=_workers(after) != _workers(facts.containers))


def prepare(stack: Stack, *, fresh: bool = False, careful: bool = False) -> tuple[Facts, Display, list[Path]] | int:
    """Check everything, then make and build what is missing, and start nothing; or the exit code of a refusal.

    `careful`: refused, too, while running workers could not hand their sessions back.
    """
    findings, facts = checks.check(stack)
    colour = sys.stdout.isatty()
    if any_bad(findings):
        for finding in findings:
            print(line(finding, colour=colour))
        count = sum(finding.verdict == "bad" for finding in findings)
        what = "the line with ✗" if count == 1 else f"the {count} lines with ✗"
        print(f"\nNothing was changed: mend {what}, then make up again.")
        return REFUSED
    hand_back = careful and any(it.service == "worker" and it.running for it in facts.containers)
    if hand_back and (unsafe := list(sessions.unsafe(facts.containers, "worker"))):
        print("\n".join([*unsafe, "", "Nothing was changed: mend the line with ✗ first, or add FORCE=1."]))
        return REFUSED
    print(f"{len(findings)} checks passed (make doctor tells them).", flush=True)
    display = Display(sys.stdout)
    try:
        made = _make(stack, facts)
        build.build(stack, facts, display, fresh=fresh)
    except KeyboardInterrupt:
        display.clear()
        print("\nInterrupted: nothing was started. What was built so far is kept, make up goes on from there.")
        return INTERRUPTED
    return facts, display, made


def _with_cpu(stack: Stack, *, cpu: bool) -> Stack:
    """`make up CPU=1`: for the checks, as if the new .env said so already. An .env that is there is the operator's."""
    if not cpu:
        return stack
    if not stack.env_file.exists():
        return Stack(stack.directory, {**stack.environ, "COMPOSE_FILE": CPU_FILES})
    if checks.compose_file(stack) != CPU_FILES:
        raise DeployError(
            f"{stack.env_file.name} is there and make does not change it: "
            f"put COMPOSE_FILE={CPU_FILES} into it, then make up again."
        )
    return stack


def _make(stack: Stack, facts: Facts) -> list[Path]:
    """.env, directories, secrets and .env.client, as far as they are missing; the files that were made."""
    made = []
    if not stack.env_file.exists():
        text = (stack.directory / ".env.example").read_text(encoding="utf-8")
        # What this first start was told on its command line is there for the next one too.
        for option in OPTIONS:
            if stack.environ.get(option.name):
                text = dotenv.with_line_set(text, option.name, stack.environ[option.name])
        secrets.replace(stack.env_file, text, 0o644)
        made.append(stack.env_file)
    places = (("worker", "/data", 0o777), ("vllm", "/models", 0o777), ("backup", "/backups", 0o700))
    for service, target, mode in places:
        # Made by this user; the engine would make them as root.
        if (place := mounted(facts.config["services"].get(service, {}), target)) is not None:
            place.mkdir(mode=mode, parents=True, exist_ok=True)
    directory = checks.secrets_directory(facts)
    made += secrets.make(directory)
    password = (directory / "redis_client").read_text(encoding="ascii").strip()
    port = facts.service("redis")["ports"][0]["published"]
    address = f"# For the `rq` and `outlast` of this host; make up writes it.\nRQ_REDIS_URL=redis://client:{password}@127.0.0.1:{port}/0\n"
    if secrets.replace(stack.client_file, address, 0o600):
        made.append(stack.client_file)
    for file in made:
        print(f"made {_shown(stack, file)}", flush=True)
    return made


def start(stack: Stack, facts: Facts, display: Display, made: Sequence[Path]) -> int:
    """Start what does not run, recreate what has changed, and wait for all of it. Returns the exit code."""
    before = facts.containers
    try:
        after = _start(stack, facts, display)
    except KeyboardInterrupt:
        print(
            "\nInterrupted: the containers go on starting. make ps shows how far they are, "
            "make up waits for them again, make down stops them."
        )
        return INTERRUPTED
    except DeployError as error:
        sys.stdout.flush()
        text = watch.explained(stack, error) if isinstance(error, watch.Failed) else f"{error}\n"
        print(f"\n{text}{_undo(stack, facts, before)}", file=sys.stderr)
        return FAILED
    print(_told(stack, facts, changed=bool(made) or _ids(before) != _ids(after)))
    return OK


def _start(stack: Stack, facts: Facts, display: Display) -> list[Container]:
    words = ["docker", "compose", "up", "--detach", "--no-build"]
    workers = sum(it.service == "worker" and it.running for it in facts.containers)
    if workers > 1:  # what an earlier `--scale` has added stays
        words += ["--scale", f"worker={workers}"]
    if any(it.service not in facts.config["services"] for it in facts.containers):
        # BACKUP_EVERY was taken away: Compose leaves what belongs to a profile that is not asked for.
        stack.compose("--profile", "backup", "rm", "--stop", "--force", "backup")
    outdated = secrets.outdated(facts.config, facts.containers)
    if outdated:
        # They hold the files that were there before; Compose sees no difference, and would leave them.
        removed = stack.compose("rm", "--stop", "--force", *outdated)
        if not removed.ok:
            raise docker.failure(f"replace {', '.join(outdated)}", removed)
    return carry_out(stack, facts, words, list(facts.config["services"]), display)


def carry_out(
    stack: Stack, facts: Facts, words: Sequence[str], services: Sequence[str], display: Display
) -> list[Container]:
    """Run a command that starts `services`, and wait until they are ready. Failed, or DeployError."""
    before = {it.id: it for it in facts.containers}
    with tempfile.TemporaryFile() as said, subprocess.Popen(
        words, cwd=stack.directory, env=dict(stack.environ), stdin=subprocess.DEVNULL,
        stdout=said, stderr=subprocess.STDOUT, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            after = watch.until_ready(stack, facts.project, services, before, display, process)
        except watch.Failed:
            process.terminate()
            raise
        if process.returncode:
            said.seek(0)
            text = said.read().decode(errors="replace")
            raise docker.failure(f"start {', '.join(services)}", docker.Result(process.returncode, "", text))
    return after


def _undo(stack: Stack, facts: Facts, before: Sequence[Container]) -> str:
    """Stop what this start brought up; what ran before goes on. The sentence about it."""
    ran = {it.service for it in before if it.running}
    ours = [name for name in facts.config["services"] if name not in ran]
    kept = f" {' and '.join(sorted(ran))} ran before and {'go' if len(ran) > 1 else 'goes'} on." if ran else ""
    if not ours:
        return "Nothing was stopped, for all services ran before. make logs shows more; make up tries again."
    stopped = stack.compose("stop", *ours)
    if not stopped.ok:
        return str(docker.failure("stop what was started", stopped))
    return f"Stopped again: {', '.join(ours)}.{kept} make logs shows more; make up tries again."


def _ids(containers: Sequence[Container]) -> list[tuple[str, str]]:
    return [(it.id, it.started) for it in containers]


def _workers(containers: Sequence[Container]) -> list[tuple[str, str]]:
    return _ids([it for it in containers if it.service == "worker"])


def _told(stack: Stack, facts: Facts, *, changed: bool) -> str:
    """That it is up, and the two lines to paste."""
    worker, vllm = facts.service("worker")["environment"], facts.service("vllm").get("environment", {})
    state = "Ready" if changed else "Nothing to change, all is up as it should be"
    model = str(vllm.get("MODEL", "the model")).rstrip("/").rpartition("/")[2]
    client = _shown(stack, stack.client_file)
    job = "rq enqueue outlast.run prompt=\"print hello world\""
    return (
        f"\n{state}: {model}, {worker['OUTLAST_WORKERS']} sessions at a time in a worker container.\n"
        "Enqueue in the container, or with this host's own rq:\n\n"
        f"  docker compose exec worker {job}\n"
        f"  set -a; . {client}; {job}\n"
    )


def _shown(stack: Stack, file: Path) -> str:
    """A path as it can be typed in the stack's directory."""
    return f"./{file.relative_to(stack.directory)}" if file.is_relative_to(stack.directory) else str(file)
