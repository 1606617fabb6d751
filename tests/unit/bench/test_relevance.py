"""The relevance of a batch: cosines against a slow loop, positives against sorting, the page that shows them."""

import pytest
import torch

from openmie.bench.relevance import relevance, show
from openmie.errors import ModelError, OpenMIEError
from openmie.model.pretrained import Model
from openmie.papers import baseline, mgips_cl
from openmie.recipe import set_field
from openmie.report.dots import Dots, render_dots
from tests.fixtures import small


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return Model.new(set_field(mgips_cl.recipe(small.CORPUS), "align.0.loss.k", "2"))


def test_cosines_and_positives_are_those_of_the_alignment_over_the_batch(model):
    docs = [small.document(i, image=i != 3) for i in range(6)]
    found = relevance(model, docs)
    assert [d.id for d in found.documents] == ["d0", "d1", "d2", "d4", "d5"] and found.alignment == "ips-cl"
    align = model.extractor.align[0]
    with torch.inference_mode():
        batch = model.featurizer.collate(model.featurizer.featurize(docs))
        a, b, _ = align.pairs(model.extractor.eval().streams(batch.inputs).fused)
    for i in range(5):
        slow = [float(a[i] @ b[j] / (a[i].norm() * b[j].norm())) for j in range(5)]
        assert found.cosines[i].tolist() == pytest.approx(slow, abs=1e-4)
        best = sorted(range(5), key=lambda j: -found.cosines[i, j])[:2]
        assert {j for t, j in found.chosen if t == i} == {*best}
    own = [i == int(found.cosines[i].argmax()) for i in range(5)]
    assert found.own_first == pytest.approx(100 * sum(own) / 5)


def test_an_anchor_of_images_chooses_texts():
    recipe = set_field(mgips_cl.recipe(small.CORPUS), "align.0.loss.anchor", "image")
    found = relevance(Model.new(recipe), small.documents(5))
    counts = [sum(j == image for _, j in found.chosen) for image in range(5)]
    assert counts == [3] * 5  # K texts for each image


def test_a_model_without_alignment_or_a_batch_without_images_says_so(model):
    plain = Model.new(baseline.ablations(baseline.recipe(small.CORPUS, task="ner"))["w/o alignment"])
    with pytest.raises(ModelError, match="alignment"):
        relevance(plain, small.documents(3))
    with pytest.raises(ModelError, match="1 documents with fused and vision"):
        relevance(model, [small.document(0), small.document(1, image=False)])
    with pytest.raises(ModelError, match=r"alignment 'x'.*ips-cl"):
        relevance(model, small.documents(3), "x")


def test_the_page_has_a_dot_for_each_pair_and_the_posts(model, tmp_path):
    folder = tmp_path / "model"
    model.save_pretrained(folder)
    spec = "diorama:train=2,dev=2,test=4,missing_image=0"
    page = show(folder, spec, posts=3, out=tmp_path / "page.html").path.read_text(encoding="utf8")
    assert page.count("<circle") == 9 and page.count('class="chosen c0"') == 6 and page.count("<article") == 3
    assert "text 2, image 3: " in page and "<script" not in page
    with pytest.raises(OpenMIEError, match="No --corpus"):
        show(folder)


def test_the_largest_number_has_the_largest_dot():
    data = Dots(title="<b>", rows=["1", "2"], columns=["1"], values=[[0.5], [-1.0]], chosen={(0, 0)})
    drawn = str(render_dots(data))
    assert 'r="12"' in drawn and 'r="1"' in drawn and "<b>" not in drawn
    assert str(render_dots(Dots(title="", rows=["1"], columns=["1"], values=[[2.0]]))).count("<circle") == 1
