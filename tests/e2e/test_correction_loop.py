"""The loop from a wrong answer to a better model, by the doors that a newcomer uses: commands, and the page."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
TEXT = "Eileen Collins, the first woman to command a Space Shuttle, poses for NASA with a model of the orbiter"
PHOTOGRAPH = Path(__file__).parents[2] / "docs" / "collins.jpg"
OPENMIE = (sys.executable, "-m", "openmie")


@contextmanager
def served(*options: str):
    """`openmie serve` as a process of its own; the address that it prints, with its token behind the #."""
    command = [*OPENMIE, "serve", "--port", "0", *options]
    environment = {k: v for k, v in os.environ.items() if k != "OPENMIE_TOKEN"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as run:
        try:
            assert run.stdout is not None
            yield re.search(r"http://\S+#token=\S+", run.stdout.readline())[0]
        finally:
            run.terminate()


def found(page, address: str) -> dict[str, str]:
    """Extract from the post and its photograph: entity -> type."""
    page.goto(address)
    page.wait_for_selector("#model option", state="attached")
    page.fill("#text", TEXT)
    page.set_input_files("#photograph", PHOTOGRAPH)
    page.click("#extract")
    page.wait_for_selector("#card mark")
    rows = page.locator("#mention-list li").all()
    return {row.locator(".named").inner_text(): row.locator("input").input_value() for row in rows}


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
def test_a_correction_is_learnt(tmp_path):
    """Serve, extract with a photograph, correct one entity, save, `train base`, serve that: the correction is there."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    gold, mine = tmp_path / "gold", tmp_path / "mine"
    with api.sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        with served("--annotations", str(gold)) as address:
            page = chromium.new_page()
            page.set_default_timeout(120_000)
            before = found(page, address)
            assert before["Eileen Collins"] == "PER" and page.locator("#card .box").count()
            field = page.get_by_label("Type of Eileen Collins", exact=True)
            field.fill("ASTRONAUT")
            field.press("Enter")
            page.wait_for_selector("#card mark bdi:text-is('ASTRONAUT')")
            page.click("#save")
            page.wait_for_selector("#saving:text-matches('^Saved at')")
        command = [*OPENMIE, "train", "base", "--corpus", f"jsonl:{gold}", "--out", str(mine)]
        subprocess.run(command, check=True)
        with served("--model", f"mine={mine}") as address:
            after = found(chromium.new_page(), address)
        chromium.close()
    print(f"before: {before}; after: {after}")
    assert after["Eileen Collins"] == "ASTRONAUT"
