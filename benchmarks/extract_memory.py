"""Peak memory and CPU seconds of `extract`'s reader and writer, by the number of posts, each in a process of its own.

    python benchmarks/extract_memory.py [1000 10000 100000]

The model finds the first word of a post and costs next to nothing, so that what grows with the posts is seen. Posts
come from a file of JSON lines and go into a folder of rows.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from ray_scale import Sleeping, write_posts

from openmie.formats.sharded_output import open_output_folder
from openmie.inference import pipeline


class Model:
    """A model as `pipeline.predict_each` takes it."""

    def predict(self, documents: Any) -> Any:
        """The first word of each."""
        return list(Sleeping(0.0)(documents))


def one(posts: int) -> None:
    """Print peak memory in MB and CPU seconds of one job."""
    models: Any = [Model()]
    with tempfile.TemporaryDirectory() as name:
        source = write_posts(Path(name) / "posts.jsonl", posts)
        with open_output_folder(Path(name) / "out", {}) as rows:
            pending: Any = rows.pending(pipeline.read_posts(source))
            for document in pipeline.predict_each(models, pending):
                rows.add(document)
            rows.finish()
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(f"{posts:>10,} posts {used.ru_maxrss / 1024:8.0f} MB {used.ru_utime + used.ru_stime:8.1f} CPU s", flush=True)


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        one(int(sys.argv[2]))
        return
    for posts in map(int, sys.argv[1:] or ("1000", "10000", "100000")):
        subprocess.run([sys.executable, __file__, "--one", str(posts)], check=True)


if __name__ == "__main__":
    main()
