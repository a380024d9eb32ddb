from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.log.worlds import MemoryWorld, RedisWorld, World


@pytest.fixture(params=["memory", "redis"])
def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    # What is tested is what happens around a pause, not how long it is.
    monkeypatch.setattr("outlast.log.patience.FIRST_PAUSE", 0.0)
    if request.param == "memory":
        yield MemoryWorld()
    else:
        world = RedisWorld(request.getfixturevalue("redis_url"))
        yield world
        world.close()
