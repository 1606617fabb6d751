"""Zero-shot on the command line: extract, zero-shot and doctor boxes, with a stub and with a real small model."""

import json

import numpy as np
import pytest
from PIL import Image as Picture
from typer.testing import CliRunner

from openmie import corpora, diorama
from openmie.cli import application as cli
from openmie.data.document import Document
from openmie.data.provenance import read_provenance
from openmie.errors import OpenMIEError
from openmie.vlm.boxes import probe as box_doctor
from openmie.vlm.boxes.families import ADAPTERS
from openmie.vlm.generate import Request
from openmie.vlm.prompting import request as asked
from tests.fixtures import small
from tests.fixtures.prompting_stub import Stub, fenced, plausible


def run(*arguments, input=None):
    result = CliRunner().invoke(cli.app, [str(a) for a in arguments], input=input)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def names(request):
    """Every capitalised word is a person, in either format."""
    text = fenced(request.prompt)[-1]
    found = [w for w in text.split() if w[0].isupper()]
    if "Task 2 Answer:" in request.prompt:
        pairs = "{'a': 'Ada'}" if "a, b" in request.prompt else "{}"
        said = "".join(f":PER;{w}" for w in found)
        return f"Task 1 Answer: A dome.\nTask 2 Answer: NER: {said}\nimage-entity pair: {pairs}"
    return {"mentions": [{"id": f"m{i}", "text": w, "label": "PER"} for i, w in enumerate(found)]}


@pytest.fixture
def stub(monkeypatch):
    """What `--model` names, whatever it names; how it was asked for is in `connected`."""
    backend = Stub(names)
    backend.connected = []

    def connect(model, endpoint="", cache=None, **settings):
        backend.connected.append((model, endpoint, cache, settings))
        return backend

    monkeypatch.setattr(asked, "connect", connect)
    return backend


ONE = ("extract", "--text", "Ada and Bo like it", "--model", "some/model")


def test_extract_with_labels_of_ones_own(stub, tmp_path):
    Picture.fromarray(small.picture(1)).save(tmp_path / "a.png")
    url = "http://localhost:8000/v1"
    asked = [
        "--system",
        "schema",
        "--endpoint",
        url,
        "--label",
        "PER=a person",
        "--vlm-option",
        "max_tokens=99",
        "--vlm-option",
        "dialect=plain",
        "--vlm-option",
        "window=500",
        "--cache",
        tmp_path / "answers.db",
    ]
    found = Document.from_json(run(*ONE, "--image", tmp_path / "a.png", *asked).stdout)
    assert [(m.text, m.label) for m in found.mentions] == [("Ada", "PER"), ("Bo", "PER")]
    ((model, endpoint, cache, settings),) = stub.connected
    assert (model, endpoint, cache) == ("some/model", [url], None) and (tmp_path / "answers.db").exists()
    assert settings == {"max_tokens": 99, "dialect": "plain"}
    assert "PER: a person" in stub.asked[0].prompt and stub.asked[0].images[0].size == (50, 40)
    assert "Ada" in run(*ONE, *asked, "--format", "table").output
    lines = run(*ONE, *asked, "--format", "csv").stdout.splitlines()  # below the header the post, then its mentions
    assert [line.split(",")[1] for line in lines] == ['"kind"', '"post"', '"mention"', '"mention"']


def test_extract_with_pfa(stub):
    found = Document.from_json(run(*ONE, "--system", "pfa", "--label", "PER").stdout)
    assert [m.text for m in found.mentions] == ["Ada", "Bo"] and found.summary == "A dome." and not found.errors


def test_extract_gives_every_row_back_and_says_partial(stub, tmp_path):
    stub.says = lambda r: "no JSON" if "Bo" in r.prompt else names(r)
    lines = ['{"text": "Ada"}', "not json", '{"text": "Bo"}', '{"text": "Cleo", "image": "none.png"}']
    result = run("extract", "-", "--system", "schema", "--model", "m", "--label", "PER", input="\n".join(lines))
    rows = [json.loads(x) for x in result.stdout.splitlines()]
    assert result.exit_code == cli.PARTIAL and len(rows) == 4 and "3 records with errors" in result.stderr
    assert [bool(r.get("mentions")) for r in rows] == [True, False, False, True]
    assert [bool(r.get("errors")) for r in rows] == [False, True, True, True]


