"""A revision is that of all files that are fetched: configuration, tokenizer, weights, image processor."""

from pathlib import Path

import pytest
import transformers
from huggingface_hub import HfApi
from huggingface_hub.errors import EntryNotFoundError

from openmie.model import backbones, hub_names
from openmie.model.backbones import load_text, load_vision
from openmie.nn.encode.dual import Text, Vision
from openmie.recipe import dump, load, set_field
from tests.fixtures import small

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Missing(EntryNotFoundError):
    """What the hub answers for a file that a model lacks."""

    def __init__(self, name):
        Exception.__init__(self, name)
        self.response = None


@pytest.fixture(autouse=True)
def known(monkeypatch):
    """The hub knows every name that it is asked for."""
    monkeypatch.setattr(hub_names, "query_hub", lambda name: "")


@pytest.fixture
def fetched(monkeypatch, offline):
    """(file or folder, revision) of what the library asks the hub for; it gets files of the built-in encoder."""
    asked = []
    folder = Path(backbones.minilm_folder())

    def cached(repo_id, filename, *_, revision=None, **__):
        asked.append((filename, revision))
        return str(folder / filename) if (folder / filename).is_file() else None

    def download(repo_id, filename, *, revision=None, **_):
        asked.append((filename, revision))
        raise Missing(filename)

    def listed(self, repo_id, path_in_repo=None, *, revision=None, **_):
        asked.append((path_in_repo, revision))
        return ()

    monkeypatch.setattr(transformers.utils.hub, "hf_hub_download", download)
    monkeypatch.setattr(transformers.utils.hub, "try_to_load_from_cache", cached)
    monkeypatch.setattr(HfApi, "list_repo_tree", listed)
    return asked


def test_text_reads_nothing_of_another_revision(fetched):
    load_text(Text(name="somebody/encoder", revision=COMMIT))
    files = {name for name, _ in fetched}
    assert {"config.json", "model.safetensors"} <= files and any("token" in name for name in files)
    assert {revision for _, revision in fetched} == {COMMIT}, fetched


def test_the_sizes_of_a_twin_are_those_of_the_revision(fetched):
    load_vision(Vision(name="tiny-clip"), Text(name="somebody/encoder", revision=COMMIT))
    assert fetched and {revision for _, revision in fetched} == {COMMIT}, fetched


def test_without_a_revision_the_main_branch_is_asked_for(fetched):
    load_text(Text(name="somebody/encoder"))
    assert {revision for _, revision in fetched} <= {None, "main"}


def test_vision_reads_nothing_of_another_revision(monkeypatch):
    calls = []

    def load_as(kind):
        def loaded(source, *args, revision=None, **options):
            calls.append((kind, revision))
            return kind

        return loaded

    for kind in ("AutoImageProcessor", "AutoModel", "AutoConfig"):
        monkeypatch.setattr(getattr(transformers, kind), "from_pretrained", load_as(kind))
    monkeypatch.setattr(backbones, "_vision", lambda model, processor: (model, processor))
    load_vision(Vision(name="somebody/tower", revision=COMMIT))
    assert {kind for kind, _ in calls} >= {"AutoImageProcessor", "AutoModel"}
    assert {revision for _, revision in calls} == {COMMIT}, calls


def test_a_recipe_keeps_the_revision():
    recipe = set_field(small.recipe(), "encode.text.revision", COMMIT)
    assert load(dump(recipe)).encode.text.revision == COMMIT
