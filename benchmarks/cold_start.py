"""What the start of openmie costs: CPU seconds of fresh processes, and their ratios to `import torch`, in one run.

python benchmarks/cold_start.py [--repeats 5] [--model FOLDER]

A row is a fresh Python process; the rows take turns, and the least of the repeats counts. CPU seconds (user and system)
are those of one core: wall time on an idle machine is about the same, on a busy one it says nothing. The files are read
once before, so that the disk does not count.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time

TOWER = "from openmie.base.tower import TextTower; tower = TextTower.load(); "
LIBRARY = (
    "from transformers import AutoModel, BertConfig; from openmie.model import packed_e5; packed = packed_e5.load(); "
    "model = AutoModel.from_config(BertConfig(**packed.config), add_pooling_layer=False); "
    "model.load_state_dict(packed.tensors); packed_e5.tokenizer(packed)"
)
ROWS = {
    "python": "pass",
    "openmie --help": "from openmie.cli import main; import sys; sys.argv = ['openmie', '--help']; main()",
    "import torch": "import torch",
    "import torch, transformers' BertModel": "import torch; from transformers import BertModel",
    "the text tower": TOWER,
    "the text tower and one sentence": TOWER + "tower.encode(['Ada Lovelace spoke in Turin .'.split()])",
    "the same encoder by transformers": LIBRARY,
    "openmie extract --text": (
        "from openmie.cli import main; import sys; "
        "sys.argv = ['openmie', 'extract', '--text', 'Ada Lovelace spoke in Turin', '--model', 'MODEL']; main()"
    ),
}


def seconds(code: str) -> tuple[float, float]:
    """CPU and wall seconds of a process; it must end well."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"failed: {code}\n{done.stderr.decode(errors='replace')[-500:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--repeats", type=int, default=5)
    arguments.add_argument("--rows", nargs="*", default=[*ROWS], choices=[*ROWS], metavar="ROW")
    arguments.add_argument("--model", default="base", help="base, or a folder of it")
    given = arguments.parse_args()
    least = dict.fromkeys(given.rows, (float("inf"), float("inf")))
    for turn in range(given.repeats + 1):
        for name in given.rows:
            found = seconds(ROWS[name].replace("MODEL", given.model))
            if turn:  # the first turn reads the files
                least[name] = (min(least[name][0], found[0]), min(least[name][1], found[1]))
    torch = least.get("import torch", (float("nan"),))[0]
    print(f"{'process':42}{'CPU s':>8}{'wall s':>8}{'of import torch':>17}")
    for name, (cpu, wall) in least.items():
        print(f"{name:42}{cpu:8.2f}{wall:8.2f}{cpu / torch:17.2f}")


if __name__ == "__main__":
    main()
