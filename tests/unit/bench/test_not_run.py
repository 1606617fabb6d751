"""The commands of docs/results/not-run.md: each is parsed, and each recipe of it built, on corpora of a few rows."""

import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest
from typer.testing import CliRunner

from openmie.cli import application as cli
from tests.unit.datasets import test_m3d, test_mnre

PAGE = (Path(__file__).parents[3] / "docs" / "results" / "not-run.md").read_text(encoding="utf8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.S) for line in block.splitlines()]
TWEET = "IMGID:1\nMira\tB-PER\nsaw\tO\nQuend\tB-LOC\n\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder named as each reader is, with a row in each split and the companions that the commands attach."""
    root = tmp_path_factory.mktemp("corpora")
    for name in ("twitter/images", "mnre/images", "mnre/img_vg", "mnre/diffusion_pic", "mnre/captions"):
        (root / name).mkdir(parents=True)
    for split in ("train", "valid", "test"):
        (root / "twitter" / f"{split}.txt").write_text(TWEET, encoding="utf8")
    (root / "twitter" / "captions.txt").write_text("1.jpg :a boat\n", encoding="utf8")
    for split in ("train", "val", "test"):
        test_mnre.write(root / "mnre", test_mnre.row(), name=f"mnre_{split}.txt")
        told = repr({"img_id": "pic_1.jpg", "text": "A boat."}) + "\n"
        (root / "mnre" / "captions" / f"BLIP_{split}.txt").write_text(told, encoding="utf8")
    clips = [{**test_m3d.ZH, "video_id": f"video_{n}_1"} for n in range(10)]
    test_m3d.write(root / "m3d", dev_zh=clips[:5], test_zh=clips[5:])
    return root


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_builds_every_recipe_that_it_names(line, folder, tmp_path):
    here = re.sub(r"\b(twitter|mnre|m3d):DIR", rf"\1:{folder}/\1", line)
    program, *arguments = shlex.split(here.replace("IMAGES", "images").replace("CAPTIONS", "captions.txt"))
    assert (program, "DIR" in here) == ("openmie", False)
    runs = tmp_path / "runs"
    result = CliRunner().invoke(cli.app, [*arguments, "--table", "md", "--out", str(runs)])
    assert result.exit_code == 0, (result.output, result.exception)
    rows = [a for flag, a in pairwise(arguments) if flag == "--ablate" and a not in ("full", "all")]
    assert all(row in result.output for row in rows) and "not run" in result.output and not runs.exists()


def test_each_part_of_the_page_has_commands():
    parts = PAGE.split("\n## ")[1:]
    assert len(parts) == 4 and all("**Not run**" in part and "```sh\n" in part for part in parts)
    assert {line.split()[2] for line in COMMANDS} == {"baseline", "shap_ca", "mgips_cl", "camim", "m3d", "pfa"}
