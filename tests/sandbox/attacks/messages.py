"""Attacks with forged messages: the kernel has the key of its own sockets, so whatever it sends is signed.

A part of the group `output`. `send` puts frames on the socket of the outputs, in the thread that owns it, past
everything that bounds an honest kernel's messages.
"""

from __future__ import annotations

from ..case import Attack
from .shown import attack

_SEND = r"""
import zmq
kernel = get_ipython().kernel
thread, session = kernel.iopub_thread, kernel.session
request = kernel.get_parent()["header"]
def frames(kind, content, parent=request, header=None, metadata=b"{}", sign=True):
    "A message's parts; whatever is bytes goes as it is."
    header = header if header is not None else session.msg_header(kind)
    parts = [each if isinstance(each, bytes) else session.pack(each) for each in (header, parent, metadata, content)]
    return [b"topic", b"<IDS|MSG>", session.sign(parts) if sign else b"", *parts]
def send(*messages):
    "Send them and return when that has been done."
    done = threading.Event()
    def all_of_them():
        for parts in messages:
            with contextlib.suppress(zmq.ZMQError):
                thread.socket.send_multipart(parts, copy=False)
        done.set()
    thread.io_loop.add_callback(all_of_them)
    done.wait(60)
def text(value):
    return {"name": "stdout", "text": value}
"""


def _forged(tries: str, code: str, *, then: str = "", may_end: bool = False, timeout: float = 60.0) -> Attack:
    return attack(tries, _SEND + code, then=then, may_end=may_end, timeout=timeout)