def test_without_labels_names_of_four_types_are_looked_for(stub, tmp_path):
    for system in ("schema", "pfa"):
        run(*ONE, "--system", system)
        assert all(label in stub.asked[-1].prompt for label in ("PER", "LOC", "ORG", "OTHER", "an organisation"))
    run(*ONE, "--system", "schema", "--relation", "peer")
    assert list(stub.asked[-1].schema["properties"]) == ["mentions", "relations"] and "ORG" in stub.asked[-1].prompt
    corpora.write(small.documents(2), tmp_path / "gold.jsonl")
    with pytest.raises(OpenMIEError, match=r"No labels.*--label"):
        run("zero-shot", tmp_path / "gold.jsonl", "--model", "m", "--out", tmp_path / "p.jsonl")


def test_labels_and_tasks_from_a_file(stub, tmp_path):
    file = tmp_path / "labels.json"
    file.write_text('{"mentions": {"PER": "a person"}, "relations": {"peer": "know each other"}}', encoding="utf8")
    run(*ONE, "--system", "schema", "--labels", file, "--label", "DOG=a dog", "--relation", "owns=keeps as a pet")
    assert list(stub.asked[-1].schema["properties"]) == ["mentions", "relations"]
    for said in ("PER: a person", "DOG: a dog", "peer: know each other", "owns: keeps as a pet"):
        assert said in stub.asked[-1].prompt
    file.write_text('{"PER": "a person"}', encoding="utf8")
    run(*ONE, "--system", "schema", "--labels", file, "--task", "summary,ner")
    assert list(stub.asked[-1].schema["properties"]) == ["summary", "mentions"]
    run(*ONE, "--system", "schema", "--task", "summary")
    assert list(stub.asked[-1].schema["properties"]) == ["summary"]


@pytest.mark.parametrize(("options", "words"), [
    (("--system", "poem", "--label", "PER"), ["poem", "pfa, schema"]),
    (("--label", "PER"), ["--label with the trained model 'some/model'"]),
    (("--endpoint", "http://x/v1"), ["--endpoint without --system"]),
    (("--vlm-option", "window=1"), ["--vlm-option without"]),
    (("--system", "schema", "--label", "PER", "--task", "nre"), ["nre", "summary"]),
    (("--system", "schema", "--label", "PER", "--task", "re"), ["relations"]),
    (("--system", "pfa", "--label", "PER", "--relation", "peer", "--task", "joint"), ["task 're'"]),
    (("--system", "pfa", "--label", "PER", "--task", "boxes"), ["task 'boxes'"]),
    (("--system", "schema", "--label", "PER", "--vlm-option", "windov=3"), ["windov", "window"]),
    (("--system", "schema", "--label", "PER", "--vlm-option", "window=0"), ["window=0"]),
    (("--system", "schema", "--label", "PER", "--vlm-option", "family=fox"), ["fox"]),
    (("--system", "schema", "--label", "PER", "--model", "two"), ["2 times --model"]),
])  # fmt: skip
def test_errors_say_what_was_found_and_what_to_do(stub, options, words):
    with pytest.raises(OpenMIEError) as error:
        run(*ONE, *options)
    assert all(word in str(error.value) for word in words), str(error.value)
    with pytest.raises(OpenMIEError, match="No model"):
        run("extract", "--text", "Ada", "--system", "schema", "--label", "PER")


def test_prompt_scores_a_corpus_as_trained_systems_are(stub, tmp_path):
    docs = [d.replace(images=(), relations=()) for d in small.documents(12)]
    for name, part in (("train", docs[:8]), ("dev", docs[8:])):
        corpora.write(part, tmp_path / f"{name}.jsonl")
    files = tmp_path / "predicted.out", tmp_path / "scores.json"
    result = run(
        "zero-shot", f"jsonl:{tmp_path}", "--model", "m", "--out", files[0], "--scores", files[1], "--bootstrap", 9
    )
    assert "strict" in result.output and len(stub.asked) == 4 and not result.exit_code
    told = json.loads(files[1].read_text(encoding="utf8"))
    assert told["model"] == {"model": "pixels"} and told["split"] == "dev" and told["documents"] == 4
    assert told["asked"]["mentions"] == {"LOC": "", "PER": ""} and told["asked"]["tasks"] == ["ner"]
    strict = next(s for s in told["scores"] if s["metric"] == "strict" and not s["label"])
    assert strict["correct"] == 8 and strict["gold"] == 12  # places were said to be persons
    (tmp_path / "p.jsonl").write_bytes(files[0].read_bytes())
    (model,) = read_provenance(next(iter(corpora.read(tmp_path / "p.jsonl"))))["models"]
    assert model["name"] == "m" and len(model["prompt"]) == 16
    again = run("score", tmp_path / "dev.jsonl", tmp_path / "p.jsonl", "--bootstrap", 0, "--format", "json")
    assert json.loads(again.output)[0]["f1"] == pytest.approx(strict["f1"])
    run("zero-shot", tmp_path / "dev.jsonl", "--model", "m", "--out", files[0], "--label", "PER", "--max-documents", 2)
    assert len(stub.asked) == 6


