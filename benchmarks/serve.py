"""`openmie serve` under load, on this machine's loopback: throughput, memory, large pictures, and a kill.

    python benchmarks/serve.py [--only throughput memory pictures kill] [--posts 128] [--pictured 16] [--rounds 3]

throughput: openmie-base, texts and texts with a photograph, 1, 8 and 32 clients, each of which sends its next post when
    it has its answer. The same posts go through `predict_each`, as `openmie extract` runs them, before and after each
    number of clients; numbers are posts a second as a share of the mean of both, by the clock and by CPU time (of the
    server, against that of the job). Both: where cores are shared, CPU time of one post varies by half in a minute.
memory: resident memory of a service over 20,000 requests, with a model that answers at once, and with base over 1,000
    posts with a small photograph, each text another (a twentieth of `--requests`).
pictures: the most memory that base's service takes for the largest pictures that it accepts, and for those it refuses.
kill: SIGKILL under 16 clients; what was answered is whole and right, the rest is answered after a restart.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

TOKEN = "benchmark-of-serve"
PHOTOGRAPH = Path(__file__).resolve().parent.parent / "docs" / "collins.jpg"
CLIENTS = (1, 8, 32)


class Process(NamedTuple):
    """A service that runs."""

    pid: int
    port: int
    running: Any

    def seconds(self) -> float:
        """CPU seconds so far, of user and system."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def mebibytes(self, name: str = "VmRSS") -> float:
        """Resident memory now, or at most (`VmHWM`)."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="utf8")
        return int(re.findall(rf"{name}:\s+(\d+)", status)[0]) / 1024

    def forget_peak(self) -> None:
        """Begin to measure the most memory anew."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5", encoding="utf8")


@contextmanager
def service(*arguments: str, port: int = 0) -> Iterator[Process]:
    """A service in a process of its own."""
    command = [sys.executable, *arguments, "--port", str(port)]
    env = {**os.environ, "OPENMIE_TOKEN": TOKEN}
    running = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert running.stdout is not None
    line = running.stdout.readline()
    found = re.search(r":(\d+)/", line)
    assert found, f"no service: {line}"
    try:
        yield Process(running.pid, int(found[1]), running)
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(60)


BASE = ("-m", "openmie", "serve", "--rate", "0")


class Answer(NamedTuple):
    """What a client got."""

    status: int
    body: bytes
    seconds: float


async def ask(streams: Any, body: bytes) -> Answer:
    """Send a post over an open connection, and read its answer."""
    reader, writer = streams
    began = time.perf_counter()
    head = (
        f"POST /v1/extract HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n"
    )
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    await writer.drain()
    answered = await reader.readuntil(b"\r\n\r\n")
    size = int(re.findall(rb"(?i)content-length: (\d+)", answered)[0])
    return Answer(int(answered.split()[1]), await reader.readexactly(size), time.perf_counter() - began)


async def load(
    port: int, bodies: Sequence[bytes], clients: int, answered: Callable[[int], None] = lambda number: None
) -> list[Answer | None]:
    """The answer to each body, of so many clients; None of one whose connection broke; `answered` is told how many."""
    left, found = iter(enumerate(bodies)), dict[int, Answer | None]()

    async def client() -> None:
        streams = None
        for n, body in left:
            found[n] = None
            try:
                streams = streams or await asyncio.open_connection("127.0.0.1", port)
                found[n] = await ask(streams, body)
                answered(len(found))
            except (OSError, asyncio.IncompleteReadError):
                streams = None
        if streams:
            streams[1].close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return [found[n] for n in range(len(bodies))]


def posts(count: int, pictured: bool) -> tuple[list[Any], list[bytes]]:
    """Made-up posts as Documents, and as the bodies of requests."""
    from openmie import diorama
    from openmie.data.document import Document, Image

    told = diorama.generate(diorama.Config(documents=True, seed=3), "test", count, pixels=False)
    texts = [document.text for document in told]
    paths = photographs(count) if pictured else []
    images = [(Image(path=str(path), id="main"),) for path in paths] or [()] * count
    documents = [Document(id=str(n), text=text, images=own) for n, (text, own) in enumerate(zip(texts, images))]
    data = [[base64.b64encode(path.read_bytes()).decode()] for path in paths] or [[]] * count
    given = [{"id": d.id, "text": d.text, "images": own} for d, own in zip(documents, data)]
    return documents, [json.dumps(x).encode() for x in given]


def photographs(count: int) -> list[Path]:
    """Photographs with other words on each: the model remembers the states of the last text that it read."""
    from PIL import Image, ImageDraw

    folder, paths = Path(tempfile.mkdtemp()), list[Path]()
    for n in range(count):
        with Image.open(PHOTOGRAPH) as picture:
            ImageDraw.Draw(picture).text((20, 20), f"Photograph {n}", fill="white", font_size=32)
            paths.append(folder / f"{n}.png")
            picture.save(paths[-1])
    return paths


