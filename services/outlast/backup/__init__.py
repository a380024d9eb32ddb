"""Backups of the deployment of containers: what runs in a container beside the others to copy, check and put back.

A backup of time T looks like a crash at T, for a crash is what a session goes on from: the log as of T, and the files
as they were then or a moment later while nothing of theirs changed.

1. The disk is synced (`tree.sync`), and the workspaces are copied while jobs run: most of the bytes, and nobody waits.
2. No cell may start (`standstill`), for ten minutes at most: an attempt that comes to one waits. Cells that run go on.
3. Redis's append-only files are opened, and their lengths taken: that is T. What is appended later is not copied, and
   what Redis rewrites or removes meanwhile stays readable through the open files, so that it need not be asked to wait.
4. Sessions whose log has moved since their copy are copied again. Their cells have ended and stand still, or the log
   says that one runs: that one runs again after a restore, from the checkpoint before it, as after any crash.
5. Cells may start. What was opened is copied, everything is synced, and the manifest is written; it is the last, and
   without it there is no backup.

Everything in a workspace is hostile, and root copies it: `tree` follows no link and enters one directory at a time.

    __main__ ── making ────┬─ standstill, append_only     the moment
             │             └─ tree                        the files
             ├─ restoring ─── tree
             └─ shelf ─────── manifest                    which backups there are
"""
