"""Attacks by what the end of a kernel and the start of the next would have to remove, and cannot.

A part of the group `persistence`.
"""

from __future__ import annotations

from ..case import Attack, Group
from .planting import LOOK, PLANT
from .toolkit import python

ATTACKS: tuple[Attack, ...] = (
    python(
        Group.PERSISTENCE,
        "files in HOME that cannot be removed: closed directories, attributes, odd names",
        PLANT
        + r"""
plant(".ipython/profile_default/startup/00-planted.py")
plant(".bashrc", shell_mark)
plant("kept/.bashrc", shell_mark)
for name in (b"new\nline", b"\xff\xfe", b"-rf", b"x" * 255):
    open(os.path.join(os.fsencode(home), name), "wb").close()
subprocess.run(["chattr", "-R", "+i", home], capture_output=True)
subprocess.run(["chattr", "-R", "+a", home], capture_output=True)
os.mkfifo(f"{home}/kept/pipe")
for place in (".ipython/profile_default/startup", ".ipython/profile_default", ".ipython", "kept", "."):
    os.chmod(os.path.join(home, place), 0o555)
open(f"{files}/planted", "w").close()
""",
        then="""
keep("left in HOME", [name for name in os.listdir(os.environ["HOME"]) if name in ("kept", ".bashrc", "-rf")])
"""
        + LOOK,
    ),
    python(
        Group.PERSISTENCE,
        "a HOME that cannot even be listed, and is opened again by the next cell",
        PLANT
        + r"""
plant(".bashrc", shell_mark)
plant(f".local/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages/usercustomize.py")
os.chmod(home, 0o000)
open(f"{files}/planted", "w").close()
""",
        then='attempt(os.chmod, os.environ["HOME"], 0o700)\n' + LOOK,
    ),
    python(
        Group.PERSISTENCE,
        "a link in the place of HOME or of the working directory",
        PLANT
        + r"""
os.makedirs("fake/.ipython/profile_default/startup", exist_ok=True)
for name in (".bashrc", ".profile"):
    open(f"fake/{name}", "w").write(shell_mark)
open("fake/.ipython/profile_default/startup/00-planted.py", "w").write(mark)
root = os.path.dirname(home)
for name in ("home", "tmp", "checkpoints", "files"):
    attempt(os.rename, f"{root}/{name}", f"{root}/{name}-old")
    attempt(os.rename, f"{root}/{name}", f"{files}/{name}-old")
    attempt(os.rmdir, f"{root}/{name}")
    if name == "home":
        attempt(shutil.rmtree, home)
    attempt(os.symlink, f"{files}/fake", f"{root}/{name}")
open(f"{files}/planted", "w").close()
""",
        then="""
root = os.path.dirname(os.environ["HOME"])
keep("a link", [name for name in ("home", "tmp", "checkpoints", "files") if os.path.islink(f"{root}/{name}")])
"""
        + LOOK,
    ),
    python(
        Group.PERSISTENCE,
        "checkpoints and artifacts that run code where they are read",
        r"""
import base64, hashlib, pickle
class Runs:
    def __reduce__(self):
        code = f"import os; os.getppid() == {os.getppid()} or [open(p, 'w').write('ran') for p in {places!r}]"
        return exec, (code,)
root = os.path.dirname(os.path.abspath("."))
# Whoever runs it can write to one of them: the session's user, or the worker.
places = [os.path.abspath("ran-outside"), f"{root}/artifacts/ran-outside", f"{root}/ran-outside"]
code = "[open(p, 'w').write('ran') for p in %r if p]" % places
poison = pickle.dumps(Runs())
for place in ("../checkpoints", "../checkpoints/manifests", "../checkpoints/objects", "../artifacts", "."):
    attempt(os.makedirs, place, exist_ok=True)
    for name in ("checkpoint.pkl", "latest", "1.pickle", "state.pkl", "0" * 32, hashlib.md5(poison).hexdigest()):
        attempt(lambda: open(f"{place}/{name}", "wb").write(poison))
    for name in ("__init__.py", "conftest.py", "sitecustomize.py", "cell-1.py", "_hook.pth"):
        attempt(lambda: open(f"{place}/{name}", "w").write(code))
stream = {"inline": base64.b64encode(poison).decode()}
manifest = {"format": 2, "cell": 1, "python": "3.11", "libraries": {}, "bytes": 1, "missing": {}, "objects": {}}
manifest["components"] = [{"entries": [["name", "x"]], "stream": stream, "buffers": []}]
manifest |= {"place": {}, "saved": {"x": {"type": "int", "bytes": 1}}}
text = json.dumps(manifest).encode()
for cell in (0, 1, 2, 999999999999):
    for seal in ("00000000", hashlib.sha256(text).hexdigest()[:8], hashlib.blake2b(text).hexdigest()[:8]):
        open(f"../checkpoints/manifests/{cell}-{seal}.json", "wb").write(text)
os.symlink("/etc/passwd", "../checkpoints/manifests/3-00000000.json")
os.mkfifo("../checkpoints/manifests/4-00000000.json")
""",
        then="""
root = os.path.dirname(os.path.abspath("."))
for path in ("ran-outside", f"{root}/artifacts/ran-outside", f"{root}/ran-outside"):
    keep(path, os.path.lexists(path))
verdict()
""",
    ),
    python(
        Group.PERSISTENCE,
        "programs and data in places that no kernel's end empties",
        r"""
places = "/tmp /var/tmp /dev/shm /dev/mqueue /run /run/lock /run/outlast /etc/cron.d /etc/profile.d /var/spool/cron"
for place in [*places.split(), "/var/spool/cron/crontabs", "/etc/init.d", "/etc/systemd/system", "/root", "/data"]:
    def leave():
        with open(f"{place}/left-behind", "w") as file:
            file.write("#!/bin/sh\necho left\n")
        os.chmod(f"{place}/left-behind", 0o755)
    attempt(leave)
from multiprocessing import shared_memory, resource_tracker
memory = shared_memory.SharedMemory("left-behind-memory", create=True, size=1 << 20)
resource_tracker.unregister(memory._name, "shared_memory")
def close():
    os.makedirs("/dev/shm/closed-left-behind/below")
    os.chmod("/dev/shm/closed-left-behind", 0o000)
attempt(close)
""",
        then=r"""
for place in "/tmp /var/tmp /dev/shm /dev/mqueue /run /run/lock /run/outlast /etc/cron.d /root".split():
    keep(place, [name for name in attempt(os.listdir, place) or () if "left-behind" in name])
    for name in ("left-behind", "left-behind-memory", "closed-left-behind"):
        keep(place, os.path.lexists(f"{place}/{name}") and name)
verdict()
""",
    ),
    python(
        Group.PERSISTENCE,
        "files beside the sockets that the end of the kernel cannot remove",
        r"""
runtime = os.path.dirname(get_ipython().kernel.parent.connection_file)
open("where", "w").write(runtime)
def leave(name, mode):
    os.makedirs(f"{runtime}/{name}/below")
    with open(f"{runtime}/{name}/below/left-behind", "wb") as file:
        file.write(bytes(1 << 20))
    os.chmod(f"{runtime}/{name}", mode)
for name, mode in (("closed", 0o000), ("read-only", 0o500), ("own", 0o700)):
    attempt(leave, name, mode)
attempt(lambda: socket.socket(socket.AF_UNIX).bind(f"{runtime}/k-9"))
attempt(os.chmod, runtime, 0o000)
""",
        then=r"""
runtime = open("where").read()
keep("the directory", os.path.lexists(runtime) and oct(os.lstat(runtime).st_mode))
for name in ("closed", "read-only", "own"):
    keep(name, attempt(os.lstat, f"{runtime}/{name}"))
verdict()
""",
    ),
)
