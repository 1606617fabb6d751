"""Who may ask, what is never done, and what is refused before it is decoded."""

import asyncio
import base64
import json
import re
import struct
import zlib
from io import BytesIO

import httpx
import pytest
from PIL import Image as Picture
from PIL.ImageFile import ImageFile
from starlette.testclient import TestClient

from openmie.errors import ErrorRecord, OpenMIEError
from openmie.serve import openapi
from openmie.serve.problems import without_paths
from openmie.serve.settings import Settings
from openmie.serve.tokens import TokenCheck, check_tokens, generate_token
from tests.fixtures.serving import HEADERS, TOKEN, WordsModel, application

URLS = (
    "http://127.0.0.1/a.png",
    "https://example.org/a.png",
    "HTTP://EXAMPLE.ORG/a.png",
    "//example.org/a.png",
    "http:example.org",
    "http://[::1]/a.png",
    "[::1]:80/a.png",
    "http://2130706433/",
    "2130706433",
    "0x7f000001",
    "http://0x7f.1/",
    "http://017700000001/a",
    "127.0.0.1:8000/health",
    "localhost:8000",
    "http://user:pass@localhost/a",
    "http://example.org/redirect?to=http://169.254.169.254/",
    "file:///etc/passwd",
    "file:/etc/passwd",
    "/etc/passwd",
    "../../etc/passwd",
    "~/.ssh/id_rsa",
    "C:\\Windows\\win.ini",
    "\\\\server\\share\\a.png",
    "//server/share/a.png",
    "ftp://example.org/a.png",
    "gopher://example.org/",
    "data:image/png;base64," + openapi.DOT,
    "blob:http://localhost/1",
    "jar:file:/a!/b",
    " http://localhost/a.png",
    "http\u3002//localhost/a.png",
    "ｈttp://localhost/a.png",
    "/proc/self/environ",
    "s3://bucket/a.png",
)
HOSTILE = (
    b"",
    b"{",
    b"[" * 100_000,
    b'{"text": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    b'{"text": "\\ud800"}',
    b'{"text": "\xff\xfe"}',
    b"\x00" * 1000,
    b'{"options": {"threshold": NaN}, "text": "x"}',
    b'{"options": {"threshold": ' + b"9" * 5_000 + b'}, "text": "x"}',
    b'{"text": "x", "labels": {"' + b"l" * 5_000 + b'": ""}}',
    b'{"text": "x", "__class__": "os.system", "images": [{"path": "/etc/passwd"}]}',
    b'{"text": "x", "words": [[-1, 99999999999999999999]]}',
    b'{"text": ["x"], "id": 7}',
    b'"text"',
)


@pytest.fixture(scope="module")
def client():
    with TestClient(application(max_text=5_000, max_pixels=4_000_000, max_body=3 << 20), headers=HEADERS) as one:
        yield one


@pytest.mark.parametrize("header", ["", "Bearer", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, "Bearer \u00fc"])
def test_nothing_but_health_is_answered_without_the_token(client, header):
    given = {"Authorization": header.encode("utf8")}
    for path in (
        "/v1/extract",
        "/v1/extract/batch",
        "/v1/models",
        "/v1/labels",
        "/metrics",
        "/openapi.json",
        "/nothing",
    ):
        for method in ("GET", "POST", "OPTIONS"):
            answer = client.request(method, path, headers=given)
            assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer"), (method, path)
            assert answer.json()["remedy"]
    assert client.get("/health", headers=given).json() == {"status": "ok"}
    assert client.get("/ready", headers=given).status_code == 200


def test_tokens_are_compared_in_constant_time_and_are_long_enough(monkeypatch):
    from openmie.serve import tokens

    compared = []
    monkeypatch.setattr(tokens.hmac, "compare_digest", lambda a, b: compared.append((len(a), len(b))) or a == b)
    check = TokenCheck(Settings(tokens=("one token of two".replace(" ", "-"), "another-token-of-two")))
    assert check.check("bearer one-token-of-two") == 0 and check.check("Bearer another-token-of-two") == 1
    assert compared == [(32, 32)] * 4  # digests of equal length, and all of them each time
    assert len({generate_token() for _ in range(9)}) == 9 and len(generate_token()) >= 43
    for wrong in ((), ("short",), ("with a blank in the middle",), ("ümlaute-sind-keine-token",)):
        with pytest.raises(OpenMIEError):
            check_tokens(wrong)


def test_a_token_has_its_rate_and_another_one_its_own():
    settings = Settings(tokens=("a" * 20, "b" * 20), rate=0.5, burst=3)
    check = TokenCheck(settings)
    for _ in range(3):
        check.check("Bearer " + "a" * 20)
    with pytest.raises(OpenMIEError) as error:
        check.check("Bearer " + "a" * 20)
    assert error.value.status == 429 and error.value.headers["Retry-After"] == "2"
    assert check.check("Bearer " + "b" * 20) == 1