def test_zero_shot_goes_on_in_its_folder_and_scores_all_rows(stub, tmp_path):
    corpora.write([d.replace(images=(), relations=()) for d in small.documents(12)], tmp_path / "dev.jsonl")
    ask = ("zero-shot", tmp_path / "dev.jsonl", "--model", "m", "--label", "PER", "--cache", "none", "--bootstrap", 0)
    whole = run(*ask, "--out", tmp_path / "whole.jsonl").stdout
    assert len(stub.asked) == 12 and "strict" in whole

    def stopped(request):
        if len(stub.asked) == 12 + 6:
            raise KeyboardInterrupt
        return names(request)

    stub.says = stopped
    assert run(*ask, "--out", tmp_path / "found").exit_code == 130
    stub.says, asked_before = names, len(stub.asked)
    again = run(*ask, "--out", tmp_path / "found")
    assert again.stdout == whole and 5 <= len(stub.asked) - asked_before <= 8
    rows = list(corpora.read(tmp_path / "found" / "part-00001.jsonl"))
    assert [d.mentions for d in rows] == [d.mentions for d in corpora.read(tmp_path / "whole.jsonl")]
    assert run(*ask, "--out", tmp_path / "found").stdout == whole and len(stub.asked) - asked_before <= 8
    with pytest.raises(OpenMIEError, match="labels and prompt"):
        run(*ask, "--label", "LOC", "--out", tmp_path / "found")
    with pytest.raises(OpenMIEError, match="--restart with the file"):
        run(*ask, "--restart", "--out", tmp_path / "whole.jsonl")


def test_prompt_reads_diorama_with_every_task(stub, tmp_path):
    gold = {d.text: d for d in diorama.generate(diorama.Config(seed=0), "test", 12)}

    def says(request):
        d = gold[fenced(request.prompt)[-1]]
        return {
            "mentions": [{"id": m.id, "text": m.text, "label": m.label} for m in d.mentions],
            "relations": [{"head": r.head, "tail": r.tail, "label": r.label} for r in d.relations],
            "boxes": [{"image": 1, "box": list(r.box), "label": r.label, "of": r.of} for r in d.regions],
        }  # fmt: skip

    stub.says = says
    out = tmp_path / "p.jsonl"
    result = run("zero-shot", "diorama:train=1,dev=1,test=12", "--split", "test", "--model", "m", "--out", out)
    for name in ("pairs", "grounded", "strict", "boxes"):
        assert name in result.output, result.output
    assert len(out.read_text(encoding="utf8").splitlines()) == 12


@pytest.mark.parametrize(("family", "name"), [("qwen2-vl", "Qwen/Qwen2-VL-2B"), ("paligemma", "m"), ("llava", "m")])
def test_doctor_tells_the_family_of_a_models_boxes(stub, family, name):
    shown = {(p.picture.tobytes(), p.colour, p.shape): p.box for p in box_doctor.make_probes(16)}
    alike = {
        "qwen2-vl": {"qwen2-vl", "qwen3-vl", "internvl", "glm-v", "minicpm-v", "deepseek-vl2", "florence-2", "mistral"}
    }

    def points(request):
        (picture,) = request.images
        box = next(b for (raw, c, s), b in shown.items() if raw == picture.tobytes() and f"{c} {s}?" in request.prompt)
        return {"box": list(ADAPTERS[family].encode(box, picture.size))}

    stub.says, stub.name = points, name
    report = box_doctor.probe_boxes(stub)
    assert set(report.fitting) == alike.get(family, {family}) and report.scores[family][0] > 0.95
    assert report.scores["pixels"][0] < 0.5 and not report.records
    result = run("doctor", "boxes", "--model", name)
    assert "mean IoU" in result.output and (result.exit_code == 0) == (family == "qwen2-vl")
    assert ("which openmie uses" if family == "qwen2-vl" else f"--vlm-option family={family}") in " ".join(
        result.output.split()
    )


def test_the_stub_of_the_readme_answers_all_that_is_asked(stub, tmp_path):
    stub.says, stub.name = plausible, "Qwen/Qwen2.5-VL-7B-Instruct"
    for more in (["--system", "schema", "--task", "summary,ner"], ["--system", "pfa"]):
        assert not run(*ONE, *more, "--label", "PER").exit_code
    assert not run("zero-shot", "diorama:train=1,dev=3,test=1", "--model", "m", "--out", tmp_path / "p.jsonl").exit_code
    assert "which openmie uses" in run("doctor", "boxes", "--model", "m").output


