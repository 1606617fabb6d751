"""`openmie extract --out FOLDER`, stopped: SIGKILL at drawn places, Ctrl-C, a full disk; what is left and paid.

    python benchmarks/extract_kills.py [--posts 2000] [--kills 20] [--seed 0] [--only endpoint]
    mount -t tmpfs -o size=600k none small && python benchmarks/extract_kills.py --small-disk small

The model is a text baseline, trained here in seconds; the endpoint is a server on loopback that counts what
it is asked. Each job is stopped, started again with the same command, and compared with one that ran to its end: equal
bytes but for the summary of times and costs. Each line says what was kept, and what the server was asked again.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

import openmie.model.pretrained
import openmie.vlm.backends.endpoint  # noqa: F401
from openmie.cli import application as cli
from openmie.cli import base_options, extract_output, extract_predictor  # noqa: F401
from tests.fixtures.chat_server import ChatServer, Reply, said
from tests.fixtures.prompting_stub import fenced

NAMES, CONCURRENCY = ("Ada", "Mira", "Orla", "Turin", "Quend"), 8


def answer(number: int, prompt: str) -> Reply:
    """The names of the post, after a moment, so that several requests are on their way."""
    time.sleep(0.02)
    words = dict.fromkeys(w for w in fenced(prompt)[-1].split() if w in NAMES)
    return said(json.dumps({"mentions": [{"id": w, "text": w, "label": "PER"} for w in words]}))


class Job:
    """One command into a folder, which is stopped and started again.

    Args:
        options: of `openmie extract`, without --out.
        folder: of all.
        server: which counts requests; None for a model.
        posts: how many there are.
    """

    def __init__(self, options: Sequence[str], folder: Path, server: ChatServer | None, posts: int) -> None:
        self.options, self.folder, self.server, self.posts = list(options), folder, server, posts
        self.begun = 0  # what the server was asked before the check that is under way

    def start(self, out: Path) -> int:
        """A process of its own, forked behind the imports; its number."""
        sys.stdout.flush()
        if process := os.fork():
            return process
        os.environ |= {"SOURCE_DATE_EPOCH": "1796000000", "OPENMIE_ANSWERS": f"{self.folder / out.name}.answers"}
        os.dup2(os.open(self.folder / "said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what runs behind it
        run("extract", *self.options, "--out", str(out))

    def run(self, out: Path) -> tuple[int, str]:
        """Exit code, and what was said, of a run to its end."""
        return self.ended(os.waitpid(self.start(out), 0)[1])

    def ended(self, status: int) -> tuple[int, str]:
        return os.waitstatus_to_exitcode(status), (self.folder / "said").read_text(encoding="utf-8")

    def stopped(self, out: Path, at: float, how: signal.Signals) -> tuple[int, str]:
        """The same of a run that is stopped once `at` posts are finished, or asked about."""
        process = self.start(out)
        while self.reached(out) < at:
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                return self.ended(status)
            time.sleep(0.01)
        os.kill(process, how)
        return self.ended(os.waitpid(process, 0)[1])

    def reached(self, out: Path) -> float:
        """Requests of the check that is under way; of a model, posts by the bytes of their rows."""
        if self.server:
            return self.asked() - self.begun
        return self.posts * size(out) / size(self.folder / "whole")

    def asked(self) -> int:
        return len(self.server.prompts) if self.server else 0

    def check(self, name: str, stop: Callable[[Path], str]) -> None:
        """Stop, go on to the end, and compare with the whole run."""
        whole, out = self.folder / "whole", self.folder / name
        if not whole.exists():
            assert self.run(whole)[0] == 0
        self.begun = self.asked()
        what = stop(out)
        code, said = self.run(out)
        assert code == 0, said
        equal = files(out) == files(whole)
        rows = [json.loads(line) for p in sorted(out.glob("part-*")) for line in p.read_bytes().splitlines()]
        once = [row["id"] for row in rows] == [f"p{n}" for n in range(self.posts)]
        line = f"{name}: {what}; {len(rows):,} rows, each post once and in order: {once}, equal bytes: {equal}"
        if self.server:
            again = self.asked() - self.begun - self.posts
            most = max(Counter(self.server.prompts[self.begun :]).values())
            line += f"; {again} requests sent again, one post at most {most} times"
        print(line, flush=True)
        shutil.rmtree(out)
        (self.folder / f"{name}.answers").unlink(missing_ok=True)
        assert equal and once


def run(*words: str) -> NoReturn:
    """Be the command, in a process that was forked for it."""
    code: object = 1
    try:
        sys.argv = ["openmie", *words]
        cli.main()
        code = 0
    except SystemExit as ended:
        code = ended.code or 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


def files(folder: Path) -> dict[str, bytes]:
    """All but the summary, which has times."""
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name != "summary.json"}


def finished(folder: Path) -> int:
    """Rows that are kept: those of whole files and of the journal."""
    whole = {p.stem for p in folder.glob("part-*")}  # whose journal may be there for a moment more
    kept = [p for p in folder.glob("*part-*") if not (p.name.startswith(".") and p.stem[1:] in whole)]
    return sum(p.read_bytes().count(b"\n") for p in kept)


def size(folder: Path) -> int:
    found = 0
    for path in folder.glob("*part-*"):
        with contextlib.suppress(FileNotFoundError):  # a journal whose shard is whole now
            found += path.stat().st_size
    return found


def checks(job: Job, label: str, kills: int, drawn: random.Random, small: Path | None) -> None:
    done = 0

    def killed(out: Path) -> str:
        """Each time at another place: with at least one more finished post, or request, than at the last."""
        nonlocal done
        before, step = done, 2 * job.posts // kills
        while done < kills:
            code, said = job.stopped(
                out, job.reached(out) + drawn.randint(1, step if job.server else 8), signal.SIGKILL
            )
            if code != -signal.SIGKILL:
                assert code == 0, said
                break
            done += 1
        left = [p.name for p in out.iterdir() if not p.name.startswith(("part-", "manifest", "summary"))]
        return f"{done - before} kills, {finished(out):,} posts kept behind the last, also there: {left}"

    def interrupted(out: Path) -> str:
        code, said = job.stopped(out, job.posts // 2, signal.SIGINT)
        assert code == 130 and "To go on, run: openmie extract" in said, said
        return f"Ctrl-C, {finished(out):,} posts kept, told how to go on"

    def full(out: Path) -> str:
        assert small
        code, said = job.run(small / out.name)
        assert code == 2 and "To go on, run: openmie extract" in said, said
        kept = finished(small / out.name)
        shutil.move(small / out.name, out)
        return f"a full disk, {kept:,} posts kept, told how to go on"

    while done < kills:
        job.check(f"{label}, kill -9", killed)
    job.check(f"{label}, Ctrl-C", interrupted)
    if small:
        job.check(f"{label}, full disk", full)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--small-disk", type=Path)
    parser.add_argument("--only", choices=("model", "endpoint"))
    given = parser.parse_args()
    drawn = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as name, ChatServer(answer) as server:
        folder = Path(name)
        posts = folder / "posts.jsonl"
        lines = [{"id": f"p{n}", "text": f"{drawn.choice(NAMES)} saw post {n} in Turin"} for n in range(given.posts)]
        posts.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        corpus, model = "diorama:train=300,dev=30,test=16,size=48", folder / "trained"
        train = ["train", "baseline", "--ablate", "text", "--flavour", "small", "--set", "training.epochs=6"]
        if not (process := os.fork()):
            run(*train, "--corpus", corpus, "--out", str(model))
        assert os.waitpid(process, 0)[1] == 0
        asked = ["--system", "schema", "--endpoint", server.url, "--model", "m", "--label", "PER=a person"]
        more = ["--vlm-option", f"concurrency={CONCURRENCY}"]
        for label, options, counts in (
            ("model", ["--model", str(model)], None),
            ("endpoint", [*asked, *more], server),
        ):
            if given.only not in (None, label):
                continue
            (folder / label).mkdir()
            job = Job([str(posts), *options], folder / label, counts, given.posts)
            checks(job, label, given.kills, drawn, given.small_disk)


if __name__ == "__main__":
    main()
