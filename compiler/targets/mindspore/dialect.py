"""MindSpore as a dialect of Python classes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from archspec.compiler.targets.mindspore.spelling import spell
from archspec.compiler.targets.python.dialect import Dialect, UsageExample
from archspec.compiler.targets.python.layout import INDENT, Invocation, lines_of, literal

_MEMBERS = """
IGNORE_LIST T_destination add_flags add_flags_recursive append apply arguments_key bprop
bprop_debug buffers cast_inputs cell_init_args cell_list cell_type cells cells_and_names
check_names check_names_and_refresh_name cls_name compile compile_and_run compile_cache
compile_phase compiled construct create_time enable_backward_hook exist_names exist_objs
extend extend_repr generate_scope get_buffer get_extra_state get_flags get_func_graph_proto
get_inputs get_mixed_precision_type get_parameters get_scope get_sub_cell global_cells
grad_ops_label has_bprop init_parameters_data insert insert_child_to_cell insert_param_to_cell
is_top_cell jit_config_dict load_state_dict mixed_precision_type name name_cells named_buffers
offload parallel_parameter_merge_net_dict parallel_parameter_name_list param_prefix
parameter_layout_dict parameters_and_names parameters_broadcast_dict parameters_dict params
phase phase_cache pipeline_segment pipeline_stage place pop recompute register_backward_hook
register_backward_pre_hook register_buffer register_forward_hook register_forward_pre_hook
register_load_state_dict_post_hook register_load_state_dict_pre_hook
register_parameter_forward_hook register_saved_tensors_hooks register_state_dict_post_hook
register_state_dict_pre_hook remove_redundant_parameters requires_grad run_construct set_boost
set_broadcast_flag set_comm_fusion set_data_parallel set_extra_state set_grad set_inputs
set_jit_config set_mixed_precision_type set_train shard state_dict to to_empty to_float
total_instance_count train trainable_params training untrainable_params update_cell_prefix
update_cell_type update_parameters_name
"""


def _usage(example: UsageExample) -> list[str]:
    lines = [f"network = {example.network}()"]
    if example.weights:
        lines.append(f"mindspore.load_checkpoint({example.weights}, network)")
    return [
        *lines,
        "network.set_train(False)",
        f"{example.results} = network(mindspore.Tensor(images))  # images: (N, {example.image})",
    ]


def _rename(renamed: Mapping[str, str]) -> list[str]:
    """Lines that give parameters their paths where an attribute could not have a part's name."""
    table = Invocation(
        "{", tuple(f"{literal(word)}: {literal(name)}" for word, name in renamed.items()), "}"
    )
    margin = INDENT * 2
    return [
        f"{margin}# the spec's names for what no attribute can be called",
        *lines_of(table, 2, "names = "),
        f"{margin}for parameter in self.get_parameters():",
        f'{margin}{INDENT}words = parameter.name.split(".")',
        f'{margin}{INDENT}parameter.name = ".".join(names.get(word, word) for word in words)',
    ]


def _expand(value: str, image: str, rank: int) -> str:
    # ops.broadcast_to knows no batch of any size, as a MindIR may have
    return f"{value} + ops.zeros_like({image}[:{', :1' * (rank - 1)}])"


DIALECT = Dialect(
    target="mindspore",
    framework="MindSpore",
    cells="cells",
    base="nn.Cell",
    method="construct",
    sequential="nn.SequentialCell",
    imports={
        "OrderedDict": "from collections import OrderedDict",
        "Parameter": "from mindspore import Parameter",
        "Tensor": "from mindspore import Tensor",
        "nn": "from mindspore import nn",
        "ops": "from mindspore import ops",
        "initializer": "from mindspore.common.initializer import initializer",
    },
    words=frozenset(
        {
            "nn",
            "ops",
            "mindspore",
            "Parameter",
            "Tensor",
            "initializer",
            "four",
            "bordered",
            "ways_between",
            "in_a_row",
            "apart_in_windows",
            "cubic",
            "cubic_shares",
        }
    ),
    members=frozenset(_MEMBERS.split()),  # a test fails when one is missing
    helpers=(
        Path(__file__).with_name("cells.py"),
        Path(__file__).with_name("attention_cells.py"),
        Path(__file__).with_name("resize_cells.py"),
    ),
    spell=spell,
    expand=_expand,
    usage=_usage,
    advice=(
        "Where convolutions are very slow on a CPU, ONEDNN_MAX_CPU_ISA=AVX2 in the environment may",
        "help; `archspec doctor` tells.",
    ),
    rename=_rename,
)
