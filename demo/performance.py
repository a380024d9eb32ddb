"""The demo from the first line to the last."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from rich.table import Table

from demo.generate import generate
from demo.killing import KillPoint, Victims, find, kill
from demo.stage import SESSION, Stage, StageError
from demo.telling import Teller
from outlast.cli.history import History
from outlast.cli.text import duration, plural, size
from outlast.log import records as r
from outlast.log.patience import at_once
from outlast.log.redis_log import RedisLog
from outlast.log.verify import record_to_json

PROMPT = (
    "Clean large_sales_data.csv of empty rows, make its sales numeric, sum them by region, "
    "and draw the sums as a bar chart to sales_by_region.png."
)
DATA, CHART, TOTALS = "large_sales_data.csv", "sales_by_region.png", "totals.csv"

#: Seconds without a record after which the demo says that it is stuck; the largest file takes a minute to read.
SILENCE_SECONDS = 300.0
#: Seconds without a record, in the cell that is to be killed and has printed, after which its middle has come.
MOMENT_SECONDS = 0.1


@dataclass(frozen=True)
class Options:
    """What the demo was asked for; `data_size` in bytes."""

    data_size: int
    kill: KillPoint
    script: Path
    output: Path
    keep: bool = False
    summary: Path | None = None


@dataclass
class Told:
    """What happened."""

    past: History = field(default_factory=lambda: History(SESSION))
    log: list[r.Record] = field(default_factory=list)
    killed_at: float | None = None
    victims: Victims | None = None
    resumed_after: float | None = None
    #: Whether the terminal says by now that a half-finished reply went on.
    continued: bool = False
    verified: bool = False
    #: Whether the kill came, if there was to be one.
    as_asked: bool = True
    #: Where the chart was copied to; None if there is none.
    chart: Path | None = None

    @property
    def good(self) -> bool:
        """What the exit code says."""
        sound = all(cell.status == "ok" for cell in self.past.cells)
        done = self.past.state == "finished" and sound and self.chart is not None
        return done and self.verified and not self.past.ran_twice and self.as_asked


def perform(options: Options) -> int:
    """Run the whole demo; 0 if all is as promised, else 1. StageError if it cannot be run."""
    tell = Teller()
    _check(options)
    started = time.monotonic()
    with Stage(options.script, keep=options.keep) as stage:
        try:
            _set_up(stage, options, tell)
            told = _watch(stage, options.kill, tell)
            tell.busy("")
            _finish(stage, options, told, tell)
        finally:
            tell.busy("")
            if options.keep:
                tell.fact("kept", str(stage.directory))
        if options.summary:
            summary = summarise(stage, options, told) | {"seconds": round(time.monotonic() - started, 3)}
            options.summary.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    return 0 if told.good else 1


def _check(options: Options) -> None:
    replies = yaml.safe_load(options.script.read_text(encoding="utf-8"))["replies"]
    cells = sum("```" in (reply if isinstance(reply, str) else reply["text"]) for reply in replies)
    most = {"cell": cells, "reply": len(replies), "none": 0}[options.kill.kind]
    if options.kill.number > most:
        raise StageError(f"--kill {options.kill}: the script has only {most} of them.")


def _set_up(stage: Stage, options: Options, tell: Teller) -> None:
    tell.heading("Outlast: a session outlasts its worker")
    tell.say("The model here is a script with fixed replies (demo/script.yaml). All else is real.")
    tell.say()
    tell.busy(f"writing {size(options.data_size)} of sales")
    rows = generate(stage.data / DATA, options.data_size)
    tell.fact("data", f"{DATA}: {size((stage.data / DATA).stat().st_size)}, {rows:,} rows")
    tell.fact("log", f"{stage.start_redis()} at {stage.redis_url}, appendonly yes, appendfsync always")
    stage.start_model()
    tell.fact("model", f"a script, not a model, at {stage.model_url}")
    tell.busy("starting two workers")
    stage.start_workers()
    tell.fact("workers", ", ".join(f"{name} (process {item.pid})" for name, item in stage.workers.items()))
    tell.fact("sandbox", stage.sandbox())
    tell.fact("kill", f"SIGKILL {options.kill.words}" if options.kill.number else "none this time")
    tell.say()
    command = stage.enqueue_command(PROMPT, stage.data / DATA)
    tell.busy("")
    tell.command(command)
    stage.enqueue(command)


def _watch(stage: Stage, point: KillPoint, tell: Teller) -> Told:
    """Show the session's log as it grows, and kill when the moment has come; returns when the session is closed."""
    told = Told()
    with stage.connection() as connection:
        log = RedisLog(connection, SESSION, give_up=at_once)
        heard = time.monotonic()
        while True:
            armed = point.kind != "none" and told.killed_at is None
            records = log.follow(told.log[-1].id if told.log else None, MOMENT_SECONDS if armed else 1.0)
            for record in records:
                heard = time.monotonic()
                told.log.append(record)
                told.past.add(record)
                _tell(told, record, tell)
                if told.killed_at is None and point.due(told.past, record):
                    _kill(stage, point, told, tell)
            if not records and told.killed_at is None and point.last_call(told.past):
                _kill(stage, point, told, tell)
            if told.past.state in ("finished", "failed"):
                return told
            _still_alive(stage, told, time.monotonic() - heard)


