"""What the start of the text tower imports: nothing that takes seconds beside torch."""

import subprocess
import sys

SLOW = ("transformers", "tokenizers", "accelerate", "huggingface_hub", "pyarrow", "scipy", "pandas", "sklearn", "sympy")
CODE = f"""
import sys
from openmie.base.tower import TextTower
tower = TextTower.load()
states = tower.encode([["Ada", "in", "Turin", "."]])[0]
assert states.shape == (4, 384)
print(*[name for name in {(*SLOW, "torch._dynamo", "torch._inductor")} if name in sys.modules])
print(tower.encode_labels({{"PER": "a person"}}).shape[0])
"""


def test_the_built_in_tower_needs_torch_and_numpy_alone():
    """The transformers library alone costs three times what the tower does; a meta device imports torch._dynamo."""
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["", "1"]
