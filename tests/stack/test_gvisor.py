"""The worker under gVisor, where this machine's Docker has it: optional, for operators and for tests alike."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.stack.stack import docker, with_scripted_model

RUNTIME = "runsc"
#: In what gVisor shows as its kernel's log.
BANNER = "Starting gVisor"


@pytest.fixture(scope="module")
def gvisor(engine: None) -> str:
    """The name of the runtime. Without it the tests are skipped, in CI too: the product does without it as well, and no
    package registry has a release that is new enough."""
    listed = json.loads(docker("info", "--format", "{{json .Runtimes}}").stdout)
    if RUNTIME not in listed:
        pytest.skip(f"Docker has no runtime {RUNTIME} here, and gVisor is optional (docs/security.md)")
    return RUNTIME


def test_a_job_runs_under_gvisor_with_all_layers_but_landlocks(gvisor: str, tiny_model: Path, tmp_path: Path) -> None:
    with with_scripted_model(tmp_path / "stack", tiny_model) as stack:
        stack.settings |= {"OUTLAST_RUNTIME": gvisor, "OUTLAST_SANDBOX": "reduced"}
        stack.write_env()
        stack.make("up")
        stack.connect()
        [worker] = stack.containers("worker")
        assert stack.inspect(worker)["HostConfig"]["Runtime"] == gvisor
        assert BANNER in stack.inside("dmesg").stdout
        # The others are the engine's own affair.
        assert all(stack.inspect(it)["HostConfig"]["Runtime"] != gvisor for it in stack.containers("redis"))
        session = stack.enqueue("boxed", "slowly Go on.")
        state = stack.finished(session)
        assert state.closed is not None and state.closed.how == "finished"
        assert stack.ran(session) == ["1", "2"] and stack.verify(session).ok
        told = stack.inside("outlast", "doctor", "--json", check=False).stdout.splitlines()
        found = [each["said"] for each in map(json.loads, told) if each["check"] == "sandbox"]
        assert len(found) == 1 and found[0].startswith("the layer `files` is missing, for this Linux has no Landlock")