def _still_alive(stage: Stage, told: Told, silence: float) -> None:
    lost = [name for name, item in stage.workers.items() if item.poll() not in (None, -9)]
    if lost or silence > SILENCE_SECONDS:
        name = lost[0] if lost else next(name for name in stage.workers if name not in stage.gone())
        what = f"{name} has ended" if lost else f"nothing happened for {SILENCE_SECONDS:.0f} s"
        raise StageError(f"{what}; the end of its log (--keep keeps all of it):\n{stage.tail(name)}")


def _tell(told: Told, record: r.Record, tell: Teller) -> None:
    body, past = record.body, told.past
    match body:
        case r.AttemptOpened():
            _attempt(told, body, record, tell)
        case r.StateRestored():
            tell.restored(body)
        case r.CellReplayed():
            changed = f"; it had changed {', '.join(body.files)}" if body.files else ""
            unsaved = any(cell.number == body.cell and cell.pending for cell in past.cells)
            why = "whose variables were not saved yet" if unsaved else "which had not ended"
            tell.fact("again", f"cell {body.cell}, {why}{changed}")
        case _:
            attempt = past.attempts[-1] if past.attempts else None
            if attempt and attempt.continued and not told.continued:
                told.continued = True
                tell.fact("continued", f"the reply, after the {attempt.partial_chars} characters that are logged")
            tell.record(record, past)


def _attempt(told: Told, body: r.AttemptOpened, record: r.Record, tell: Teller) -> None:
    tell.busy("")
    number = record.id.attempt
    tell.heading(f"Attempt {number}: {body.worker}", "bold cyan")
    if told.killed_at is None or number == 1:
        return
    if told.resumed_after is None:
        told.resumed_after = record.at - told.killed_at
        tell.fact("resumed", f"{told.resumed_after:.2f} s after the kill")
    done = [str(cell.number) for cell in told.past.cells if cell.ended and not cell.pending]
    if done:
        tell.fact("not again", f"{'cells' if len(done) > 1 else 'cell'} {', '.join(done)}: completed, so not run again")


def _kill(stage: Stage, point: KillPoint, told: Told, tell: Teller) -> None:
    holder = told.past.attempts[-1].worker
    name = next((name for name in stage.workers if name in holder), None)
    if name is None:
        raise StageError(f"attempt 1 is held by {holder}, which is none of the demo's workers.")
    told.victims = find(stage.workers[name].pid)
    told.killed_at = kill(told.victims)
    v = told.victims
    tell.killed(point.words, f"{name} ({v.worker}), its child ({v.child}), the kernel ({v.kernel})")
    tell.busy("the other worker has to notice")


def _finish(stage: Stage, options: Options, told: Told, tell: Teller) -> None:
    past = told.past
    if past.state == "finished":
        tell.heading("Result", "bold green")
        _totals(stage.files / TOTALS, tell)
        chart = stage.files / CHART
        if chart.exists():
            options.output.mkdir(parents=True, exist_ok=True)
            told.chart = options.output / CHART
            shutil.copyfile(chart, told.chart)
            tell.fact("chart", str(told.chart))
            tell.fact("sha256", f"{digest(chart)[:20]}…, the same wherever the kill is")
        attempts, cells = plural(len(past.attempts), "attempt"), plural(len(past.cells), "cell")
        again = [str(cell.number) for cell in past.cells if cell.runs > 1]
        how = f", each run once but for cell {', '.join(again)}, which the kill caught" if again else ", each run once"
        tell.fact("session", f"{attempts}, {cells}{how}; {duration(past.now.seconds)}")
    else:
        tell.heading(f"The session {past.state}: {past.reason}", "bold red")
    if past.ran_twice:
        tell.say(f"Completed cells that ran again: {past.ran_twice}. This must not happen.", "bold red")
    told.as_asked = not options.kill.number or told.killed_at is not None
    if not told.as_asked:
        tell.say(f"There was no kill {options.kill.words}: it was over too soon.", "bold red")
    tell.say()
    options.output.mkdir(parents=True, exist_ok=True)
    saved = options.output / f"{SESSION}.jsonl"
    saved.write_text("".join(record_to_json(record) + "\n" for record in told.log), encoding="utf-8")
    tell.command(["outlast", "verify", SESSION])
    sys.stdout.flush()
    verify = [sys.executable, "-m", "outlast", "verify", SESSION]
    told.verified = subprocess.run(verify, env=stage.environment(), check=False).returncode == 0
    tell.fact("log", f"{saved} (a copy: `outlast verify --file` checks it without Redis)")


def _totals(path: Path, tell: Teller) -> None:
    if not path.exists():
        return
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    table = Table(box=None, header_style="dim", padding=(0, 2))
    table.add_column(header[0])
    table.add_column(header[1], justify="right")
    for region, total in rows:
        table.add_row(region, f"{float(total):,.2f}")
    tell.console.print(table)
    tell.say()


def digest(path: Path) -> str:
    """SHA-256 in hex; empty if there is no such file."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


def summarise(stage: Stage, options: Options, told: Told) -> dict[str, Any]:
    """What happened, for programs. Times are seconds, `killed_at` since the epoch."""
    past = told.past
    return {
        "ok": told.good,
        "state": past.state,
        "reason": past.reason,
        "kill": str(options.kill),
        "killed_at": told.killed_at,
        "victims": vars(told.victims) if told.victims else None,
        "resumed_after": told.resumed_after,
        "attempts": len(past.attempts),
        "verified": told.verified,
        "ran_twice": past.ran_twice,
        "cells": [{"cell": cell.number, "status": cell.status, "runs": cell.runs} for cell in past.cells],
        "artifacts": {name: digest(stage.files / name) for name in (CHART, TOTALS)},
    }
