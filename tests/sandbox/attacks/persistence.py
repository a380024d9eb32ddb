"""Attacks that are to outlive their kernel: in what the session's next kernel reads or runs, and in processes.

The first cell plants, the second looks in the next kernel of the same session. What a session may keep is its files,
and variables by checkpoints; nothing of it may run unasked. Parts of this group are `leftovers` and `processes`.
"""

from __future__ import annotations

from ..case import Allowed, Attack, Group
from . import leftovers, processes
from .planting import LOOK, PLANT
from .toolkit import TOOLS, python

_ATTACKS = (
    python(
        Group.PERSISTENCE,
        "modules in HOME that Python imports at its start",
        PLANT
        + r"""
for version in {f"python{sys.version_info[0]}.{sys.version_info[1]}", "python3.11", "python3.12", "python3"}:
    for name in ("usercustomize.py", "sitecustomize.py"):
        plant(f".local/lib/{version}/site-packages/{name}")
    plant(f".local/lib/{version}/site-packages/planted.pth", "import os; exec(" + repr(mark) + ")\n")
for name in (".pythonrc.py", ".pythonrc", ".python_history", ".pdbrc", "startup.py"):
    plant(name)
os.environ |= {"PYTHONSTARTUP": f"{home}/startup.py", "PYTHONPATH": home, "PYTHONUSERBASE": f"{home}/.local"}
plant("sitecustomize.py")
# It is code that works: a program that is started now runs it.
assert "PLANTED" in subprocess.run(
    [sys.executable, "-c", "import os; print(*os.environ)"], capture_output=True, text=True).stdout
os.unlink("ran")
open(f"{files}/planted", "w").close()
""",
        then=LOOK,
    ),
    python(
        Group.PERSISTENCE,
        "files that a shell reads at its start",
        PLANT
        + r"""
for name in "bashrc profile bash_profile bash_login bash_logout shrc env zshenv inputrc".split():
    plant(f".{name}", shell_mark)
os.environ |= {"BASH_ENV": f"{home}/.bashrc", "ENV": f"{home}/.bashrc", "PROMPT_COMMAND": f". {home}/.bashrc"}
assert "shell" in subprocess.run(["bash", "-ic", "printenv PLANTED"], capture_output=True, text=True).stdout
os.unlink("ran")
open(f"{files}/planted", "w").close()
""",
        then=LOOK,
    ),
    python(
        Group.PERSISTENCE,
        "startup files, configuration and extensions of IPython and Jupyter",
        PLANT
        + r"""
config = f"c = get_config()\nc.InteractiveShellApp.exec_lines = [{mark!r}]\nc.StoreMagics.autorestore = True\n" + mark
config += f"c.IPKernelApp.exec_lines = [{mark!r}]\nc.InteractiveShellApp.extensions = ['planted']\n"
names = "ipython_config ipython_kernel_config jupyter_config jupyter_kernel_config outlast-kernel_config"
places = [".ipython/profile_default", ".ipython", ".jupyter", ".config/ipython", ".local/etc/ipython", files,
          ".ipython/profile_default/startup", ".ipython/extensions", ".local/share/jupyter", os.environ["TMPDIR"]]
for place in places:
    for name in names.split():
        plant(f"{place}/{name}.py", config)
        plant(f"{place}/{name}.json", json.dumps({"InteractiveShellApp": {"exec_lines": [mark]}}))
    plant(f"{place}/00-planted.py")
    plant(f"{place}/00-planted.ipy")
    plant(f"{place}/planted.py")
os.environ |= {"IPYTHONDIR": f"{home}/.ipython", "JUPYTER_CONFIG_DIR": f"{home}/.jupyter"}
get_ipython().run_line_magic("store", "-z")
open(f"{files}/planted", "w").close()
""",
        then=LOOK,
    ),
    Attack(
        Group.PERSISTENCE,
        "modules in the working directory that the next kernel might import instead of its own",
        TOOLS
        + PLANT
        + r"""
names = {*sys.modules, *sys.stdlib_module_names, "numpy", "pandas", "matplotlib", "matplotlib_inline", "cloudpickle"}
names |= {"outlast_inside", "outlast_state", "sitecustomize", "usercustomize", "debugpy", "zmq"}
for place in (files, os.environ["TMPDIR"], f"{files}/node_modules"):
    for name in names:
        if "." not in name:
            plant(f"{place}/{name}.py")
    plant(f"{place}/planted.pth", "import os; exec(" + repr(mark) + ")\n")
plant(f"{files}/package.json", json.dumps({"main": "planted.js", "imports": {"fs": "./planted.js"}}))
plant(f"{files}/planted.js", f"require('fs').appendFileSync({files + '/ran'!r}, 'node')")
plant(f"{files}/node_modules/index.js", f"require('fs').appendFileSync({files + '/ran'!r}, 'node')")
""",
        # Nothing is imported here: a cell that asks for a module of its working directory gets it.
        then="""
import asyncio, os, sys
await asyncio.sleep(1.5)  # the kernel goes on with what it has put off meanwhile
places = (os.getcwd(), os.environ["TMPDIR"])
loaded = [name for name, each in sys.modules.items() if str(getattr(each, "__file__", "")).startswith(places)]
lines = open("ran").read().splitlines() if os.path.exists("ran") else []
mine = [line for line in lines if line.split()[0] == str(os.getsid(0))]
print(f"BREACH {loaded} {mine}"[:500] if loaded or mine else f"HELD {lines}"[:300])
""",
    ),
    python(
        Group.PERSISTENCE,
        "configuration of matplotlib that names code",
        PLANT
        + r"""
rc = "backend: module://planted\n"
for place in (files, os.environ["MPLCONFIGDIR"], ".config/matplotlib", ".matplotlib", home):
    plant(f"{place}/planted.py")
    plant(f"{place}/matplotlibrc", rc)
    plant(f"{place}/stylelib/default.mplstyle", rc)
plot = "import matplotlib.pyplot as plt; plt.figure()"
without = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
subprocess.run([sys.executable, "-c", plot], env=without, capture_output=True)
assert os.path.exists("ran")
os.unlink("ran")
open(f"{files}/planted", "w").close()
""",
        then="import matplotlib.pyplot as plt\nplt.plot([1]); plt.savefig('x.png'); plt.close()\n" + LOOK,
    ),
    python(
        Group.PERSISTENCE,
        "the environment of the next kernel and of what it starts",
        PLANT
        + r"""
plant("planted.js", f"require('fs').appendFileSync({files + '/ran'!r}, 'node'); process.env.PLANTED = 'node'")
plant("sitecustomize.py")
plant("bin/node", f"#!/bin/sh\necho node >>{files}/ran; echo planted")
os.chmod(f"{home}/bin/node", 0o755)
new = {"PLANTED": "x", "NODE_OPTIONS": f"--require={home}/planted.js", "PYTHONPATH": home, "PYTHONHOME": home}
new |= {"LD_PRELOAD": f"{home}/planted.so", "LD_LIBRARY_PATH": home, "BASH_FUNC_ls%%": "() { echo planted; }"}
new |= {"PATH": f"{home}/bin", "TMPDIR": "/tmp"}
directories = ("PATH", "PYTHONPATH", "TMPDIR")
open("before", "w").write(" ".join(os.environ.get(name, "") for name in directories))
libc.setenv.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int]
for name, value in new.items():
    os.environ[name] = value
    libc.setenv(name.encode(), value.encode(), 1)
for pid in (os.getppid(), 1):  # the guardian's environment is where the next kernel's comes from
    for path in ("environ", "mem"):
        attempt(lambda: open(f"/proc/{pid}/{path}", "r+b").write(b"PLANTED=x"))
open(f"{files}/planted", "w").close()
""",
        then="""
names = ("PLANTED", "NODE_OPTIONS", "PYTHONHOME", "LD_PRELOAD", "BASH_FUNC_ls%%")
keep("environment", {name: os.environ[name] for name in names if name in os.environ})
now = " ".join(os.environ.get(name, "") for name in ("PATH", "PYTHONPATH", "TMPDIR"))
keep("other directories", now if now != open("before").read() else None)
"""
        + LOOK,
    ),
    Attack(
        Group.PERSISTENCE,
        "functions, aliases, traps and hashed programs of a shell",
        """
ls() { echo planted; }; python() { echo planted; }; node() { echo planted; }
export -f ls python node
alias cat='echo planted'
trap 'echo planted' EXIT DEBUG
hash -p /bin/false node 2>/dev/null
mkdir -p ~/bin ~/.local/bin; PATH=~/bin:~/.local/bin:$PWD:$PATH
for name in node bash python ls sh; do
    for place in ~/bin ~/.local/bin .; do
        printf '#!/bin/sh\\necho planted\\n' >$place/$name
        chmod +x $place/$name
    done
done
for place in /opt/kernel/bin /usr/local/bin /usr/bin /bin /usr/local/sbin; do
    cp ~/bin/node $place/node 2>/dev/null
done
touch planted
""",
        language="shell",
        then="""
import subprocess
said = ""
for words in ("ls /", "node -p 1", "python -c 'print(1)'", "cat /etc/hostname", "sh -c 'echo 1'", "bash -c 'echo 1'"):
    for shell in (["bash", "-c"], ["bash", "-ic"], ["bash", "-lc"], ["sh", "-c"]):
        said += subprocess.run([*shell, words], capture_output=True, text=True).stdout
assert said
print("BREACH: a planted program ran" if "planted" in said else "HELD")
""",
    ),
)

