"""What may stand in a generated file: names that collide with nothing, and text without a way out.

A spec is data from anywhere. Only identifiers checked here, repr() of numbers and strings, and
text that passed through `escaped` ever reach the source.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection
from itertools import chain, count

_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
LONGEST = 60

_MODULE_WORDS = """
nn ops mindspore Parameter initializer OrderedDict self super range float int tuple isinstance i
four bordered x
"""
MODULE_NAMES = frozenset(_MODULE_WORDS.split())
"""Words that a generated file uses itself."""

_CELL_WORDS = """
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
CELL_NAMES = frozenset(_CELL_WORDS.split())
"""Attributes of MindSpore's cells that a child must not hide; a test fails when one is missing."""


def is_safe(name: str) -> bool:
    """Whether a name can stand as it is: an ASCII identifier of no special meaning to Python."""
    return (
        _IDENTIFIER.fullmatch(name) is not None
        and len(name) <= LONGEST
        and not keyword.iskeyword(name)
        and not name.endswith("__")
    )


def identifier(name: str, taken: Collection[str]) -> str:
    """The name itself where it is safe and free, else one like it that is."""
    if is_safe(name) and name not in taken:
        return name
    kept = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")[:LONGEST].strip("_")
    stem = (kept if kept[:1].isalpha() else f"n{kept}")[: LONGEST - 9]
    endings = chain(("", "_"), (f"_{number}" for number in count(2)))
    return next(
        stem + ending for ending in endings if is_safe(stem + ending) and stem + ending not in taken
    )


def camel(*words: str) -> str:
    """conv_norm, act -> ConvNormAct; digits that would run together keep their underscore."""
    result = ""
    for word in words:
        for part in re.findall(r"[A-Za-z0-9]+", word):
            joint = "_" if result[-1:].isdigit() and part[0].isdigit() else ""
            result += joint + part[0].upper() + part[1:]
    return result


def escaped(line: str) -> str:
    """A line of a docstring in which nothing is unprintable and nothing ends the string. What is
    unprintable shows as its code: MindSpore takes no docstring that UTF-8 cannot hold."""
    printable = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in line
    )
    return re.sub(r'"(?="|$)', r'\\"', printable.replace("\\", "\\\\"))
