"""RQ's registration of the worker: what `rq info` shows, and what holds a `--name`."""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any

import redis

from outlast.errors import SettingsError
from outlast.queue.leases import LapsedLeases, Leases

if TYPE_CHECKING:
    from outlast.queue.worker import Worker

log = logging.getLogger(__name__)

#: Seconds between two heartbeats of the registration, and until it expires without one.
HEARTBEAT_SECONDS = 15.0


class Registration:
    """This worker's registration. Every method may raise redis.RedisError."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._connection: redis.Redis = worker.connection
        self._channel: Any = None
        self._next_heartbeat = 0.0

    def free_name(self, leases: Leases, lease_seconds: float) -> None:
        """Make sure that no living worker has this name; recover a dead one's jobs.

        SettingsError if one is alive. Takes a lease's time only where a lease of that name exists.
        """
        name = self._worker.name
        first = leases.of_worker(name)
        lapsed = LapsedLeases(lease_seconds)
        while left := {lease: counter for lease, counter in leases.of_worker(name).items() if lease in first}:
            for lease, counter in left.items():
                if counter != first[lease]:
                    raise SettingsError(
                        f"A worker named {name!r} is running (lease {lease}); "
                        "start this one with another --name, or with none."
                    )
            asked = time.monotonic()
            for lease, counter in lapsed.sample(asked, time.monotonic(), left).items():
                if leases.recover(lease, counter) is not None:
                    log.warning("worker.recovered", extra={"lease": lease, "worker": name})
            time.sleep(lease_seconds / 8)
        # Left behind by a worker that died between its lease and its registration.
        self._connection.delete(self._worker.key)

    def register(self, lease: str) -> None:
        """Show this worker to RQ, under `lease`."""
        if not self._connection.hexists(self._worker.key, "birth"):
            # RQ would take a remainder of the hash for another worker of this name.
            self._connection.delete(self._worker.key)
            self._worker.register_birth()  # type: ignore[no-untyped-call]  # RQ leaves it untyped
            self._worker.set_state(self._worker.get_state())
        self._connection.hset(self._worker.key, "outlast_lease", lease)

    def heartbeat(self, lease: str) -> None:
        """Keep the registration from expiring, when it is time."""
        if time.monotonic() >= self._next_heartbeat:
            self.register(lease)
            self._worker.heartbeat()
            self._next_heartbeat = time.monotonic() + HEARTBEAT_SECONDS

    def unregister(self) -> None:
        """Take the worker out of RQ's lists."""
        self._worker.register_death()  # type: ignore[no-untyped-call]  # RQ leaves it untyped
        self.forget_commands()

    def forget_commands(self) -> None:
        """Listen for commands anew, at an address that may lead elsewhere by now."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def commands(self) -> list[dict[str, Any]]:
        """What was sent to this worker (`rq.command`) since the last call; malformed messages are dropped."""
        if self._channel is None:
            channel = self._connection.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
            channel.subscribe(self._worker.pubsub_channel_name)
            self._channel = channel
        received: list[dict[str, Any]] = []
        while True:
            message = self._channel.get_message(timeout=0)
            if message is None:
                return received
            try:
                command = json.loads(message["data"])
            except (ValueError, TypeError):
                continue
            if isinstance(command, dict):
                received.append(command)
