"""Names of the Redis keys of the queue's side; those of a session's log belong to `outlast.log`.

    outlast:leases               hash   lease id → counter, raised by its holder while it lives
    outlast:hand:<lease id>      list   ids of the jobs which that worker has taken and not settled
    outlast:{<session>}:waiters  list   ids of the jobs that wait for the attempt another worker holds

A lease id is `<worker's name>.<8 hex digits>`, the name percent-encoded so that RQ can use the id as an execution
id (which must not have a colon). Fields that Outlast adds to RQ's job hash begin with `outlast_`.
"""

from __future__ import annotations

import secrets
from urllib.parse import quote, unquote

from rq.defaults import RQ_KEY_PREFIX

LEASES = "outlast:leases"

#: Session that the job moves forward; for the scripts, which cannot read a job's arguments.
SESSION_FIELD = "outlast_session"
#: Newest attempt of the session when the job was last taken up and not settled since.
ATTEMPT_FIELD = "outlast_attempt"
#: Field of a job's hash: the attempt that the job waited for, as long as it is not settled.
WAITED_FIELD = "outlast_waited"
#: Crashes in a row, each within seconds of its start.
CRASHES_FIELD = "outlast_crashes"


def hand_key(lease: str) -> str:
    return f"outlast:hand:{lease}"


def waiters_key(session: str) -> str:
    return f"outlast:{{{session}}}:waiters"


def job_key(job: str) -> str:
    return f"{RQ_KEY_PREFIX}:job:{job}"


def queue_key(queue: str) -> str:
    return f"{RQ_KEY_PREFIX}:queue:{queue}"


def started_key(queue: str) -> str:
    """RQ's StartedJobRegistry."""
    return f"{RQ_KEY_PREFIX}:wip:{queue}"


def new_lease_id(worker: str) -> str:
    return f"{quote(worker, safe='')}.{secrets.token_hex(4)}"


def worker_of(lease: str) -> str:
    """The name of the worker that a lease id belongs to."""
    return unquote(lease.rpartition(".")[0])