ATTACKS: tuple[Attack, ...] = (
    _forged(
        "messages as large as they may be, as many as there may wait",
        r"""
large = b'{"name":"stdout","text":"' + b"a" * 5_500_000 + b'"}'
send(*[frames("unknown", large) for _ in range(200)])
weigh(3)
verdict()
""",
        may_end=True,
    ),
    _forged(
        "a small message that is large once it is read",
        r"""
for part in (b"[]", b"{}", b'"a"', b"1e9", b'{"":[]}'):
    content = b'{"x":[' + part + (b"," + part) * (5_500_000 // (len(part) + 1)) + b"]}"
    send(frames("stream", content))
    weigh(1)
# The last kind takes longest: a worker that reads nothing else for seconds looks dead.
send(*[frames("stream", content) for _ in range(20)])
weigh(3)
verdict()
""",
        may_end=True,
    ),
    _forged(
        "a message that is larger than the worker takes",
        "for size in (17, 64, 128):\n    send(frames('stream', text('x' * (size << 20))))\nweigh()\nverdict()\n",
        may_end=True,
        timeout=20,
    ),
    *(
        _forged(
            f"a message that is none: {what}",
            f"send({message})\ntime.sleep(2)\nverdict()\n",
            may_end=True,
            timeout=20,
        )
        for what, message in {
            "no parts, no delimiter": "[b''], [b'topic'], [b'a', b'b', b'c', b'd', b'e', b'f', b'g']",
            "unsigned": "frames('stream', text('forged'), sign=False)",
            "signed by another": "[b't', b'<IDS|MSG>', b'0' * 64, b'{}', b'{}', b'{}', b'{}']",
            "the same one twice": "*[frames('stream', text('twice'), header={'msg_id': 'x'})] * 2",
            "nested without end": "frames('stream', b'[' * 5_000_000 + b']' * 5_000_000)",
            "nested in its header": "frames('x', {}, header=b'{\"a\":' * 200_000 + b'1' + b'}' * 200_000)",
            "not JSON": "frames('stream', b'\\xff\\xfe{')",
            "no objects": "frames('stream', [1, 2], parent=[3], header=[4], metadata=b'5')",
            "numbers that are none": "frames('stream', b'{\"text\": NaN, \"a\": 1' + b'0' * 1_000_000 + b'}')",
            "dates that are none": "frames('stream', {}, header={'msg_type': 'stream', 'date': '9999-99-99T99:99:99'})",
            "a million parts": "[*frames('stream', {}), *[b'x'] * 1_000_000]",
        }.items()
    ),
    _forged(
        "contents of the wrong types, in every kind of message",
        r"""
odd = [None, True, 7, 1e308, "text", [], [[]], {}, {"a": {"b": None}}, [1, "2", None], [["a"] * 1000] * 100]
kinds = "stream error display_data execute_result update_display_data clear_output status execute_input comm_open"
fields_of = "name text ename evalue traceback data metadata transient execution_state execution_count wait code".split()
sent = []
for kind in [*kinds.split(), "", "x" * 100_000, None, 7, ["stream"]]:
    for value in odd:
        data = {"image/png": value, "text/plain": value, "image/svg+xml": value}
        for content in ({name: value for name in fields_of}, {"data": data, "traceback": [value]}):
            sent.append(frames(kind, content, header={**session.msg_header("x"), "msg_type": kind}))
# One that says `idle` would end the exchange for the worker: that is another attack.
send(*sent)
time.sleep(1)
print()
weigh()
verdict()
""",
        may_end=True,
    ),
    _forged(
        "commands to the terminal in every field of every kind of message",
        r"""
escape = "\x1b]52;c;YXR0YWNr\x07\x1b[2J\x9b2J\x00"
kinds = "stream error display_data execute_result update_display_data status".split()
fields_of = "name text ename evalue traceback data execution_state".split()
send(*[frames(kind, {name: escape for name in fields_of}) for kind in kinds],
     *[frames(kind, {"data": {"text/plain": escape, escape: escape}, "traceback": [escape]}) for kind in kinds],
     frames(escape, {}), frames("error", {"ename": escape, "evalue": escape, "traceback": []}))
time.sleep(0.5)
verdict()
""",
    ),
    _forged(
        "messages for another request: an earlier one, a coming one, none",
        r"""
own = request["msg_id"]
parents = [{}, {"msg_id": ""}, {"msg_id": "0"}, {"msg_id": own[:-1]}, {**request, "msg_id": own + "0"}]
head, _, number = own.rpartition("_")
parents += [{"msg_id": f"{head}_{int(number) + step}"} for step in (-2, -1, 1, 2, 3)] if number.isdigit() else []
for parent in parents:
    send(frames("stream", text("BREACH: shown for another request\n"), parent=parent),
         frames("status", {"execution_state": "idle"}, parent=parent),
         frames("error", {"traceback": ["BREACH"]}, parent=parent))
time.sleep(1)
verdict()
""",
    ),
    _forged(
        "the end of the cell before its end, and an answer of its own",
        r"""
asker = kernel._get_shell_context_var(kernel._shell_parent_ident)
page = {"source": "page", "data": {"text/plain": "\x1b[2J" + "p" * 100_000}}
replies = [{"status": 7, "payload": 7, "message": {"a": 1}}, {"payload": [None, 1, {"source": "page", "data": None}]}]
for reply in [{"status": "ok", "payload": [page] * 20, "message": "m" * 1_000_000}, *replies]:
    kernel.shell_stream.socket.send_multipart([*asker, *frames("execute_reply", reply)[1:]])
time.sleep(0.5)
send(frames("status", {"execution_state": "idle"}))
end = time.time() + 3
while time.time() < end:
    print("still here")
    time.sleep(0.05)
verdict()
""",
        may_end=True,
    ),
    _forged(
        "no end at all: the last messages are kept back",
        r"""
thread.io_loop.add_callback(thread.socket.close)
thread.socket.send_multipart = lambda *_, **__: None
session.send = lambda *_, **__: None
time.sleep(1)
""",
        may_end=True,
        timeout=10,
    ),
    _forged(
        "an answer that the worker's socket refuses, after one that it takes: the next request finds nobody",
        r"""
asker = kernel._get_shell_context_var(kernel._shell_parent_ident)
for size in (1, 40 << 20):
    answer = frames("execute_reply", {"status": "ok", "text": "x" * size})[1:]
    kernel.shell_stream.socket.send_multipart([*asker, *answer])
time.sleep(0.5)
send(frames("stream", text("HELD: if the next request is answered\n")), frames("status", {"execution_state": "idle"}))
""",
        may_end=True,
    ),
    _forged(
        "the sockets closed, removed and served by somebody else",
        r"""
address = thread.socket.getsockopt(zmq.LAST_ENDPOINT).decode().rstrip("\0")
def exchange():
    thread.socket.unbind(address)
    for path in glob.glob(f"{os.path.dirname(kernel.parent.connection_file)}/k*"):
        attempt(os.unlink, path)
    try:
        other = zmq.Context().socket(zmq.XPUB)
        other.bind(address)
    except zmq.ZMQError as error:
        refused.append(str(error))
        return
    for _ in range(2000):
        other.send_multipart([b"topic", b"<IDS|MSG>", b"", b"{}", b"{}", b"{}", b"x" * 100_000])
thread.io_loop.add_callback(exchange)
time.sleep(3)
weigh()
verdict()
""",
        may_end=True,
        timeout=20,
    ),
    _forged(
        "a flood of the smallest messages, of widgets, and of questions that nobody answers",
        r"""
from IPython.display import display, clear_output
send(*[frames("status", {"execution_state": "busy"}) for _ in range(50_000)])
for number in range(3000):
    display({}, raw=True)
    clear_output()
import comm
with contextlib.suppress(Exception):
    for _ in range(50):
        comm.create_comm(target_name="x", data={"a": "y" * 1_000_000}, buffers=[bytes(1 << 20)])
for ask in (input, kernel.raw_input, kernel.getpass):
    try:
        ask("password: ")
    except BaseException as error:
        refused.append(type(error).__name__)
socket_of_questions = kernel.parent.stdin_socket
with contextlib.suppress(Exception):
    for _ in range(1000):
        session.send(socket_of_questions, "input_request", {"prompt": "p" * 10_000, "password": True}, ident=b"x")
weigh()
verdict()
""",
    ),
)
