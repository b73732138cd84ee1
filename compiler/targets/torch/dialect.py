"""PyTorch as a dialect of Python classes."""

from __future__ import annotations

from pathlib import Path

from archspec.compiler.targets.python.dialect import Dialect, UsageExample
from archspec.compiler.targets.torch.spelling import spell
from archspec.compiler.weights.layouts import TORCH

_MEMBERS = """
T_destination add_module append apply bfloat16 buffers call_super_init children compile cpu cuda
double dump_patches eval extend extra_repr float forward get_buffer get_extra_state get_parameter
get_submodule half insert ipu load_state_dict modules mtia named_buffers named_children
named_modules named_parameters parameters pop register_backward_hook register_buffer
register_forward_hook register_forward_pre_hook register_full_backward_hook
register_full_backward_pre_hook register_load_state_dict_post_hook
register_load_state_dict_pre_hook register_module register_parameter register_state_dict_post_hook
register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule share_memory state_dict
to to_empty train training type xpu zero_grad
"""


def _usage(example: UsageExample) -> list[str]:
    lines = [f"network = {example.network}()"]
    if example.weights:
        lines.append(f"network.load_state_dict(safetensors.torch.load_file({example.weights}))")
    return [
        *lines,
        "network.eval()",
        f"{example.results} = network(images)  # images: a tensor (N, {example.image})",
    ]


def _expand(value: str, image: str, rank: int) -> str:
    return f"{value}.expand({image}.shape[0]{', -1' * (rank - 1)})"


DIALECT = Dialect(
    target="torch",
    framework="PyTorch",
    cells="modules",
    base="nn.Module",
    method="forward",
    sequential="nn.Sequential",
    imports={
        "OrderedDict": "from collections import OrderedDict",
        "torch": "import torch",
        "F": "import torch.nn.functional as F",
        "nn": "from torch import nn",
    },
    words=frozenset(
        {
            "torch",
            "F",
            "nn",
            "safetensors",
            "network",
            "rows_between",
            "apart_in_windows",
        }
    ),
    members=frozenset(_MEMBERS.split()),  # a test fails when one is missing
    helpers=(
        Path(__file__).with_name("cells.py"),
        Path(__file__).with_name("attention_cells.py"),
    ),
    spell=spell,
    expand=_expand,
    usage=_usage,
    layout=TORCH,
)
