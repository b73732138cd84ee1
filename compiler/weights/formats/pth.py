"""PyTorch's own files, which are pickles: read by torch alone, and by its safe loader alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import IO, Any

from archspec.compiler.weights.arrays import Array, Entry, TensorFile
from archspec.errors import Problem, SpecError, UsageError

WRAPPERS = ("state_dict", "model_state_dict", "model")
"""Under which of a training checkpoint's keys the weights of its model lie."""


def open_pth(path: str, file: IO[bytes]) -> TensorFile:
    """Raises UsageError where torch is not installed, SpecError where it refuses the file."""
    try:
        import torch  # pyright: ignore[reportMissingImports]  # no dependency: only for such files
    except ModuleNotFoundError:
        file.close()
        raise UsageError(
            f"{path}: only PyTorch reads its own files and it is not installed; pip install torch"
            " would do, or where it is installed"
            " safetensors.torch.save_file(model.state_dict(), 'weights.safetensors')"
        ) from None
    file.seek(0)
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever its unpickler meets
        met = re.search(r"GLOBAL ([\w.]+)", str(error))
        reason = f"it holds a {met[1]}" if met else str(error).partition("\n")[0][:120]
        raise SpecError(
            Problem(
                f"PyTorch's safe loader refuses the file ({type(error).__name__}: {reason});"
                " a state dict of tensors alone would do",
                path,
            )
        ) from None
    finally:
        file.close()
    tensors = _tensors(path, content, torch.Tensor)

    def fetch(name: str) -> Array:
        tensor = tensors[name]
        if tensor.dtype == torch.bfloat16:
            tensor = tensor.float()
        return tensor.contiguous().numpy().reshape(-1)

    entries = {
        name: Entry(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))
        for name, tensor in tensors.items()
    }
    return TensorFile(path, entries, {}, fetch, lambda: None)


def _tensors(path: str, content: Any, kind: type) -> dict[str, Any]:
    """The state dict, alone or inside a training checkpoint."""
    if isinstance(content, Mapping):
        for wrapper in WRAPPERS:
            if isinstance(content.get(wrapper), Mapping):
                content = content[wrapper]
                break
        tensors = {str(k): v.detach() for k, v in content.items() if isinstance(v, kind)}
        if tensors:
            return tensors
    raise SpecError(
        Problem(
            "no state dict is in the file, alone or under"
            f" {', '.join(map(repr, WRAPPERS))}; torch.save(model.state_dict(), ...) writes one",
            path,
        )
    )
