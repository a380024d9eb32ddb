"""What compose.yaml promises, read from the files themselves; tests/stack runs them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from outlast.deploy import secrets
from outlast.deploy.stack import SERVICES

ROOT = Path(__file__).parents[3]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())


class _Reset(yaml.SafeLoader):
    """Compose's own tags are read as what they stand before."""


_Reset.add_constructor("!reset", lambda loader, node: None)
CPU: dict[str, Any] = yaml.load((ROOT / "compose.cpu.yaml").read_text(), _Reset)  # a SafeLoader


def test_there_are_three_services() -> None:
    assert tuple(COMPOSE["services"]) == SERVICES


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_closed_limited_and_watched(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"] and service["init"] is True
    assert service["security_opt"] == ["no-new-privileges:true"] and service["restart"] == "unless-stopped"
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}
    assert {"memory", "pids"} <= set(service["deploy"]["resources"]["limits"])
    assert service["healthcheck"]["test"][0] == "CMD" and service["stop_grace_period"]
    assert "inside" in service["networks"] and "container_name" not in service and "privileged" not in service
    assert service["dns"] == ["127.0.0.1"] and service["pull_policy"] == "never"


def test_only_the_worker_has_rights_and_only_those_to_be_the_sessions_users() -> None:
    added = {name: service["cap_add"] for name, service in COMPOSE["services"].items() if "cap_add" in service}
    assert added == {"worker": ["SETUID", "SETGID", "KILL"]}


def test_only_redis_is_published_and_on_the_loopback_interface_only() -> None:
    published = {name: service["ports"] for name, service in COMPOSE["services"].items() if "ports" in service}
    assert published == {"redis": ["127.0.0.1:${REDIS_PORT:-6379}:6379"]}
    assert [name for name, service in COMPOSE["services"].items() if "edge" in service["networks"]] == ["redis"]


def test_neither_network_leads_out() -> None:
    inside, edge = COMPOSE["networks"]["inside"], COMPOSE["networks"]["edge"]
    assert inside["internal"] is True
    assert edge["driver_opts"] == {"com.docker.network.bridge.enable_ip_masquerade": "false"}


def test_secrets_are_files_and_every_service_has_only_its_own() -> None:
    assert tuple(COMPOSE["secrets"]) == secrets.NAMES
    for name, secret in COMPOSE["secrets"].items():
        assert secret == {"file": f"${{SECRETS_DIR:-./secrets}}/{name}"}
    assert {name: set(service["secrets"]) for name, service in COMPOSE["services"].items()} == {
        "redis": {"redis_client", "redis_worker", "redis_admin"},
        "worker": {"redis_client", "redis_worker", "model_key"},
        "vllm": {"model_key"},
    }


def test_no_environment_names_a_password() -> None:
    text = str([service.get("environment") for service in COMPOSE["services"].values()])
    assert not re.search(r"(?i)password(?!_FILE': '/run/secrets)|token|://[^/@]*:[^/@]*@", text)


def test_every_volume_says_what_losing_it_costs() -> None:
    text = (ROOT / "compose.yaml").read_text()
    for name in COMPOSE["volumes"]:
        assert re.search(rf"Losing it[^\n]*\n(?:  #[^\n]*\n)*  {name}:\n", text), name


def test_what_is_bound_from_the_host_is_there_before_and_cannot_be_written_to() -> None:
    bound = [it for service in COMPOSE["services"].values() for it in service["volumes"] if isinstance(it, dict)]
    assert len(bound) == 2
    assert all(it["read_only"] is True and it["bind"] == {"create_host_path": False} for it in bound)


def test_only_the_worker_runs_under_another_runtime_and_only_where_it_is_asked_for() -> None:
    assert COMPOSE["services"]["worker"]["runtime"] == "${OUTLAST_RUNTIME:-}"
    assert not any("runtime" in COMPOSE["services"][name] for name in ("redis", "vllm"))


def test_the_worker_waits_for_redis_and_not_for_the_model() -> None:
    assert COMPOSE["services"]["worker"]["depends_on"] == {"redis": {"condition": "service_healthy"}}
    assert not any("depends_on" in COMPOSE["services"][name] for name in ("redis", "vllm"))


def test_the_override_for_processors_changes_the_model_server_only() -> None:
    assert list(CPU["services"]) == ["vllm"]
    vllm = CPU["services"]["vllm"]
    assert vllm["image"] == "outlast-vllm:cpu" and vllm["build"] == {"args": {"FLAVOUR": "cpu"}}
    assert vllm["deploy"]["resources"]["reservations"] is None
