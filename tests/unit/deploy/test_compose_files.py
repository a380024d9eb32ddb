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
#: Those that run only where they are asked for.
ASKED_FOR: dict[str, Any] = {name: it for name, it in COMPOSE["services"].items() if "profiles" in it}
DEFAULT: dict[str, Any] = {name: it for name, it in COMPOSE["services"].items() if name not in ASKED_FOR}


class _Reset(yaml.SafeLoader):
    """Compose's own tags are read as what they stand before."""


_Reset.add_constructor("!reset", lambda loader, node: None)
_Reset.add_multi_constructor("!over", lambda loader, _, node: _plain(loader, node))


def _plain(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    """A list or a mapping, as if it had no tag."""
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(node, deep=True)


CPU: dict[str, Any] = yaml.load((ROOT / "compose.cpu.yaml").read_text(), _Reset)  # a SafeLoader
DRILL: dict[str, Any] = yaml.load((ROOT / "compose.drill.yaml").read_text(), _Reset)  # a SafeLoader


def test_there_are_three_services_and_two_that_run_only_where_they_are_asked_for() -> None:
    assert tuple(DEFAULT) == SERVICES
    assert {name: it["profiles"] for name, it in ASKED_FOR.items()} == {"backup": ["backup"], "restore": ["restore"]}


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_every_service_is_closed_limited_and_watched(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"] and service["init"] is True
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == ("no" if name == "restore" else "unless-stopped")
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}
    assert {"memory", "pids"} <= set(service["deploy"]["resources"]["limits"])
    if name == "restore":
        assert service["healthcheck"] == {"disable": True} and service["network_mode"] == "none"
    else:
        assert service["healthcheck"]["test"][0] == "CMD" and "inside" in service["networks"]
    assert service["stop_grace_period"] and "container_name" not in service and "privileged" not in service
    assert service["dns"] == ["127.0.0.1"] and service["pull_policy"] == "never"


def test_only_the_worker_has_rights_and_only_those_to_be_the_sessions_users() -> None:
    added = {name: service["cap_add"] for name, service in DEFAULT.items() if "cap_add" in service}
    assert added == {"worker": ["SETUID", "SETGID", "KILL"]}


def test_what_copies_backups_may_do_so_with_every_file_and_change_none_of_a_volume_unless_it_restores() -> None:
    for service in ASKED_FOR.values():
        assert service["cap_add"] == ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID"]
    assert ASKED_FOR["backup"]["volumes"][:2] == ["redis-data:/volumes/redis:ro", "workspaces:/volumes/workspaces:ro"]
    assert ASKED_FOR["restore"]["volumes"][:2] == ["redis-data:/volumes/redis", "workspaces:/volumes/workspaces"]
    for service in ASKED_FOR.values():
        [bound] = service["volumes"][2:]
        assert (bound["source"], bound["target"]) == ("${BACKUPS_DIR:-./backups}", "/backups")
        assert bound["bind"] == {"create_host_path": False}


def test_only_redis_is_published_and_on_the_loopback_interface_only() -> None:
    published = {name: service["ports"] for name, service in COMPOSE["services"].items() if "ports" in service}
    assert published == {"redis": ["127.0.0.1:${REDIS_PORT:-6379}:6379"]}
    assert [name for name, service in COMPOSE["services"].items() if "edge" in service.get("networks", ())] == ["redis"]


def test_neither_network_leads_out() -> None:
    inside, edge = COMPOSE["networks"]["inside"], COMPOSE["networks"]["edge"]
    assert inside["internal"] is True
    assert edge["driver_opts"] == {"com.docker.network.bridge.enable_ip_masquerade": "false"}


def test_secrets_are_files_and_every_service_has_only_its_own() -> None:
    assert tuple(COMPOSE["secrets"]) == secrets.NAMES
    for name, secret in COMPOSE["secrets"].items():
        assert secret == {"file": f"${{SECRETS_DIR:-./secrets}}/{name}"}
    assert {name: set(service.get("secrets", ())) for name, service in COMPOSE["services"].items()} == {
        "redis": {"redis_client", "redis_worker", "redis_admin"},
        "worker": {"redis_client", "redis_worker", "model_key"},
        "vllm": {"model_key"},
        "backup": {"redis_worker"},
        "restore": set(),
    }


def test_no_environment_names_a_password() -> None:
    text = str([service.get("environment") for service in COMPOSE["services"].values()])
    assert not re.search(r"(?i)password(?!_FILE': '/run/secrets)|token|://[^/@]*:[^/@]*@", text)


def test_every_volume_says_what_losing_it_costs() -> None:
    text = (ROOT / "compose.yaml").read_text()
    for name in COMPOSE["volumes"]:
        assert re.search(rf"Losing it[^\n]*\n(?:  #[^\n]*\n)*  {name}:\n", text), name


def test_what_is_bound_from_the_host_is_there_before_and_cannot_be_written_to() -> None:
    bound = [it for service in DEFAULT.values() for it in service["volumes"] if isinstance(it, dict)]
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


def test_a_drill_publishes_no_port_builds_nothing_and_limits_every_container() -> None:
    services = DRILL["services"]
    assert services["redis"]["ports"] is None and services["redis"]["networks"] == ["inside"]
    assert all(services[name]["build"] is None for name in ("worker", "vllm"))
    limits = {name: each.get("deploy", {}).get("resources", {}).get("limits", {}) for name, each in services.items()}
    assert all("cpus" in limits[name] for name in ("redis", "vllm", "conductor"))
    assert all("memory" in limits[name] for name in ("vllm", "conductor"))


def test_the_conductor_of_a_drill_may_read_the_sessions_files_and_nothing_else() -> None:
    conductor = DRILL["services"]["conductor"]
    assert conductor["cap_drop"] == ["ALL"] and conductor["cap_add"] == ["DAC_READ_SEARCH"]
    assert conductor["volumes"] == ["workspaces:/var/lib/outlast/sessions:ro"] and conductor["networks"] == ["inside"]
    assert conductor["secrets"] == ["redis_client"] and conductor["read_only"] is True
