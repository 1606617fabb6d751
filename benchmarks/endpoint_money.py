"""Money and work around a vision-language model behind a server, measured against a stub on loopback.

    python benchmarks/endpoint_money.py                 # all
    python benchmarks/endpoint_money.py pictures limits # some
    python benchmarks/endpoint_money.py --scale 10      # a tenth of the sizes and times, for a look

The cases are those of docs/guides/vision-language-models.md: the command `openmie extract` is run in processes of its
own, as people run it, on posts made here. Each line is a case, what came of it, and how it was measured.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Picture

ANSWER = json.dumps({"mentions": []})


class Server:
    """Answers by `reply(number, prompt)`: (status, Retry-After); counts calls and bytes."""

    def __init__(self, reply: Callable[[int, str], tuple[int, str]]) -> None:
        self.calls, self.bytes, self.largest, self.lock = Counter[str](), 0, 0, threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                content = json.loads(raw)["messages"][-1]["content"]
                prompt = content if isinstance(content, str) else content[-1]["text"]
                with outer.lock:
                    number = sum(outer.calls.values())
                    outer.calls[prompt] += 1
                    outer.bytes += len(raw)
                    outer.largest = max(outer.largest, len(raw))
                status, wait = reply(number, prompt)
                choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": ANSWER}}
                usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
                fine = {"id": "x", "object": "chat.completion", "created": 0, "choices": [choice], "usage": usage}
                body = json.dumps(fine if status == 200 else {"error": {"message": "no"}}).encode()
                self.send_response(status)
                if wait:
                    self.send_header("Retry-After", wait)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

            def handle(self) -> None:
                try:
                    super().handle()
                except (OSError, ValueError):  # the client has gone, with half a body
                    self.close_connection = True

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.request_queue_size = 64
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()


def command(url: str, posts: Path, out: Path, *more: str) -> list[str]:
    named = ["--system", "schema", "--model", "m", "--endpoint", url, "--label", "PER=a person"]
    return [sys.executable, "-m", "openmie", "extract", str(posts), *named, "--out", str(out), *more]


def start(arguments: list[str], folder: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "OPENMIE_ANSWERS": str(folder / "answers"), "NO_PROXY": "127.0.0.1,localhost"}
    return subprocess.Popen(arguments, env=environment, stderr=subprocess.PIPE, text=True)


def run(arguments: list[str], folder: Path, limit: float) -> tuple[str, float, float]:
    """(what it said, seconds, CPU seconds); "killed" where it ran past the limit."""
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    process = start(arguments, folder)
    try:
        said = process.communicate(timeout=limit)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        said = process.communicate()[1] + f"killed after {limit:.0f} s"
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return said, time.monotonic() - began, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def text_posts(folder: Path, count: int) -> Path:
    path = folder / "posts.jsonl"
    lines = (json.dumps({"id": f"p{i}", "text": f"Ada number {i} waves"}) for i in range(count))
    path.write_text("\n".join(lines) + "\n", encoding="utf8")
    return path


def failed(out: Path) -> str:
    """How many rows of a result have errors, of how many."""
    files = [out] if out.is_file() else sorted(out.glob("part-*")) if out.is_dir() else []
    rows = [json.loads(line) for path in files for line in path.read_text(encoding="utf8").splitlines()]
    return f"{sum(bool(row.get('errors')) for row in rows)} of {len(rows)} failed"


def pictures(folder: Path, scale: int) -> None:
    """12 photographs of 12 megapixels (JPEG of about 4 MB, half of them turned); less what posts without take."""
    count, random = max(12 // scale, 2), np.random.default_rng(0)
    small = random.integers(0, 256, (378, 504, 3), dtype=np.uint8)
    rows = []
    for i in range(count):
        noise = random.integers(-14, 15, (3024, 4032, 1))
        grown = np.asarray(Picture.fromarray(np.roll(small, i, 0)).resize((4032, 3024), Picture.Resampling.BICUBIC))
        pixels = np.clip(grown + noise, 0, 255).astype(np.uint8)
        exif = Picture.Exif()
        exif[0x0112] = 6 if i % 2 else 1
        Picture.fromarray(pixels).save(folder / f"{i}.jpg", quality=82, exif=exif)
        rows.append({"id": f"p{i}", "text": f"Ada number {i} waves", "image": f"{i}.jpg"})
    size = sum(path.stat().st_size for path in folder.glob("*.jpg")) / count
    posts = folder / "photographs.jsonl"
    posts.write_text("\n".join(map(json.dumps, rows)), encoding="utf8")
    server, empty = Server(lambda *_: (200, "")), Server(lambda *_: (200, ""))
    _, _, base = run(command(empty.url, text_posts(folder, count), folder / "plain.jsonl"), folder, 600)
    _, seconds, cpu = run(command(server.url, posts, folder / "out.jsonl"), folder, 600)
    print(f"pictures: {count} of {size / 1e6:.1f} MB: bodies of {server.bytes / count / 1e6:.2f} MB (largest "
          f"{server.largest / 1e6:.2f}), CPU {(cpu - base) / count:.2f} s each, {seconds:.0f} s in all, "
          f"{failed(folder / 'out.jsonl')}", flush=True)  # fmt: skip


def limits(folder: Path, scale: int) -> None:
    """150 posts under 2 a second (Retry-After: 1), and with one pause of 90 seconds."""
    posts = text_posts(folder, 150 // scale)
    windows = Counter[int]()

    def two(number: int, prompt: str) -> tuple[int, str]:
        second = int(time.monotonic())
        windows[second] += 1
        return (200, "") if windows[second] <= 2 else (429, "1")

    pause = 90 // scale
    until: list[float] = []

    def long(number: int, prompt: str) -> tuple[int, str]:
        if number == 20:
            until.append(time.monotonic() + pause)
        left = until[0] - time.monotonic() if until else 0
        return (429, str(int(left) + 1)) if left > 0 else (200, "")

    for name, reply in (("2 a second, Retry-After: 1", two), (f"Retry-After: {pause}", long)):
        server, out = Server(reply), folder / f"{name[:5].strip()}.jsonl"
        _, seconds, _ = run(command(server.url, posts, out, "--cache", str(folder / name[:1])), folder, 400)
        print(f"limits: {name}: {failed(out)}, {sum(server.calls.values())} calls, {seconds:.0f} s", flush=True)


def dead(folder: Path, scale: int) -> None:
    """10,000 posts against an address where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    posts = text_posts(folder, 10_000 // scale)
    said, seconds, _ = run(command(f"http://127.0.0.1:{port}/v1", posts, folder / "dead.jsonl"), folder, 300)
    print(f"dead server: {seconds:.0f} s: {' '.join(said.split())[:260]}", flush=True)


def key(folder: Path, scale: int) -> None:
    """400 posts with a key that the server does not take."""
    server, posts = Server(lambda *_: (401, "")), text_posts(folder, 400 // scale)
    said, seconds, _ = run(command(server.url, posts, folder / "key.jsonl"), folder, 300)
    calls = sum(server.calls.values())
    print(f"wrong key: {calls} calls, {seconds:.0f} s: {' '.join(said.split())[:160]}", flush=True)


def hanging(folder: Path, scale: int) -> None:
    """400 posts of which the first hangs: how many others were answered while it did."""
    over, posts = threading.Event(), text_posts(folder, 400)

    def reply(number: int, prompt: str) -> tuple[int, str]:
        if "number 0 waves" in prompt:
            over.wait(60)
        return 200, ""

    server = Server(reply)
    process = start(command(server.url, posts, folder / "hanging.jsonl"), folder)
    last, since = -1, time.monotonic()
    while time.monotonic() - since < (10 if server.calls else 120) and len(server.calls) < 400:
        if len(server.calls) != last:
            last, since = len(server.calls), time.monotonic()
        time.sleep(0.1)
    process.kill()
    process.communicate()
    over.set()
    print(f"one hanging request: {len(server.calls) - 1} of 399 others were answered meanwhile", flush=True)


def kills(folder: Path, scale: int) -> None:
    """400 posts into a file, four kill -9 on the way: how many requests were asked more than once; a moved server."""
    posts, count = text_posts(folder, 400 // scale), 400 // scale
    server = Server(lambda *_: (time.sleep(0.02), (200, ""))[1])
    for part in range(1, 5):
        process = start(command(server.url, posts, folder / "killed.jsonl"), folder)
        while len(server.calls) < part * count // 6 and process.poll() is None:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    run(command(server.url, posts, folder / "killed.jsonl"), folder, 300)
    again = sum(server.calls.values()) - len(server.calls)
    print(f"four kills: {again} requests of {count} were asked again; {failed(folder / 'killed.jsonl')}", flush=True)
    before = sum(server.calls.values())
    moved = server.url.replace("127.0.0.1", "localhost")
    run(command(moved, posts, folder / "moved.jsonl"), folder, 300)
    print(f"moved server: {sum(server.calls.values()) - before} of {count} asked again", flush=True)


CASES = {"pictures": pictures, "limits": limits, "dead": dead, "key": key, "hanging": hanging, "kills": kills}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", choices=[*CASES, []])
    parser.add_argument("--scale", type=int, default=1, help="divides sizes and times")
    given = parser.parse_args()
    for name in given.cases or CASES:
        with tempfile.TemporaryDirectory() as folder:
            CASES[name](Path(folder), given.scale)


if __name__ == "__main__":
    main()
