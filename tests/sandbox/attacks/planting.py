"""What the attacks that plant code have in common. A part of the group `persistence`."""

#: What planted code does: it says in its process's environment, and in a file, that it ran.
PLANT = r"""
home, files = os.environ["HOME"], os.path.abspath(".")
mark = (
    "import os\nos.environ['PLANTED'] = __file__ if '__file__' in globals() else 'code'\n"
    "open(%r, 'a').write('%%s %%s\\n' %% (os.getsid(0), os.environ['PLANTED']))\n" % (files + "/ran")
)
shell_mark = f"echo shell >>{files}/ran; export PLANTED=shell\n"
def plant(path, text=mark):
    os.makedirs(os.path.dirname(os.path.join(home, path)), exist_ok=True)
    with open(os.path.join(home, path), "w") as file:
        file.write(text)
"""
#: Starts what a kernel's cells start, and keeps what planted code has said.
LOOK = r"""
assert os.path.exists("planted")
def output(*words):
    done = subprocess.run(words, capture_output=True, stdin=subprocess.DEVNULL, timeout=20)
    return (done.stdout + done.stderr).decode()
say = "import os; print(os.environ.get('PLANTED', ''))"
keep("in the kernel", os.environ.get("PLANTED"))
keep("in a program", output(sys.executable, "-c", say).strip())
keep("in the system's Python", output("/usr/bin/python3", "-c", say).strip())
keep("in bash", output("bash", "-ic", "printenv PLANTED").partition("no job control in this shell\n")[2])
keep("in a shell to log in", output("bash", "-lc", "printenv PLANTED"))
keep("in node", output(shutil.which("node"), "-p", "process.env.PLANTED || ''").strip())
keep("a trace", os.path.exists("ran") and open("ran").read())
verdict()
"""
