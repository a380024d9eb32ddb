"""The configuration that redis-server is started with."""

from __future__ import annotations

from pathlib import Path

from .settings import Settings


def render(settings: Settings, acl_file: Path) -> str:
    """The text of redis.conf. What is Redis's default is written out where Outlast depends on it."""
    return f"""\
bind {"* -::*" if settings.bind == "*" else settings.bind}
port {settings.port}
# The default user is off. Should an administrator open it without a password, only this container may use it.
protected-mode yes
aclfile {acl_file}

dir {settings.data}
# What was acknowledged is on the disk.
appendonly yes
appendfsync always
no-appendfsync-on-rewrite no
aof-use-rdb-preamble yes
# The keeper cuts a torn end off before the start, and keeps what it cut; Redis would keep nothing.
aof-load-truncated no
# A second, older copy beside it: what is left to go back to if the append-only file is damaged.
save 3600 1 300 100 60 10000
# A disk that is nearly full shows here first, while the append-only file still has room.
stop-writes-on-bgsave-error yes

# Full: writes are refused and workers wait; nothing is ever dropped to make room.
maxmemory {settings.memory}
maxmemory-policy noeviction
databases 1

# Not even for an administrator: they read and write files, and run code.
enable-debug-command no
enable-module-command no
enable-protected-configs no

daemonize no
logfile ""
always-show-logo no
"""
