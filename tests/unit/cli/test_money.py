"""What a job with a vision-language model asks and costs: estimated, told, kept, and asked at half the price."""

import json

import numpy as np
import pytest
from PIL import Image as Picture
from typer.testing import CliRunner

from openmie.cli import application as cli
from openmie.errors import OpenMIEError
from tests.fixtures.chat_server import ChatServer, refused, said

POSTS = 12
NOTHING = json.dumps({"mentions": []})


def run(*arguments):
    result = CliRunner().invoke(cli.app, [str(a) for a in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENMIE_ANSWERS", str(tmp_path / "store" / "answers"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.chdir(tmp_path)
    Picture.fromarray(np.zeros((56, 56, 3), np.uint8)).save(tmp_path / "a.jpg")
    rows = [{"id": f"p{i}", "text": f"Ada{i} waves", "image": "a.jpg"} for i in range(POSTS)]
    (tmp_path / "posts.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf8")
    return tmp_path


@pytest.fixture
def server():
    with ChatServer(lambda number, prompt: said(NOTHING, 100, 20)) as found:
        yield found


def ask(url, *more, command="extract"):
    return (command, "posts.jsonl", "--system", "schema", "--model", "m", "--endpoint", url, "--label", "PER", *more)


def test_extract_zero_shot_and_caption_share_one_store_and_a_moved_server_is_asked_nothing(here, server):
    assert not run(*ask(server.url, "--out", "found")).exit_code and len(server.prompts) == POSTS
    moved = server.url.replace("127.0.0.1", "localhost")
    assert not run(*ask(moved, "--out", "other.jsonl")).exit_code
    assert not run(*ask(moved, "--out", "found")).exit_code  # the folder does not mind where the server is
    assert not run(*ask("http://127.0.0.1:9/v1", "--out", "z.jsonl", "--bootstrap", 0, command="zero-shot")).exit_code
    assert len(server.prompts) == POSTS
    for url in (server.url, moved):
        run("caption", "posts.jsonl", "--model", "m", "--endpoint", url, "--out", f"captions{len(url)}")
    assert len(server.prompts) == POSTS + 1  # one picture
    told = run("answers", "stats")
    assert f"{POSTS + 1} answers" in told.stderr and "store/answers" in told.stderr
    run("answers", "export", "--out", "all.jsonl")
    first, *_ = rows = [json.loads(line) for line in (here / "all.jsonl").read_text(encoding="utf8").splitlines()]
    assert len(rows) == POSTS + 1 and first["text"] == NOTHING and "waves" in rows[0]["prompt"] + rows[-1]["prompt"]
    assert (first["prompt_tokens"], first["tokens"], first["model"]) == (100, 20, "m") and first["time"].endswith("Z")
    assert "0 answers removed" in run("answers", "prune", "--older-than", 1).stderr
    with pytest.raises(OpenMIEError, match="--older-than"):
        run("answers", "prune")
    assert f"{POSTS + 1} answers removed" in run("answers", "prune", "--older-than", 0).stderr
    run(*ask(server.url, "--cache", "none"))
    assert len(server.prompts) == 2 * POSTS + 1


def test_an_estimate_asks_nothing_and_a_price_tells_the_cost(here, server):
    told = " ".join(run(*ask(server.url, "--estimate", "--price", "1000000,0")).stdout.split())
    assert "12, and 0 whose answers are known" in told and "at most 12,288 (max_tokens of each)" in told
    tokens = int(told.split("prompt tokens │ about ")[1].split()[0].replace(",", ""))
    assert f"cost │ at most {tokens}.00" in told and not server.prompts
    result = run(*ask(server.url, "--out", "found", "--price", "10,100"))
    assert abs(tokens / POSTS - len(server.prompts[0]) / 4) < 30  # a picture of 56 x 56 is 4 tokens
    assert "12 asked, 1,440 tokens, cost 0.0360" in result.stderr
    size = int(told.split("bytes to send │ ")[1].split()[0].replace(",", ""))
    assert sum(server.bytes) == pytest.approx(size, rel=0.1)
    told = " ".join(run(*ask(server.url, "--estimate")).stdout.split())
    assert "0, and 12 whose answers are known" in told
    for command in ("zero-shot", "caption"):
        more = ("--system", "schema", "--label", "PER") if command == "zero-shot" else ()
        told = run(command, "posts.jsonl", "--model", "m", "--endpoint", server.url, *more, "--out", "o", "--estimate")
        assert "requests" in told.stdout and len(server.prompts) == POSTS
    with pytest.raises(OpenMIEError, match="--estimate without --system"):
        run("extract", "posts.jsonl", "--estimate")


def test_the_folder_has_a_summary_of_all_runs(here):
    with ChatServer(lambda n, p: refused(400, "too long") if "Ada3 " in p else said(NOTHING, 100, 20)) as server:
        assert run(*ask(server.url, "--out", "found", "--price", "1,1")).exit_code == 3
        assert run(*ask(server.url, "--out", "found", "--restart")).exit_code == 3
    found = json.loads((here / "found" / "summary.json").read_text(encoding="utf8"))
    assert [(r["requests"], r["known"], r["without_answer"]) for r in found["runs"]] == [(11, 0, 1), (0, 11, 1)]
    assert found["all_runs"]["prompt_tokens"] == 1100 and found["all_runs"]["cost"] == pytest.approx(1320 / 1e6)
    assert found["runs"][0]["model"] == "m" and "cost" not in found["runs"][1]


def test_what_workers_ask_is_counted(here, server):
    """One worker process; five answers are known before."""
    lines = (here / "posts.jsonl").read_text(encoding="utf8").splitlines()
    (here / "few.jsonl").write_text("\n".join(lines[:5]), encoding="utf8")
    run("extract", "few.jsonl", *ask(server.url, "--out", "few")[2:])
    told = run(*ask(server.url, "--out", "found", "--price", "10,100", "--workers", 1))
    assert "model m: 7 asked, 5 known, 840 tokens, cost 0.0210" in told.stderr and len(server.prompts) == POSTS
    (one,) = json.loads((here / "found" / "summary.json").read_text(encoding="utf8"))["runs"]
    assert (one["requests"], one["known"], one["prompt_tokens"], one["cost"]) == (7, 5, 700, 0.021)


def test_batch_files_go_out_and_their_answers_come_back(here, server):
    run(*ask(server.url, "--out", "one.jsonl", "--cache", "other"))  # as single calls, for comparison
    bodies, server.prompts = server.prompts, []
    told = run("batch", "write", "posts.jsonl", "--model", "m", "--label", "PER", "--out", "batches")
    assert not told.exit_code and "12 requests in batches (requests-0001.jsonl)" in told.stderr and not server.prompts
    lines = [json.loads(x) for x in (here / "batches" / "requests-0001.jsonl").read_text(encoding="utf8").splitlines()]
    assert {(x["method"], x["url"], x["body"]["model"]) for x in lines} == {("POST", "/v1/chat/completions", "m")}
    assert sorted(x["body"]["messages"][0]["content"][-1]["text"] for x in lines) == sorted(bodies)
    assert lines[0]["body"]["response_format"] and lines[0]["body"]["max_tokens"] == 1024
    answers = [
        {"id": "b", "custom_id": x["custom_id"], "response": {"status_code": 200, "body": said(NOTHING)[2]}}
        for x in lines[::-1]
    ]
    answers[0] |= {"response": {"status_code": 500, "body": {"error": "no"}}}
    answers[1] |= {"response": None, "error": {"code": "batch_expired"}}
    answers[2]["custom_id"] = "another"
    text = "\n".join([*map(json.dumps, answers), "no JSON"])
    (here / "answers.jsonl").write_text(text, encoding="utf8")
    told = run("batch", "read", "answers.jsonl")
    assert told.exit_code == 3 and "9 answers read, 4 without answer" in told.stderr
    assert "batch_expired" in told.stderr and "unknown custom_id 'another'" in told.stderr
    run(*ask(server.url, "--out", "found"))
    assert len(server.prompts) == 3  # those without an answer
    told = run("batch", "write", "posts.jsonl", "--model", "m", "--label", "PER", "--out", "again")
    assert "0 requests in again (no file), 12 answers known" in told.stderr


def test_batch_files_of_captions_are_those_that_caption_asks_for(here, server):
    ask = ("posts.jsonl", "--model", "m", "--prompt", "What is it?", "--max-tokens", 50)
    told = run("batch", "write-captions", *ask, "--out", "batches")
    assert not told.exit_code and "1 requests in batches" in told.stderr and not server.prompts  # one picture
    (line,) = (here / "batches" / "requests-0001.jsonl").read_text(encoding="utf8").splitlines()
    asked = json.loads(line)
    assert asked["body"]["max_tokens"] == 50 and asked["body"]["messages"][0]["content"][-1]["text"] == "What is it?"
    answer = {"custom_id": asked["custom_id"], "response": {"status_code": 200, "body": said("A wave.")[2]}}
    (here / "answers.jsonl").write_text(json.dumps(answer), encoding="utf8")
    assert "1 answers read, 0 without answer" in run("batch", "read", "answers.jsonl").stderr
    run("caption", *ask, "--endpoint", server.url, "--out", "captioned")
    rows = [json.loads(x) for x in (here / "captioned" / "posts.jsonl").read_text(encoding="utf8").splitlines()]
    assert [row["captions"] for row in rows] == [{"m": "A wave."}] * POSTS and not server.prompts
    (here / "bad.jsonl").write_text('{"text": "a", "image": "none.jpg"}', encoding="utf8")
    told = run("batch", "write-captions", "bad.jsonl", *ask[1:], "--out", "none")
    assert told.exit_code == 3 and "none.jpg" in told.stderr
