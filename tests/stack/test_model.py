"""The product with a real model: vLLM on the processor, SmolLM2-135M, nothing scripted; and nothing leaves the host."""

from __future__ import annotations

import ipaddress
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from outlast.log.records import CellFinished
from tests.dependencies import require
from tests.observer import bodies
from tests.stack.stack import SERVICES, Stack, docker, with_real_model


@pytest.fixture(scope="module")
def real_stack(engine: None, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack as it is shipped, on a machine without a GPU, up: whichever of these tests comes first."""
    with with_real_model(tmp_path_factory.mktemp("real"), tiny_model) as stack:
        stack.make("up")
        stack.connect()
        yield stack


@pytest.fixture
def real(real_stack: Stack) -> Stack:
    """That stack, healthy at the start of each test: one of them kills all of it."""
    real_stack.wait_healthy()
    return real_stack


class Capture:
    """Every packet on the project's networks, from `__enter__` to `__exit__`."""

    def __init__(self, stack: Stack, file: Path) -> None:
        self.stack, self.file = stack, file
        self.processes: list[subprocess.Popen[bytes]] = []

    def networks(self) -> list[tuple[str, list[str]]]:
        """Bridge and subnets of each of the project's networks."""
        label = f"label=com.docker.compose.project={self.stack.project}"
        found = []
        for network in docker("network", "ls", "--quiet", "--filter", label).stdout.split():
            [facts] = json.loads(docker("network", "inspect", network).stdout)
            found.append((f"br-{facts['Id'][:12]}", [part["Subnet"] for part in facts["IPAM"]["Config"]]))
        return found

    def __enter__(self) -> Capture:
        for bridge, _ in self.networks():
            command = ["tcpdump", "--immediate-mode", "-n", "-i", bridge, "-U", "-w", f"{self.file}.{bridge}"]
            process = subprocess.Popen(command, stderr=subprocess.PIPE)
            assert process.stderr is not None
            self.processes.append(process)
            line = process.stderr.readline()  # it says so once it listens
            assert b"listening" in line, line
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.terminate()
            process.communicate()

    def destinations(self) -> dict[str, int]:
        """Address → packets that went there, of all that was caught."""
        counts: dict[str, int] = {}
        for bridge, _ in self.networks():
            command = ["tcpdump", "-n", "-t", "-q", "-r", f"{self.file}.{bridge}", "ip or ip6"]
            for line in subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines():
                words = line.split()
                target = words[words.index(">") + 1].rstrip(":")
                host = target.rpartition(".")[0] if target.count(".") == 4 else target
                counts[host] = counts.get(host, 0) + 1
        return counts


def test_a_real_models_job_prints_hello_world_and_no_packet_leaves(real: Stack, tmp_path: Path) -> None:
    require("tcpdump")
    with Capture(real, tmp_path / "packets") as capture:
        real.enqueue("hello", "Write a Python program that prints hello world.")
        state = real.finished("hello", patience=600)
    outputs = [body.output for body in bodies(real.log("hello").read(), CellFinished)]
    assert state.closed is not None
    assert any("hello" in output.lower() and "world" in output.lower() for output in outputs), outputs
    assert real.verify("hello").ok

    subnets = [ipaddress.ip_network(subnet) for _, found in capture.networks() for subnet in found]
    seen = capture.destinations()
    inside = {host for host in seen if any(ipaddress.ip_address(host) in subnet for subnet in subnets)}
    assert sum(seen[host] for host in inside) > 100, "the capture saw nothing of the job"
    assert not [host for host in set(seen) - inside if not _stays_on_the_link(host)], seen


def _stays_on_the_link(host: str) -> bool:
    """Whether no router passes a packet to this address on: what IPv6 does by itself when an interface comes up."""
    address = ipaddress.ip_address(host)
    return address.is_multicast or address.is_link_local


def test_a_container_can_reach_no_address_outside_and_look_up_no_name(real: Stack) -> None:
    for service, python in (("worker", "/opt/outlast/bin/python"), ("vllm", "python"), ("redis", "python3")):
        tried = (
            "import socket\n"
            "socket.setdefaulttimeout(3)\n"
            "try:\n    socket.getaddrinfo('example.org', 80)\n    print('looked up')\n"
            "except OSError:\n    pass\n"
            "try:\n    socket.create_connection(('192.0.2.1', 80))\n    print('reached')\n"
            "except OSError:\n    pass\n"
            "print('tried')"
        )
        done = real.compose("exec", "-T", service, python, "-c", tried)
        assert done.stdout.split() == ["tried"], service


def test_a_service_of_the_stack_that_is_restarted_with_the_real_model_goes_on(real: Stack) -> None:
    real.enqueue("again", "Write a Python program that prints hello world.")
    real.wait("again", lambda state, record: record.type in ("reply.delta", "reply.finished"))
    real.kill(*SERVICES)
    state = real.finished("again", patience=600)
    assert state.closed is not None
    assert real.verify("again").ok