def test_doctor_of_a_model_without_boxes(stub):
    stub.says = lambda r: "I see a red thing"
    result = run("doctor", "boxes", "--model", "m", "--vlm-option", "family=pixels")
    assert result.exit_code == cli.PARTIAL and "No family fits" in result.output and "I see a red" in result.stderr
    assert "pixels" in stub.asked[0].prompt
    result = run("doctor", "diorama:", "--model", "m")
    assert result.exit_code == 2 and "No such option" in result.output


def test_probes_are_where_they_are_said_to_be_turned_or_not():
    for probe in box_doctor.make_probes(16, seed=4):
        same = (np.asarray(probe.picture) == box_doctor.COLOURS[probe.colour]).all(-1)
        ys, xs = np.where(same)
        assert (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1) == probe.box
    assert {p.picture.size for p in box_doctor.make_probes(8)} == set(box_doctor.SIZES)


@pytest.fixture(scope="session")
def llava(tmp_path_factory):
    """A LLaVA of two layers with random weights and room for a prompt, as a folder of the hub."""
    from tests.fixtures import vlm_small as lvlm_small

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(lvlm_small.TEXT, "max_position_embeddings", 4096)
        return lvlm_small.llava(tmp_path_factory.mktemp("llava"))


@pytest.mark.parametrize("system", ["schema", "pfa"])
def test_a_real_model_here_held_to_its_form(llava, system, tmp_path, monkeypatch):
    """Weights are random, so what it says is noise, but noise in the right form: labels of ours, names of the text."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")  # else the two jobs may tell different seconds
    Picture.fromarray(small.picture(1)).save(tmp_path / "a.png")
    asked = ["extract", "--text", "Ada and Bo like Rome", "--image", tmp_path / "a.png", "--model", llava]
    asked += ["--system", system]
    asked += [
        "--label",
        "PER=a person",
        "--label",
        "LOC=a place",
        "--vlm-option",
        "max_tokens=120",
        "--vlm-option",
        "family=llava",
    ]
    asked += ["--task", "ner", "--cache", tmp_path / "answers.db"]
    result = run(*asked)
    found = Document.from_json(result.stdout)
    told = [str(e) for e in found.errors]
    assert all("cut at its length" in e or "twice" in e or "PFA" in e for e in told), told
    assert (result.exit_code == cli.PARTIAL) == bool(told)
    assert {m.label for m in found.mentions} <= {"PER", "LOC"}
    if system == "pfa":
        assert all(m.status == "located" for m in found.mentions if not told)
    assert run(*asked).stdout == result.stdout


@pytest.fixture
def server():
    """A server with OpenAI's protocol that names all capitalised words; what it was sent is in `bodies`."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    bodies = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            bodies.append(body)
            content = body["messages"][-1]["content"]
            said = content if isinstance(content, str) else content[-1]["text"]
            text = names(Request(prompt=said))
            message = {"role": "assistant", "content": text if isinstance(text, str) else json.dumps(text)}
            raw = json.dumps(
                {
                    "id": "1",
                    "object": "chat.completion",
                    "created": 0,
                    "model": body["model"],
                    "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                }
            ).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_):
            pass

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=made.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{made.server_address[1]}/v1", bodies
    made.shutdown()
    made.server_close()


@pytest.mark.parametrize("system", ["schema", "pfa"])
def test_a_real_server(server, system, tmp_path):
    url, bodies = server
    Picture.fromarray(small.picture(1)).save(tmp_path / "a.png")
    rows = [{"text": f"{name} waves", "image": "a.png"} for name in (*small.NAMES, *small.NAMES)]
    (tmp_path / "posts.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf8")
    result = run("extract", tmp_path / "posts.jsonl", "--system", system, "--endpoint", url, "--model", "some/model",
                 "--label", "PER=a person", "--cache", tmp_path / "answers.db")  # fmt: skip
    found = [Document.from_json(line) for line in result.stdout.splitlines()]
    assert not result.exit_code and [m.text for d in found for m in d.mentions] == [*small.NAMES, *small.NAMES]
    assert len(bodies) == len(small.NAMES) and ("response_format" in bodies[0]) == (system == "schema")
    assert all(b["messages"][0]["content"][0]["image_url"]["url"].startswith("data:image/png") for b in bodies)
