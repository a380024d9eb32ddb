"""The RQ side: what stands between the stock `rq` command and an attempt on a session.

`outlast.queue.Worker` is what `rq worker --worker-class` names.
"""

from outlast.queue.worker import Worker

__all__ = ["Worker"]
