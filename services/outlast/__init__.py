"""Open Interpreter jobs that outlast the worker that runs them.

This module holds the two names that the stock `rq enqueue` uses and imports nothing, so that naming them costs a
client nothing. They are requests, not code: Outlast's worker reads name and arguments from the job and carries
them out itself; whoever really calls them is not Outlast's worker.
"""

__version__ = "0.1.0"

__all__ = ["__version__", "chat", "run"]

_WRONG_WORKER = (
    "outlast.{0} is carried out by Outlast's own worker and cannot be called; "
    "start the workers with `rq worker --worker-class outlast.queue.Worker` and enqueue the job again."
)


def run(prompt: str = "", **options: object) -> None:
    """`rq enqueue outlast.run prompt="…" [option=value] [option:=json]` opens a session with the job's id.

    Options: model, max_tokens, context_window, on_interrupt (rerun or ask), files, cell_timeout, max_seconds,
    temperature.
    """
    raise RuntimeError(_WRONG_WORKER.format("run"))


def chat(session: str = "", message: str = "", **options: object) -> None:
    """`rq enqueue outlast.chat SESSION message="…"` continues a session."""
    raise RuntimeError(_WRONG_WORKER.format("chat"))
