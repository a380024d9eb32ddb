"""Cells in the shell and in JavaScript."""

from __future__ import annotations

from tests.sandbox.case import Allowed, Group

LANGUAGES: tuple[Allowed, ...] = (
    Allowed(
        "shell: pipes, process substitution, here-documents and arithmetic",
        r"""
set -eu
cat > fruit.csv <<'EOF'
fruit,n
pear,3
apple,5
fig,4
EOF
[ "$(tail -n +2 fruit.csv | sort -t, -k2 -n | cut -d, -f1 | paste -sd' ')" = "pear fig apple" ]
diff <(sort fruit.csv) <(sort -r fruit.csv | sort) && [ "$(comm -12 <(seq 1 5) <(seq 4 8) | tr '\n' ' ')" = "4 5 " ]
rm -f sum.txt; seq 1 10 | tee >(awk '{ s += $1 } END { print s > "sum.txt" }') >/dev/null
for _ in $(seq 50); do [ -s sum.txt ] && break; sleep 0.1; done
[ "$(cat sum.txt)" = 55 ]
read -r first second <<<"one two"; [ "$second" = two ]
total=0; while IFS=, read -r _ n; do total=$((total + ${n:-0})); done < <(tail -n +2 fruit.csv); [ $total = 12 ]
declare -A count=(); for w in a b a; do count[$w]=$(( ${count[$w]:-0} + 1 )); done; [ "${count[a]}" = 2 ]
squares=$(printf '%s\n' {1..3}.txt | sed 's/.txt//' | xargs -P2 -I{} sh -c 'echo $(({} * {}))' | sort -n | tr '\n' ' ')
[ "$squares" = "1 4 9 " ]
name="Straße"; echo "${name^^} ${#name} ${name/ß/ss}"
(exit 3) || [ $? = 3 ]
echo WORKS
""",
        language="shell",
    ),
    Allowed(
        "shell: awk, sed, grep, find, tar, gzip, sha256sum, perl and friends on files",
        r"""
set -euo pipefail
mkdir -p logs && for i in $(seq 1 200)
do printf '2025-01-%02d GET /page%d %d\n' $((i % 28 + 1)) $((i % 5)) $((i * 7 % 500)); done > logs/access.log
awk '{ n[$3]++; ms[$3] += $4 } END { for (p in n) printf "%s %d %.1f\n", p, n[p], ms[p] / n[p] }' logs/access.log |
    sort | tee pages.txt
[ "$(wc -l < pages.txt)" = 5 ] && [ "$(grep -cE '/page(0|1) ' logs/access.log)" = 80 ]
sed -i -E 's#^([0-9]+)-([0-9]+)-([0-9]+)#\3.\2.\1#' logs/access.log && head -1 logs/access.log | grep -q '^02\.01\.2025'
tar czf logs.tar.gz logs && tar tzf logs.tar.gz | grep -q access.log && mkdir -p unpacked &&
    tar xzf logs.tar.gz -C unpacked
sha256sum logs/access.log | sed 's#logs/#unpacked/logs/#' | sha256sum --check --quiet
gzip -kf pages.txt && zcat pages.txt.gz | cmp - pages.txt
find . -name '*.log' -newer /etc/hostname -printf '%f %s\n' | grep -q access.log
[ "$(perl -ne '$s += $1 if /(\d+)$/; END { print $s }' logs/access.log)" -gt 1000 ]
sort -S 1M --parallel=2 -R <(seq 1 20000) | sort -n --temporary-directory="$TMPDIR" -S 100K | cmp - <(seq 1 20000)
split -l 50 logs/access.log part- && [ "$(ls part-* | wc -l)" = 4 ] && cat part-* | cmp - logs/access.log
echo 'YWJj' | base64 -d | od -An -c | tr -d ' \n' | grep -qx abc && stat -c '%U %a' pages.txt >/dev/null
date -u -d '2025-02-28 +1 day' +%F | grep -qx 2025-03-01 && TZ=Asia/Tokyo date +%Z | grep -qx JST
ln -s pages.txt link && [ "$(readlink -f link)" = "$PWD/pages.txt" ] && chmod 600 pages.txt &&
    cp -a pages.txt copy.txt && rm link && du -sk . && df -h .
echo WORKS
""",
        language="shell",
    ),
    Allowed(
        "shell: background jobs, wait, traps, kill, named pipes, flock and timeout",
        r"""
set +e -u  # What the cells before have set still holds.
for i in 1 2 3; do (sleep 0.2; echo $((i * i)) > job$i) & done
wait; [ "$(cat job1 job2 job3 | tr '\n' ' ')" = "1 4 9 " ] || exit 1
sleep 60 & slow=$!
until [ "$(cat /proc/$slow/comm)" = sleep ]; do sleep 0.01; done  # What comes before may be lost to bash.
kill -TERM $slow; wait $slow; [ $? = 143 ] || exit 2
rm -f channel; mkfifo channel; (echo through > channel) & [ "$(cat channel)" = through ] || exit 3
(trap 'echo cleaned > cleaned.txt' EXIT; exit 0); [ "$(cat cleaned.txt)" = cleaned ] || exit 4
timeout 0.3 sleep 20; [ $? = 124 ] || exit 5
rm -f n; for i in $(seq 20); do (flock 9; n=$(cat n 2>/dev/null || echo 0); echo $((n + 1)) > n) 9> lock & done; wait
[ "$(cat n)" = 20 ] || exit 6
coproc talk { while read -r line; do echo "got $line"; done; }
echo hello >&"${talk[1]}"; read -r answer <&"${talk[0]}"; [ "$answer" = "got hello" ] || exit 7
kill "$talk_PID"
trap 'usr=1' USR1; usr=0; kill -USR1 $$; [ $usr = 1 ] || exit 8
python3 -c 'import pandas; print(pandas.Series([1, 2]).sum())' | grep -qx 3 || exit 9
[ "$(id -un 2>/dev/null || id -u)" != root ] || echo "as root"
ulimit -n >/dev/null && nproc >/dev/null && uname -a && hostname >/dev/null && echo WORKS
""",
        language="shell",
        group=Group.SIGNALS,
    ),
    Allowed(
        "javascript: files, JSON, paths, crypto and compression",
        r"""
const fs = require("fs"), path = require("path"), os = require("os");
const zlib = require("zlib"), crypto = require("crypto");
const assert = require("assert/strict");
const rows = Array.from({ length: 1000 }, (_, i) => ({ id: i, name: `näme ${i}`, even: i % 2 === 0 }));
fs.writeFileSync("rows.json", JSON.stringify(rows, null, 1));
assert.equal(JSON.parse(fs.readFileSync("rows.json", "utf8")).filter((r) => r.even).length, 500);
fs.mkdirSync("js/deep", { recursive: true });
fs.copyFileSync("rows.json", "js/deep/copy.json");
assert.deepEqual(fs.readdirSync("js", { recursive: true }).sort(), ["deep", path.join("deep", "copy.json")]);
fs.rmSync("js", { recursive: true });
const temporary = fs.mkdtempSync(path.join(os.tmpdir(), "js-"));
fs.appendFileSync(path.join(temporary, "a.txt"), "x");
const packed = zlib.gzipSync(JSON.stringify(rows));
assert.equal(zlib.gunzipSync(packed).toString(), JSON.stringify(rows));
assert.equal(crypto.createHash("sha256").update("abc").digest("hex").slice(0, 8), "ba7816bf");
assert.equal(crypto.randomUUID().length, 36);
const { publicKey, privateKey } = crypto.generateKeyPairSync("ed25519");
assert.ok(crypto.verify(null, Buffer.from("m"), publicKey, crypto.sign(null, Buffer.from("m"), privateKey)));
const money = new Intl.NumberFormat("de-DE", { style: "currency", currency: "EUR" });
assert.equal(money.format(1234.5), "1.234,50\u00a0€");
assert.equal(new Date("2025-07-01T00:00Z").toLocaleString("en", { timeZone: "Asia/Tokyo", hour: "numeric" }), "9 AM");
assert.ok(os.cpus().length >= 1 && os.totalmem() > 0 && process.memoryUsage().rss > 0);
console.table(rows.slice(0, 3));
console.log("WORKS");
""",
        language="javascript",
    ),
    Allowed(
        "javascript: promises, streams, timers, events and WebAssembly",
        r"""
const assert = require("assert/strict"), fs = require("fs"), fsp = require("fs/promises");
const { pipeline } = require("stream/promises"), { Transform } = require("stream");
const { once, EventEmitter } = require("events");
const sleep = require("timers/promises").setTimeout;
(async () => {
  const began = performance.now();
  assert.deepEqual(await Promise.all([1, 2, 3].map(async (n) => (await sleep(100), n * n))), [1, 4, 9]);
  assert.ok(performance.now() - began < 5000);
  await fsp.writeFile("lines.txt", Array.from({ length: 5000 }, (_, i) => i).join("\n"));
  const upper = new Transform({ transform: (chunk, _, done) => done(null, String(chunk).replaceAll("1", "one")) });
  await pipeline(fs.createReadStream("lines.txt"), upper, fs.createWriteStream("ones.txt"));
  assert.ok((await fsp.readFile("ones.txt", "utf8")).includes("4one"));
  const emitter = new EventEmitter();
  setImmediate(() => emitter.emit("ready", 42));
  assert.deepEqual(await once(emitter, "ready"), [42]);
  const code = "0061736d0100000001070160027f7f017f030201000707010361646400000a09010700200020016a0b";
  const { instance } = await WebAssembly.instantiate(Buffer.from(code, "hex"));
  assert.equal(instance.exports.add(2, 40), 42);
  new WebAssembly.Memory({ initial: 16, maximum: 256 });
  const lines = require("readline").createInterface({ input: fs.createReadStream("lines.txt") });
  for await (const line of lines) if (line === "10") break;
  await assert.rejects(fsp.readFile("missing.txt"), { code: "ENOENT" });
  const { add } = await import("data:text/javascript,export const add = (a, b) => a + b");
  assert.equal(add(1, 2), 3);
  console.log("WORKS");
})();
""",
        language="javascript",
    ),
    Allowed(
        "javascript: worker threads, shared memory, child processes and Unix sockets",
        r"""
const assert = require("assert/strict"), path = require("path"), os = require("os");
const fs = require("fs"), net = require("net");
const { Worker } = require("worker_threads"), { execFileSync, execSync, fork, spawn } = require("child_process");
const { once } = require("events");
(async () => {
  const shared = new Int32Array(new SharedArrayBuffer(4));
  const code = `const { workerData } = require("worker_threads");
    for (let i = 0; i < 1000; i++) Atomics.add(workerData, 0, 1)`;
  const workers = Array.from({ length: 4 }, () => new Worker(code, { eval: true, workerData: shared }));
  await Promise.all(workers.map((worker) => once(worker, "exit")));
  assert.equal(shared[0], 4000);
  assert.equal(execSync("echo $((6 * 7)) | cat").toString(), "42\n");
  const reversed = execFileSync("python3", ["-c", "import sys; print(sys.stdin.read()[::-1])"], { input: "abc" });
  assert.equal(String(reversed), "cba\n");
  const slow = spawn("sleep", ["60"]);
  setTimeout(() => slow.kill("SIGTERM"), 100);
  assert.deepEqual(await once(slow, "exit"), [null, "SIGTERM"]);
  fs.writeFileSync("child.js", "process.on('message', (m) => { process.send(m * 2); process.disconnect(); })");
  const child = fork("./child.js");
  child.send(21);
  assert.equal((await once(child, "message"))[0], 42);
  const place = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "s-")), "s");
  const server = net.createServer((socket) => socket.end("hello")).listen(place);
  await once(server, "listening");
  const client = net.connect(place);
  let said = "";
  for await (const data of client) said += data;
  server.close();
  assert.equal(said, "hello");
  console.log("WORKS");
})().catch((error) => { console.error(error); process.exit(1); });
""",
        language="javascript",
        group=Group.SESSIONS,
    ),
)
