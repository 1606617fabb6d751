"""How many Diorama posts and documents a second, pixels in memory, on one core.

python benchmarks/diorama_speed.py [posts]
"""

from __future__ import annotations

import sys
import time

from openmie.diorama import Config, generate


def speed(config: Config, n: int, pixels: bool) -> float:
    """Posts a second of CPU time."""
    start = time.process_time()
    for _ in generate(config, "train", n, pixels=pixels):
        pass
    return n / (time.process_time() - start)


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    print(f"{'post, image and translation':<32}{speed(Config(), n, True):>8.0f} posts/s")
    print(f"{'post and image':<32}{speed(Config(translation=False), n, True):>8.0f} posts/s")
    print(f"{'post without pixels':<32}{speed(Config(), n, False):>8.0f} posts/s")
    for language in ("en", "zh"):
        config = Config(documents=True, language=language, size=64)
        print(f"{f'document, {language}, frames of 64':<32}{speed(config, n // 4, True):>8.0f} documents/s")
        print(f"{f'document, {language}, without pixels':<32}{speed(config, n // 2, False):>8.0f} documents/s")


if __name__ == "__main__":
    main()
