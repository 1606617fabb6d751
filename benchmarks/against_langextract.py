"""LangExtract and openmie on the same posts, before the same server, with the same answers.

    pip install langextract openai
    python benchmarks/against_langextract.py

Sixty posts of Diorama, text only (LangExtract sends no images). A server in a thread says of each post what a function
of its number decides: the gold names, in every fifth post one name that the text does not contain, in every seventh the
names in capitals. Each tool gets the answer in the form that it asks for. Counted are calls and bytes at the server,
and of the results how many names are located where gold has them, elsewhere, and not at all. The runs: no limit, and
limits of ten and of two calls a second with `429` and `Retry-After: 1` beyond them. Both tools ask eight at a time and
have one example.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from openmie.corpora import diorama
from openmie.data.document import Document
from openmie.vlm.backends.endpoint import Endpoint
from openmie.vlm.prompting.options import PromptOptions
from openmie.vlm.prompting.predict import predict

LABELS = {"PER": "a person", "LOC": "a place", "ORG": "an organisation", "MISC": "anything else with a name"}
AT_ONCE = 8
ANSWER_SECONDS = 0.02


@dataclass
class Server:
    """Answers with names by the text that a prompt holds.

    Args:
        texts: text -> (name, label) of the answer.
        per_second: calls that are answered in a second; 0: all.
    """

    texts: dict[str, list[tuple[str, str]]]
    per_second: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    url: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _seconds: Counter[int] = field(default_factory=Counter)

    def reply(self, raw: bytes) -> tuple[int, dict[str, Any]]:
        """Status and body for the body of one call."""
        with self._lock:
            self.sent += len(raw)
            second = int(time.monotonic())
            self._seconds[second] += 1
            if self.per_second and self._seconds[second] > self.per_second:
                self.calls["429"] += 1
                return 429, {"error": {"message": "slow down", "type": "rate_limit"}}
            self.calls["200"] += 1
        body = json.loads(raw)
        prompt = body["messages"][-1]["content"]
        prompt = prompt if isinstance(prompt, str) else prompt[-1]["text"]
        found = max((text for text in self.texts if text in prompt), key=prompt.rfind)
        said = answer(self.texts[found], "extractions" in prompt)
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": said}}
        return 200, {"id": "1", "object": "chat.completion", "created": 0, "model": body["model"], "choices": [choice]}


def answer(names: Sequence[tuple[str, str]], langextract: bool) -> str:
    """The answer in the form of either tool."""
    if langextract:
        return json.dumps({"extractions": [{label: name, f"{label}_attributes": {}} for name, label in names]})
    return json.dumps({"mentions": [{"id": f"m{n}", "text": a, "label": b} for n, (a, b) in enumerate(names)]})


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            status, found = server.reply(self.rfile.read(int(self.headers["Content-Length"])))
            time.sleep(ANSWER_SECONDS)
            raw = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            if status == 429:
                self.send_header("Retry-After", "1")
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            pass

    here = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    here.daemon_threads = True
    threading.Thread(target=here.serve_forever, daemon=True).start()
    server.url = f"http://127.0.0.1:{here.server_address[1]}/v1"
    try:
        yield server
    finally:
        here.shutdown()
        here.server_close()


def said_of(number: int, post: Document) -> list[tuple[str, str]]:
    """What the server says of a post."""
    names = [(m.text, m.label) for m in post.mentions]
    if number % 7 == 3:
        names = [(name.upper(), label) for name, label in names]
    if number % 5 == 2:
        names.append((f"Quillo{number}", names[0][1] if names else "PER"))
    return names


Found = list[tuple[str, tuple[int, int] | None, str]]  # (post, span or None where it is not located, label)


def with_openmie(posts: Sequence[Document], example: Document, url: str) -> tuple[Found, int]:
    """What openmie finds, and how many posts have no answer."""
    backend = Endpoint(url, "gpt-4o-mini", concurrency=AT_ONCE)
    bare = (post.without_gold().replace(images=()) for post in posts)
    options = PromptOptions(shown_examples=1)
    found: Found = []
    failed = 0
    for document in predict(backend, bare, "schema", LABELS, "ner", options, [example]):
        failed += any(e.where.startswith(f"document {document.id}, ") and "model " in e.where for e in document.errors)
        found += [(document.id, None if m.status == "unlocated" else (m.start, m.end), m.label)
                  for m in document.mentions]  # fmt: skip
    return found, failed


def with_langextract(posts: Sequence[Document], example: Document, url: str) -> tuple[Found, int]:
    """What LangExtract finds, and how many posts have no answer."""
    import langextract as lx
    from langextract import factory
    from langextract.core import data

    logging.disable(logging.WARNING)
    shown = [data.Extraction(extraction_class=m.label, extraction_text=m.text) for m in example.mentions]
    config = factory.ModelConfig(
        model_id="gpt-4o-mini",
        provider="OpenAILanguageModel",
        provider_kwargs={"api_key": "none", "base_url": url, "max_workers": AT_ONCE, "temperature": 0.0},
    )
    documents = [data.Document(text=post.text, document_id=post.id) for post in posts]
    described = "Extract " + "; ".join(f"{label}: {meaning}" for label, meaning in LABELS.items()) + "."
    try:
        results: Any = lx.extract(
            documents, prompt_description=described, examples=[data.ExampleData(text=example.text, extractions=shown)],
            config=config, batch_length=AT_ONCE, max_workers=AT_ONCE, show_progress=False,
        )  # fmt: skip
        results = list(results)
    except Exception as error:
        print(f"LangExtract ended with {type(error).__name__}: {str(error)[:150]}", file=sys.stderr)
        results = []
    found: Found = []
    for result in results:
        for one in result.extractions or ():
            place = one.char_interval
            span = None if place is None or place.start_pos is None else (place.start_pos, place.end_pos)
            found.append((result.document_id, span, one.extraction_class))
    return found, len(posts) - len(results)


def measured(
    run: Callable[[Sequence[Document], Document, str], tuple[Found, int]],
    posts: Sequence[Document],
    example: Document,
    limit: int,
) -> dict[str, Any]:
    """One run, as a row."""
    said = {post.text: said_of(n, post) for n, post in enumerate(posts)}
    invented = sum(name not in text and name.upper() not in text.upper() for text, names in said.items()
                   for name, _ in names)  # fmt: skip
    with serving(Server(said, limit)) as server:
        start, cpu = time.monotonic(), time.process_time()
        found, failed = run(posts, example, server.url)
        seconds, cpu = time.monotonic() - start, time.process_time() - cpu
    gold = {(post.id, (m.start, m.end), m.label) for post in posts for m in post.mentions}
    located = [one for one in found if one[1] is not None]
    return {
        "calls": sum(server.calls.values()), "refused (429)": server.calls["429"], "bytes sent": server.sent,
        "posts without an answer": failed, "names said": sum(map(len, said.values())), "of them invented": invented,
        "located as gold": len({*located} & gold), "located elsewhere": len({*located} - gold),
        "kept, not located": len(found) - len(located), "seconds": round(seconds, 2), "CPU seconds": round(cpu, 2),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--posts", type=int, default=60)
    parser.add_argument("--out", type=Path, help="write the rows here, as JSON")
    parsed = parser.parse_args()
    warnings.simplefilter("ignore")
    os.environ.setdefault("OPENAI_API_KEY", "none")
    corpus = diorama.corpus(train=1, dev=1, test=parsed.posts)
    posts, example = list(corpus.test), next(iter(corpus.train))
    unique = {re.sub(r"\s+", " ", post.text) for post in posts}
    tools = {"openmie": with_openmie}
    try:
        tools["langextract"] = with_langextract
        versions = {"langextract": version("langextract"), "openmie": version("openmie")}
    except PackageNotFoundError:
        sys.exit("pip install langextract openai")
    rows = {
        f"{name}, {'no limit' if not limit else f'{limit} a second'}": measured(run, posts, example, limit)
        for limit in (0, 10, 2)
        for name, run in tools.items()
    }
    found = {"posts": len(posts), "different texts": len(unique), "versions": versions, "rows": rows}
    print(json.dumps(found, indent=1))
    if parsed.out:
        parsed.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf8")


if __name__ == "__main__":
    main()
