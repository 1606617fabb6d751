"""Damaged inputs of every kind, thousands by a seed: none may end in a traceback.

    python benchmarks/fuzz.py --count 3000 --seed 1 rows posts archives subtitles parquet videos models
    python benchmarks/fuzz.py --count 3000 --keep falls

Without names, all kinds. What falls is printed with the innermost lines of its traceback, and kept by `--keep FOLDER`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.fixtures.fuzz_targets import TARGETS, model_target, video_target
from tests.fixtures.fuzzing import Target, falls
from tests.fixtures.small import save_bert


def target(name: str, scratch: Path) -> Target:
    if name == "videos":
        import av

        av.logging.set_level(av.logging.PANIC)
        return video_target()
    return model_target(str(save_bert(scratch / "bert"))) if name == "models" else TARGETS[name]


def main() -> None:
    names = [*TARGETS, "videos", "models"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", help=f"of {', '.join(names)}; default: all")
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    for name in given.kinds or names:
        started = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            made = target(name, Path(folder))
            inner = Path(folder) / "inputs"
            inner.mkdir()
            found = falls(made, inner, given.seed, given.count)
        print(f"{name}: {len(found)} of {given.count} fell, {time.process_time() - started:.0f} s of CPU", flush=True)
        for error, number in Counter(f.error for f in found).most_common():
            print(f"  {number} {error}", flush=True)
        if given.keep:
            given.keep.mkdir(parents=True, exist_ok=True)
            for fall in found:
                (given.keep / f"{name}-{fall.number}-{Path(fall.file).name}".replace(" ", "-")).write_bytes(fall.data)


if __name__ == "__main__":
    main()
