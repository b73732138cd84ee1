"""PyTorch's own files, which are pickles: read by torch alone, and by its safe loader alone."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Mapping
from typing import IO, Any

from archspec.compiler.weights.arrays import Array, Entry, TensorFile, check_number, damage_error
from archspec.errors import Problem, SpecError, UsageError

WRAPPERS = ("state_dict", "model_state_dict", "model")
"""Under which of a training checkpoint's keys the weights of its model lie."""

ZIP = b"PK\x03\x04"


def open_pth(path: str, file: IO[bytes]) -> TensorFile:
    """Raises UsageError where torch is not installed, SpecError where it refuses the file or where
    more is in it than its bytes can say."""
    _check_zip(path, file)
    try:
        import torch  # pyright: ignore[reportMissingImports]  # no dependency: only for such files
    except ModuleNotFoundError:
        file.close()
        raise UsageError(
            f"{path}: only PyTorch reads its own files and it is not installed; run pip install"
            " torch, or where it is installed safetensors.torch.save_file(model.state_dict(),"
            " 'weights.safetensors')"
        ) from None
    size = os.fstat(file.fileno()).st_size
    file.seek(0)
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever its unpickler meets
        met = re.search(r"GLOBAL ([\w.]+)", str(error))
        reason = f"it holds the class {met[1]}" if met else str(error).partition("\n")[0][:120]
        raise SpecError(
            Problem(
                f"PyTorch's safe loader refuses the file ({type(error).__name__}: {reason}); use a"
                " file with a state dict of tensors alone",
                path,
            )
        ) from None
    finally:
        file.close()
    tensors = _tensors(path, content, torch.Tensor)
    for name, tensor in tensors.items():
        # one number can be repeated without end: a view takes no memory until it is copied
        if tensor.numel() * tensor.element_size() > size:
            raise damage_error(path, f"{name[:100]!r} has more numbers than the file")

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


def _check_zip(path: str, file: IO[bytes]) -> None:
    """torch unpacks whatever a zip holds before anything is looked at. Its own are never compressed
    and no two entries are the same bytes, so all of them together are smaller than the file."""
    file.seek(0)
    if file.read(len(ZIP)) != ZIP:
        return  # of before PyTorch 1.6
    try:
        with zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError):
        raise damage_error(path, "it is not a zip, or its end is missing") from None
    check_number(path, len(infos))
    size = os.fstat(file.fileno()).st_size
    unpacked = sum(info.file_size for info in infos)
    if unpacked > size or any(info.compress_type != zipfile.ZIP_STORED for info in infos):
        raise damage_error(
            path,
            f"its {size:,} bytes would unpack to {unpacked:,}, and torch.save compresses nothing",
        )


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