ATTACKS: tuple[Attack, ...] = (*_ATTACKS, *leftovers.ATTACKS, *processes.ATTACKS)
ALLOWED: tuple[Allowed, ...] = (
    Allowed(
        "HOME can be written to, and what is in it is read",
        r"""
import os, pathlib, subprocess, sys
home = pathlib.Path.home()
site = home / f".local/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
site.mkdir(parents=True)
(site / "mine.py").write_text("value = 42")
(home / ".bashrc").write_text("export MINE=43")
sys.path.append(str(site))
import mine
assert mine.value == 42
assert "43" in subprocess.run(["bash", "-ic", "echo $MINE"], capture_output=True, text=True).stdout
print("WORKS")
""",
        Group.PERSISTENCE,
    ),
    Allowed(
        "modules of its own in the working directory",
        r"""
import os
os.makedirs("package", exist_ok=True)
open("package/__init__.py", "w").write("")
open("package/part.py", "w").write("value = 42")
import package.part
assert package.part.value == 42
print("WORKS")
""",
        Group.PERSISTENCE,
    ),
    Allowed(
        "background processes while the kernel lives",
        """
(sleep 0.5; echo later >later) &
nohup sh -c 'sleep 0.5; echo nohup >nohup-later' >/dev/null 2>&1 &
setsid sh -c 'sleep 0.5; echo setsid >setsid-later' &
for i in $(seq 200); do [ -s later ] && [ -s nohup-later ] && [ -s setsid-later ] && break; sleep 0.1; done
cat later nohup-later setsid-later >/dev/null && echo WORKS
""",
        Group.PERSISTENCE,
        language="shell",
    ),
    Allowed(
        "shared memory between processes",
        r"""
from multiprocessing import Lock, Value, get_context, shared_memory
memory = shared_memory.SharedMemory(create=True, size=1 << 20)
child = get_context("fork").Process(target=lambda: memory.buf.__setitem__(0, 42))
child.start(); child.join()
assert memory.buf[0] == 42
memory.close(); memory.unlink()
with Lock(), Value("i", 1).get_lock():
    print("WORKS")
""",
        Group.PERSISTENCE,
    ),
)