@pytest.mark.parametrize("url", URLS)
def test_no_address_is_fetched_and_no_file_of_the_server_read(client, url, offline, opened):
    for image in (url, {"data": url}):
        answer = client.post("/v1/extract", json={"text": "x", "images": [image]})
        assert answer.status_code == 422 and answer.json()["where"] == "images[0]", answer.text
    assert not [name for name in opened if re.search("passwd|environ|ssh|win.ini|share|png", name)]


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_body_is_refused(client, body):
    answer = client.post("/v1/extract", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422 and answer.json()["remedy"], answer.text
    lines = client.post("/v1/extract/batch", content=body, headers={"Content-Type": "application/jsonl"})
    assert lines.status_code == 200 and all("errors" in json.loads(line) for line in lines.content.splitlines())


def test_bounds_hold_before_anything_is_decoded(client):
    def status(**post):
        answer = client.post("/v1/extract", json=post)
        return answer.status_code, answer.json()["where"]

    assert status(text="x" * 5_001) == (413, "text")
    assert status(text="x", images=["aaaa"] * 9) == (413, "images")
    assert status(text="x", labels=[f"l{i}" for i in range(101)]) == (413, "labels")
    large = {"Content-Type": "application/json", "Content-Length": str(1 << 40)}
    assert client.post("/v1/extract", content=b"{}", headers=large).status_code == 413
    parts = (b" " * (1 << 20) for _ in range(5))  # chunked: nothing tells the size
    assert client.post("/v1/extract", content=parts, headers={"Content-Type": "application/json"}).status_code == 413


def asked(content, **given):
    """The answer to a body that arrives bit by bit."""

    async def ask():
        transport = httpx.ASGITransport(application({"words": WordsModel()}, **given))
        async with httpx.AsyncClient(transport=transport, base_url="http://service", headers=HEADERS) as client:
            return await client.post("/v1/extract", content=content(), headers={"Content-Type": "application/json"})

    return asyncio.run(ask())


def test_a_body_that_does_not_arrive_is_given_up():
    async def slowly():
        for _ in range(100):
            await asyncio.sleep(0.02)
            yield b" "

    answer = asked(slowly, body_timeout=0.1)
    assert answer.status_code == 408 and "arrive" in answer.json()["found"]


def test_bodies_are_bounded_together():
    async def large():
        yield b" " * 2000

    answer = asked(large, max_held=1500)
    assert answer.status_code == 429 and answer.headers["Retry-After"] == "2"


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height):
    """A PNG whose header declares so many pixels, with few of them behind it."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1 << 16))) + chunk(b"IEND", b"")


def bombs():
    """Small files that declare many pixels."""
    yield png(60_000, 60_000)
    yield png(2_001, 2_000)
    for kind in ("GIF", "BMP", "TIFF", "PNG", "WEBP"):
        file = BytesIO()
        Picture.new("RGB" if kind == "WEBP" else "1", (2_400, 2_000)).save(file, kind)
        yield file.getvalue()
    yield b"P6 70000 70000 255\n" + bytes(64)


def test_pixel_bombs_are_refused_by_their_headers(client, monkeypatch):
    decoded = []
    files = list(bombs())
    monkeypatch.setattr(ImageFile, "load", lambda picture: decoded.append(picture))
    for bomb in files:
        post = {"text": "x", "images": [base64.b64encode(bomb).decode()]}
        answer = client.post("/v1/extract", json=post)
        assert answer.status_code in (413, 422) and "pixels" in answer.json()["found"], answer.text
    assert not decoded


def test_a_broken_image_is_told_without_a_path(client):
    file = BytesIO()
    Picture.new("RGB", (400, 300), (9, 99, 200)).save(file, "PNG")
    half = base64.b64encode(file.getvalue()[:-60]).decode()
    answer = client.post("/v1/extract", json={"id": "7", "text": "Ada", "images": [half]})
    assert answer.status_code == 200
    (record,) = answer.json()["errors"]
    assert record["where"] == "document 7, image main" and "/" not in record["found"].replace("fd/", "")


@pytest.mark.parametrize(
    "path",
    ["/srv/models/mine/text.json", "/proc/self/fd/7", "C:\\models\\mine", "\\\\server\\share\\x", "/home/ada/x y"],
)
def test_no_path_of_the_server_is_in_a_problem(path):
    record = ErrorRecord(where=path, found=f"no file '{path}'", expected=f"(one in {path})", remedy="see /openapi.json")
    told = without_paths(record)
    assert "(path)" in told.where and "models" not in f"{told.found}{told.expected}" and "ada" not in told.found
    assert told.remedy == "see /openapi.json"


def test_other_origins_get_nothing(client):
    headers = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"}
    for answer in (
        client.options("/v1/extract", headers=headers),
        client.post("/v1/extract", json={"text": "x"}, headers=headers),
        client.get("/health", headers=headers),
    ):
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_texts_are_data_wherever_they_come_back(client):
    hostile = [f"<script>alert({i})</script>\u202e\"'&\u2028" for i in range(60)]
    for i, text in enumerate(hostile):
        post = {"id": text, "text": f"Ada {text}", "labels": {text: text, "PER": ""}, "captions": {text: text}}
        asked = post | {"options": {"model": text}} if i % 2 else post
        answer = client.post("/v1/extract", json=asked)
        assert answer.headers["content-type"].startswith(("application/json", "application/problem+json"))
        assert answer.status_code == (422 if i % 2 else 200) and json.loads(answer.text)


def test_logs_have_no_texts_and_no_tokens(caplog):
    with TestClient(application({"words": WordsModel()}), headers=HEADERS) as client, caplog.at_level("INFO"):
        client.post("/v1/extract?text=private", json={"text": "private poison", "labels": ["private"]})
        client.get("/private", headers={"Authorization": "Bearer private-private-private"})
    facts = [record.facts for record in caplog.records if record.name == "openmie.serve"]
    assert [(f["route"], f["status"]) for f in facts if "route" in f] == [("/v1/extract", 500), ("other", 401)]
    assert "private" not in str(facts) and TOKEN not in str(facts)