def measure_throughput(count: int, pictured: int, rounds: int) -> None:
    """Shares of the speed of `extract`, by clients and kind of post."""
    from openmie.base.loading import load as load_model

    model = load_model("base")
    for kind, number in (("text", count), ("text and photograph", pictured)):
        if not number:
            continue
        documents, bodies = posts(number, kind != "text")
        extracted(model, documents[:8])
        shares: dict[int, list[tuple[float, float]]] = {clients: [] for clients in CLIENTS}
        waits: dict[int, list[float]] = {clients: [] for clients in CLIENTS}
        with service(*BASE) as process:
            for _ in range(rounds):
                expected, before = extracted(model, documents)
                for clients in CLIENTS:
                    some = bodies if clients > 1 else bodies[: max(number // 4, 4)]
                    wall, spent = time.perf_counter(), process.seconds()
                    answers = asyncio.run(load(process.port, some, clients))
                    taken, spent = time.perf_counter() - wall, process.seconds() - spent
                    check_answers(answers, expected)
                    _, after = extracted(model, documents)
                    beside, cost = ((a + b) / 2 for a, b in zip(before, after))
                    before = after
                    shares[clients].append((beside * len(some) / taken, cost * len(some) / spent))
                    waits[clients] += [a.seconds / beside for a in answers if a]
            print(f"{kind}: {process.mebibytes():.0f} MiB")
        for clients in CLIENTS:
            (by_clock, low, high), (by_cpu, least, most) = (
                (statistics.median(x), min(x), max(x)) for x in zip(*shares[clients])
            )
            p50, p95 = (statistics.quantiles(waits[clients], n=100)[q] for q in (49, 94))
            print(
                f"{kind}, {clients} clients: {by_clock:.2f} ({low:.2f} to {high:.2f}) of extract by the clock, "
                f"{by_cpu:.2f} ({least:.2f} to {most:.2f}) by CPU time; wait for an answer, in posts of extract: "
                f"median {p50:.1f}, p95 {p95:.1f}"
            )


def extracted(model: Any, documents: Sequence[Any]) -> tuple[list[Any], tuple[float, float]]:
    """The predictions as `extract` makes them, and the seconds a post that they take, by the clock and of CPU time."""
    from openmie.data.document import Document
    from openmie.inference.pipeline import predict_each

    model.predict([Document(id="other", text="A text that is none of these")])  # what it remembers is of the last texts
    wall, spent = time.perf_counter(), time.process_time()
    found = list(predict_each([model], documents))
    return found, ((time.perf_counter() - wall) / len(documents), (time.process_time() - spent) / len(documents))


def check_answers(answers: Sequence[Answer | None], expected: Sequence[Any]) -> None:
    """Every answer is there, and is what the model predicts."""
    for answer, document in zip(answers, expected):
        assert answer is not None and answer.status == 200, answer
        told = json.loads(answer.body)
        found = [(m["start"], m["end"], m["label"]) for m in told.get("mentions", ())]
        assert told["id"] == document.id and found == [(m.start, m.end, m.label) for m in document.mentions]


def measure_memory(requests: int) -> None:
    """Resident memory while requests go by."""
    _, same = posts(64, False)
    instant, few = ([same[n % len(same)] for n in range(requests)], small_posts(requests // 20))
    for name, arguments, bodies in (("instant model", (__file__, "--stub"), instant), ("base", BASE, few)):
        with service(*arguments) as process:
            rows, tenth = [], len(bodies) // 10
            for part in range(10):
                answers = asyncio.run(load(process.port, bodies[part * tenth : (part + 1) * tenth], 16))
                assert all(a and a.status == 200 for a in answers)
                rows.append(f"{process.mebibytes():.0f}")
                print(f"memory, {name}: {rows[-1]} MiB after {(part + 1) * tenth:,} requests", flush=True)
            peak = process.mebibytes("VmHWM")
        print(f"memory, {name}: MiB after each tenth of {10 * tenth:,} requests: {', '.join(rows)}; most {peak:.0f}")


def small_posts(count: int) -> list[bytes]:
    """Bodies of short posts, each text another, with one of 32 small photographs."""
    from PIL import Image

    data = []
    for path in photographs(min(count, 32)):
        with Image.open(path) as picture:
            picture.thumbnail((240, 240))
            picture.save(file := BytesIO(), "JPEG")
        data.append(base64.b64encode(file.getvalue()).decode())
    texts = [f"Eileen Collins, pilot {n} of NASA, came back from Elmira on day {n % 97}" for n in range(count)]
    return [json.dumps({"text": text, "images": [data[n % len(data)]]}).encode() for n, text in enumerate(texts)]


def pictures() -> Iterator[tuple[str, bytes]]:
    """The largest pictures that are accepted, of each kind that takes most memory; and some that are refused."""
    from PIL import Image

    def saved(picture: Any, format: str, **options: Any) -> bytes:
        file = BytesIO()
        picture.save(file, format, **options)
        return file.getvalue()

    wide = (8000, 4000)
    yield "ordinary: JPEG, 4 megapixels", saved(Image.new("RGB", (2000, 2000), (9, 99, 200)), "JPEG")
    yield "refused: PNG, 169 megapixels", saved(Image.new("1", (13000, 13000)), "PNG")
    yield "refused: WebP, 268 megapixels", saved(Image.new("RGB", (16383, 16383)), "WEBP", quality=1)
    yield "PNG, RGBA, 32 megapixels", saved(Image.new("RGBA", wide, (9, 99, 200, 90)), "PNG")
    yield "PNG, RGBA, 16 megapixels", saved(Image.new("RGBA", (3999, 3999), (9, 99, 200, 90)), "PNG")
    yield "PNG, 16 bits, 16 megapixels", saved(Image.new("I;16", (3999, 3999), 999), "PNG")
    yield "GIF, 16 megapixels", saved(Image.new("P", (3999, 3999), 7), "GIF", transparency=7)
    yield "WebP, 16 megapixels", saved(Image.new("RGBA", (3999, 3999), (9, 99, 200, 90)), "WEBP", lossless=True)
    yield (
        "JPEG, progressive, 32 megapixels",
        saved(Image.new("RGB", wide, (9, 99, 200)), "JPEG", progressive=True, subsampling=0),
    )
    yield "TIFF, 32 megapixels", saved(Image.new("RGB", wide), "TIFF", compression="tiff_deflate")


def measure_pictures() -> None:
    """The most memory over that of a photograph which the model reads in full size."""
    with service(*BASE) as process:
        before = 0.0
        for name, file in pictures():
            body = json.dumps({"text": "Ada", "images": [base64.b64encode(file).decode()]}).encode()
            process.forget_peak()
            answers = asyncio.run(load(process.port, [body], 1))
            statuses = {a.status if a else None for a in answers}
            before = before or process.mebibytes("VmHWM")
            over = process.mebibytes("VmHWM") - before
            print(f"{name}: {len(file):,} bytes, status {statuses}, {over:.0f} MiB over an ordinary one")


def measure_kill(requests: int) -> None:
    """A kill in the middle, and a restart."""
    _, some = posts(64, False)
    bodies = [json.dumps({**json.loads(some[n % 64]), "id": str(n)}).encode() for n in range(requests)]
    folder = tempfile.mkdtemp()
    os.environ["TMPDIR"] = folder
    with service(__file__, "--stub", "--seconds", "0.01") as process:

        def kill(answered: int) -> None:
            if answered >= requests // 2:
                process.running.kill()

        answers = asyncio.run(load(process.port, bodies, 16, kill))
    whole = [n for n, answer in enumerate(answers) if answer is not None]
    for n in whole:
        check_stub(answers[n], bodies[n])
    left = [body for n, body in enumerate(bodies) if answers[n] is None]
    with service(__file__, "--stub", port=process.port) as again:
        for answer, body in zip(asyncio.run(load(again.port, left, 16)), left):
            check_stub(answer, body)
    print(
        f"kill: {len(whole):,} of {requests:,} answered before, all whole and right; the other {len(left):,} after a "
        f"restart on the same port; {len(os.listdir(folder))} files left behind"
    )


def check_stub(answer: Answer | None, body: bytes) -> None:
    """The answer of the instant model to this very post."""
    post = json.loads(body)
    assert answer is not None and answer.status == 200, answer
    told = json.loads(answer.body)
    assert told["id"] == post["id"] and told["mentions"][0]["text"] == post["text"].split()[0]


class Stub:
    """A model that finds the first word at once, or after some time."""

    kind, takes_labels, reads_images = "base", True, False
    labels, relations = {"W": "a word"}, dict[str, str]()

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def query(self, labels: Any, relations: Any, threshold: Any) -> Any:
        """See `openmie.serve.served_model.ServedModel`."""
        from openmie.serve.served_model import ModelQuery

        return ModelQuery(key="", predict=self._predict)

    def _predict(self, documents: Sequence[Any]) -> list[Any]:
        from openmie.data.document import Mention

        time.sleep(self.seconds)
        first = [d.text.split()[0] for d in documents]
        at = [(d.text.index(w), d.text.index(w) + len(w)) for d, w in zip(documents, first)]
        return [d.replace(mentions=(Mention(id="m0", start=a, end=b, label="W"),)) for d, (a, b) in zip(documents, at)]


def serve_stub(port: int, seconds: float) -> None:
    """The service of a `Stub`."""
    from openmie.serve import Settings, create_application, server

    with server.open_socket("127.0.0.1", port) as opened:
        opened.listen(server.BACKLOG)
        print(server.address_of(opened, tls=False) + "/", flush=True)
        settings = Settings(tokens=(TOKEN,), rate=0)
        server.run(create_application({"stub": Stub(seconds)}, settings), opened, settings.timeout, {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", nargs="+", default=["throughput", "memory", "pictures", "kill"])
    parser.add_argument("--posts", type=int, default=128)
    parser.add_argument("--pictured", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--stub", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=0.0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.stub:
        serve_stub(given.port, given.seconds)
        return
    jobs: dict[str, Callable[[], None]] = {
        "kill": lambda: measure_kill(given.requests // 5),
        "memory": lambda: measure_memory(given.requests),
        "throughput": lambda: measure_throughput(given.posts, given.pictured, given.rounds),
        "pictures": measure_pictures,
    }
    for name in given.only:
        jobs[name]()


if __name__ == "__main__":
    main()
