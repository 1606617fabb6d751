"""Whether a wheel of openmie is whole and works outside of the repository, and what it weighs: `make wheel`.

    python -m pip wheel . --no-deps --wheel-dir dist
    python benchmarks/wheel.py dist/openmie-*.whl

The wheel is installed into an environment of its own, whose other packages are those of this Python; in an empty folder
the commands `labels` and `extract` and README's first block run, and the block must print what README says.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PARTS = (  # the first that a file's path holds
    ("text weights", "base/weights/text."), ("label vectors", "base/weights/labels."),
    ("detector weights", "base/weights/nanodet."), ("notices and licences", "weights/NOTICE"),
    ("notices and licences", "licen"), ("code", ".py"), ("templates and schema", ".html"),
    ("templates and schema", ".json"), ("metadata", ".dist-info/"),
)  # fmt: skip
BLOCK = re.compile(r"```python\n(.*?)```\s+```text\n(.*?)```", re.DOTALL)


def weigh(wheel: Path) -> Counter[str]:
    """Compressed bytes by part."""
    sizes: Counter[str] = Counter()
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            part = next((name for name, within in PARTS if within in entry.filename), "other")
            sizes[part] += entry.compress_size
    return sizes


def missing_files(wheel: Path, root: Path = ROOT) -> list[str]:
    """Files of the package in the repository that the wheel lacks, and files of the wheel that it should not have."""
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    tracked = subprocess.run(
        ["git", "ls-files", "openmie"], cwd=root, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    return sorted(held.symmetric_difference(tracked))


def install(wheel: Path, folder: Path) -> Path:
    """The folder of the programs of a new environment with the wheel and, behind it, the packages of this Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    base = {"base": str(folder), "platbase": str(folder)}
    own, borrowed = sysconfig.get_path("purelib", vars=base), sysconfig.get_path("purelib")
    Path(own, "borrowed.pth").write_text(borrowed + "\n", encoding="utf8")
    pip = [sys.executable, "-m", "pip", "--python", str(scripts / "python"), "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--no-index", str(wheel)], check=True)
    return scripts


def run_outside(scripts: Path, folder: Path) -> None:
    """Run the commands and README's block in an empty folder; each must do what it says.

    Raises:
        SystemExit: something that did not.
    """
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}

    def output(*command: str) -> str:
        done = subprocess.run(
            [str(scripts / command[0]), *command[1:]], cwd=folder, env=environment, capture_output=True, text=True
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(command)[:80]} ended with {done.returncode}:\n{done.stderr}")
        return done.stdout

    def check(what: str, found: str, *expected: str) -> None:
        if absent := [text for text in expected if text not in found]:
            raise SystemExit(f"{what}: no {absent[0]!r} in\n{found}")
        print(f"{what}: as expected")

    where = output("python", "-c", "import openmie; print(openmie.__file__)")
    check("installed package", where, str(scripts.parent))
    check("openmie labels", output("openmie", "labels"), "PER", "works for")
    (folder / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "collins.jpg", folder / "docs")
    text = "Ada Lovelace spoke in Turin"
    command = ("openmie", "extract", "--text", text, "--image", "docs/collins.jpg", "--format", "table")
    check("openmie extract", output(*command), "Ada Lovelace", "Turin", "person", "link")
    block = BLOCK.search((ROOT / "README.md").read_text(encoding="utf8"))
    assert block is not None
    check("README's first block", output("python", "-c", block[1]), block[2])


def main() -> None:
    """Check a wheel."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    wheel = parser.parse_args().wheel.resolve()
    sizes = weigh(wheel)
    for part, size in sizes.most_common():
        print(f"{size / 1e6:6.2f} MB  {part}")
    print(f"{wheel.stat().st_size / 1e6:6.2f} MB  {wheel.name}")
    if odd := missing_files(wheel):
        raise SystemExit("in the wheel or in the repository only: " + ", ".join(odd[:10]))
    with tempfile.TemporaryDirectory() as folder:
        scripts = install(wheel, Path(folder) / "environment")
        (Path(folder) / "work").mkdir()
        run_outside(scripts, Path(folder) / "work")


if __name__ == "__main__":
    main()
