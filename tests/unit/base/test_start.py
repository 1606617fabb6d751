"""What `openmie extract` and the text tower import: nothing that takes seconds beside torch."""

import subprocess
import sys

SLOW = ("transformers", "tokenizers", "accelerate", "huggingface_hub", "pyarrow", "scipy", "pandas", "sklearn", "sympy")
CODE = f"""
import sys
import openmie.cli.application, openmie.cli.base_options, openmie.inference.pipeline
import openmie.base.predictor, openmie.base.text_files, openmie.base.text_model
from openmie.base.tower import TextTower
tower = TextTower.load()
states = tower.encode([["Ada", "in", "Turin", "."]])[0]
assert states.shape == (4, 384)
print(*[name for name in {(*SLOW, "torch._dynamo", "torch._inductor")} if name in sys.modules])
print(tower.encode_labels({{"PER": "a person"}}).shape[0])
"""


def test_extraction_from_a_text_needs_torch_and_numpy_alone():
    """The transformers library alone costs three times what the tower does; a meta device imports torch._dynamo."""
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["", "1"]
