"""What runs in the Redis container: prepares Redis, then becomes it.

Theory of operation
-------------------
`python3 -m keeper` is the container's command, a child of its init. It reads the settings and the secrets, writes
the configuration and the ACL file (hashes only) to a tmpfs, looks at the data directory, mends what a power cut
may have torn, and then *replaces itself* by `redis-server`: there is one process, and signals reach it. Nothing of
the keeper is left but a lock on the data directory, held by a descriptor that `redis-server` inherits.

`python3 -m keeper.health` asks that Redis how it is. `python3 -m keeper.mend` is for the operator, after the keeper
has refused to start on damaged data.

Written for Debian's `python3-minimal`: no dataclasses, no mmap, no shutil.
"""
