"""The house stands as docs/house.md draws it: arrows point down, no circles, no framework below."""

import ast
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import networkx
import pytest

from archspec.machine import DEVICES
from archspec.ops import OPS

ROOT = Path(__file__).parents[1]

# Each room may import those before it in this list, never those after.
ORDER = [
    "errors", "terminal", "reading", "locks", "project", "shapes", "ops.page", "ops.window",
    "ops.base",
    "ops.conv", "ops.linear", "ops.norm", "ops.activation", "ops.pool", "ops.merge", "ops.reshape",
    "ops.rearrange", "ops.regularize", "ops", "node", "receptive", "stats", "identity", "graph",
    "document", "checksums", "functions", "expressions", "json_values", "syntax", "evaluation",
    "reader", "words", "grammar", "schema", "document_schema", "judging", "strict_dialect",
    "dialect", "shallow", "faults",
    "check_values", "check", "sources", "referring", "library", "names", "program", "fragment",
    "limits", "scope", "observer", "decisions", "passing", "feeding", "binding", "copies",
    "layers", "sharing", "calls", "walk", "expansion", "expand", "loading", "space", "warn",
    "space_networks", "space_tree", "space_trace", "space_cost", "space_gates", "writing",
    "processes", "machine", "extras", "tables", "report", "diff", "explain", "pages", "verdict",
    "starter", "editor", "authoring", "isynet_format", "plot", "api", "", "studio", "lsp",
    "mcp", "cli", "__main__",
]  # fmt: skip
LIBRARIES = {"jsonschema", "networkx", "rich", "PIL", "shtab"}
FACES = {
    "studio": {"starlette", "uvicorn"}, "lsp": {"pygls", "lsprotocol"},
    "mcp": {"mcp", "pydantic"}, "api": set(), "cli": set(), "__main__": set(),
}  # fmt: skip
"""They may import everything, each its own libraries too, and nobody imports them."""
TARGETS = "archspec.compiler.targets"
FRAMEWORKS = {"mindspore", "torch"}
LAYERS = ("compiler", "training", "deploy")
"""Folders of the checkout that are packages below archspec."""


@cache
def imports(path: Path) -> set[str]:
    """Names of the modules a file imports anywhere, those for type checking alone left out."""
    found: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(path.read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules = {f"{node.module}.{alias.name}" for alias in node.names}
            known = {module for module in modules if is_module(module)}
            found.update(known or {node.module})
        waiting += ast.iter_child_nodes(node)
    return found


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def modules(folder: str) -> dict[str, Path]:
    paths = (ROOT / folder).rglob("*.py")
    prefix = "archspec." if folder in LAYERS else ""
    return {
        prefix
        + ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in paths
        if folder in LAYERS or path.relative_to(ROOT / folder).parts[0] not in LAYERS
    }


def top(module: str) -> str:
    """The package a module belongs to: a layer, "archspec" for the language, or a library."""
    first, _, rest = module.partition(".")
    layer = rest.partition(".")[0]
    return layer if first == "archspec" and layer in LAYERS else first


def room(module: str) -> str:
    """The entry of ORDER a module of archspec belongs to: the longest that is a prefix."""
    name = module.removeprefix("archspec").removeprefix(".")
    while name and name not in ORDER:
        name = name.rpartition(".")[0]
    return name


ALL = {name: path for folder in ("archspec", *LAYERS) for name, path in modules(folder).items()}


@pytest.mark.parametrize("module", modules("archspec"))
def test_arrows_point_down(module):
    rooms = {room(name) for name in imports(ALL[module]) if top(name) == "archspec"}
    upward = {other for other in rooms if ORDER.index(other) > ORDER.index(room(module))}
    assert not upward, f"{module} imports what stands above it"


def test_the_page_names_every_room():
    """In its tables and sentences, that is, before it says what a change touches."""
    page = (ROOT / "docs/house.md").read_text().partition("| new | touch |")[0]
    names = re.findall(r"`([a-z_/]+)(?:\.py)?`", page)
    named = {part for name in names for part in name.split("/")}
    below = {"archspec": 1, **dict.fromkeys(LAYERS, 2)}
    rooms = {
        module.split(".")[depth]
        for folder, depth in below.items()
        for module in modules(folder)
        if module.count(".") >= depth
    }
    assert rooms - named == {"__main__"}


def test_no_circles():
    graph = networkx.DiGraph(
        (module, other) for module, path in ALL.items() for other in imports(path) & ALL.keys()
    )
    assert not [loop for loop in networkx.simple_cycles(graph) if len(loop) > 1]


def test_nobody_imports_the_command():
    for face in map("archspec.{}".format, ("cli", "studio", "lsp", "mcp")):
        callers = [m for m, path in ALL.items() if any(face in n for n in imports(path))]
        assert all(room(module) in FACES for module in callers)


@pytest.mark.parametrize("module", modules("archspec"))
def test_archspec_imports_no_framework(module):
    tops = {top(name) for name in imports(ALL[module])}
    ours = {"archspec"}
    if room(module) in FACES:
        ours |= {*LAYERS, *FACES[room(module)]}
    if module == "archspec":
        ours |= {"compiler"}  # archspec.build, imported when it is asked for
    assert tops <= LIBRARIES | set(sys.stdlib_module_names) | ours


def test_the_writer_of_classes_knows_no_framework():
    known = ("archspec.compiler.model", f"{TARGETS}.python")
    for module, path in modules("compiler").items():
        if ".targets.python" in module:
            met = {name for name in imports(path) if top(name) not in sys.stdlib_module_names}
            layers = {name for name in met if top(name) == "compiler"}
            assert {top(name) for name in met} <= {"archspec", "compiler", "networkx"}, module
            assert all(name.startswith(known) or name == TARGETS for name in layers), module


def test_layers_do_not_look_up():
    for package, forbidden in {
        "compiler": {"training", "deploy"}, "training": {"deploy"}, "deploy": {"training"},
    }.items():  # fmt: skip
        for module, path in modules(package).items():
            tops = {top(name) for name in imports(path)}
            assert not tops & forbidden, module


def test_training_knows_no_framework_but_in_backends():
    """And those know themselves alone: training finds one by its name."""
    for module, path in modules("training").items():
        found = imports(path)
        backend = module.removeprefix("archspec.training.backends.").partition(".")[0]
        own = f"archspec.training.backends.{backend}"
        others = {name for name in found if name.startswith("archspec.training.backends.")}
        assert all(name.startswith(own) for name in others), module
        if not module.startswith("archspec.training.backends."):
            assert not {top(name) for name in found} & FRAMEWORKS, module
            targets = {name for name in found if name.startswith(f"{TARGETS}.")}
            free = (f"{TARGETS}.reference", f"{TARGETS}.python.")
            assert all(name.startswith(free) for name in targets), module


def test_the_compiler_knows_mindspore_in_its_target_alone():
    for module, path in modules("compiler").items():
        if not module.startswith("archspec.compiler.targets.mindspore"):
            assert "mindspore" not in map(top, imports(path)), module


def test_counting_loads_no_library_and_no_framework():
    code = (
        "import sys; from archspec.cli import main; main(['stats', 'resnext152_64x4d']);"
        "print(*{name.split('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(result.stderr.split())
    assert "archspec" in loaded
    assert not loaded & {"jsonschema", "numpy", "networkx", "rich", "PIL", "onnx", "mindspore"}


PUBLIC = {"_asdict", "_fields", "_make", "_replace", "_exit"}
"""Names of named tuples and of os that are not secret, whatever they begin with."""
REACHING = {
    ("training", "_trial_id"), ("training", "_storage"),
    ("training", "_compute_acquisition_func"), ("training", "_get_generation_key"),
    ("archspec", "_actions"),
}  # fmt: skip
"""Private names of another's that are used, by package: a list that only shrinks."""
MAX_LINES = 60
LONG = {("training", "plan_run")}
"""Functions of more lines, by package: a list that only shrinks."""
MAX_FILE = 400
LONG_FILES: set[str] = set()
"""Modules of more lines, each with the one reason that it has: a list that only shrinks."""


def private_names(tree: ast.AST) -> set[str]:
    """The private names of others that a file reaches for."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            is_own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            found |= set() if is_own else {node.attr}
        elif isinstance(node, ast.ImportFrom):
            found.update(alias.name for alias in node.names)
    return {name for name in found - PUBLIC if name.startswith("_") and not name.endswith("__")}


def classes(tree: ast.AST) -> dict[str, tuple[set[str], set[str]]]:
    """Of each class its bases and its private methods."""
    return {
        node.name: (
            {base.id for base in node.bases if isinstance(base, ast.Name)},
            {
                inner.name
                for inner in node.body
                if isinstance(inner, ast.FunctionDef)
                and inner.name.startswith("_")
                and not inner.name.endswith("__")
            },
        )
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }


def replaced_methods(found: dict[str, tuple[set[str], set[str]]]) -> set[tuple[str, str]]:
    """Private methods of a class that a class built on it has too."""
    return {
        (name, method)
        for name, (bases, own) in found.items()
        for base in bases & found.keys()
        for method in own & found[base][1]
    }


def long_functions(tree: ast.AST) -> set[str]:
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.end_lineno is not None
        and node.end_lineno - node.lineno >= MAX_LINES
    }


def find_in_all(look: Callable[[ast.AST], set[str]]) -> set[tuple[str, str]]:
    return {
        (top(module), name)
        for module, path in ALL.items()
        for name in look(ast.parse(path.read_text()))
    }


def test_nobody_reaches_for_private_names():
    assert find_in_all(private_names) == REACHING


def test_nobody_replaces_private_methods():
    found: dict[str, tuple[set[str], set[str]]] = {}
    for path in ALL.values():
        for name, (bases, own) in classes(ast.parse(path.read_text())).items():
            before = found.get(name, (set(), set()))  # of one name in two rooms both count
            found[name] = (before[0] | bases, before[1] | own)
    assert not replaced_methods(found)


def test_no_function_is_long():
    assert find_in_all(long_functions) == LONG


def test_no_file_is_long():
    lengths = {module: path.read_text().count("\n") for module, path in ALL.items()}
    assert {module for module, lines in lengths.items() if lines > MAX_FILE} == LONG_FILES


def test_these_rules_see():
    code = "from a import _b\nself._c\nd._e\nsuper()._f()\ng.__class__\nh._asdict()\n"
    assert private_names(ast.parse(code)) == {"_b", "_e", "_f"}
    code = "class A:\n def _f(self): ...\n def g(self): ...\nclass B(A):\n def _f(self): ..."
    assert replaced_methods(classes(ast.parse(code))) == {("B", "_f")}
    for lines, names in ((60, set()), (61, {"f"})):
        body = "\n".join(["    pass"] * (lines - 1))
        assert long_functions(ast.parse(f"def f():\n{body}\n")) == names


IRREGULAR = {
    "begun", "broken", "built", "chosen", "done", "drawn", "found", "frozen", "given", "gone",
    "kept", "known", "left", "lost", "made", "meant", "met", "said", "seen", "sent", "spelt",
    "taken", "told", "woven", "written",
}  # fmt: skip
"""Participles that do not end in -ed, without those that are verbs as well: read, run, put, cut."""
VERBS = {
    "append", "as", "check", "count", "create", "find", "has", "is", "list", "load", "make",
    "need", "note", "open", "plan", "read", "refuse", "remove", "run", "seal", "select",
    "summarize", "tell", "train", "write",
}  # fmt: skip
"""First words of names that say what is done with what the participle stands for: write_found."""
STAND_FOR_THEIR_VALUE = {
    "shown", "listed", "counted", "described", "written",  # words of a sentence: f"{shown(value)}"
    "bordered",  # a name in the source that is generated
    "located", "bounded", "reached",  # closures, named by what they give
    "label_is_left", "attributes_as_given", "share_covered", "share_done",
}  # fmt: skip
"""Participles that name a function all the same, like Python's `sorted`: it is called for its value
and reads as one where it stands."""


def participles(tree: ast.AST) -> set[str]:
    """Functions whose last word is a participle, which is for values. A property is one."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            words = node.name.strip("_").split("_")
            is_property = any("property" in ast.unparse(one) for one in node.decorator_list)
            is_participle = words[-1].endswith("ed") or words[-1] in IRREGULAR
            if is_participle and not is_property and words[0] not in VERBS:
                found.add("_".join(words))
    return found - STAND_FOR_THEIR_VALUE


def test_functions_that_act_are_verbs():
    assert not find_in_all(participles)
    code = "def trained(): ...\ndef _told(): ...\ndef net_built(): ...\ndef train(): ...\n"
    code += "def write_found(): ...\nclass A:\n @property\n def tried(self): ...\n"
    assert participles(ast.parse(code)) == {"trained", "told", "net_built"}


ASK_FOR_KINDS = {
    "archspec.compiler.affine",  # what a scale's weights come to
    "archspec.compiler.importing.onnx.tidying",  # what an exporter took apart
    "archspec.compiler.passes.fold_batch_norm",
    "archspec.compiler.passes.fold_layer_scale",
    "archspec.compiler.passes.merge_branches",
    "archspec.compiler.passes.standardize_filters",
    "archspec.compiler.latency.kernels",  # the activations that a device does on the way out
    "archspec.compiler.latency.lint",  # a rule advises on one kind
    "archspec.compiler.latency.validity",
    "archspec.compiler.quantize.equalize",  # what a factor passes through
    "archspec.compiler.quantize.layers",  # what AMCT takes
    "archspec.compiler.supernet.derivation",
    "archspec.compiler.targets.onnx.operators.borders",
    "archspec.compiler.weights.maps.mindcv",
    "archspec.compiler.weights.maps.mindcv_later",
    "archspec.compiler.weights.maps.torch_zoo",
    "archspec.compiler.weights.residuals",
    "archspec.compiler.weights.siblings",
    "archspec.training.backends.mindspore.noise",
    "archspec.training.backends.torch.int8",  # a standardised filter is made anew at each step
    "archspec.training.noise",
}
"""Where one kind of op is looked for, because of what stands beside it or of one publisher's use.
What is true of an op whatever surrounds it, the op answers (archspec/ops/base.py)."""


def asks_for_kinds(path: Path) -> bool:
    """Whether a module tests objects for being of one class of op."""
    kinds = {op.__name__ for op in OPS.values()}
    rooms = {op.__module__.rpartition(".")[2] for op in OPS.values()}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.MatchClass):
            asked: list[ast.AST] = [node.cls]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance":
            asked = [*getattr(node.args[1], "elts", [node.args[1]])]
        else:
            continue
        names = [ast.unparse(one).rpartition(".") for one in asked]
        if any(name in kinds and room in ("", *rooms) for room, _, name in names):
            return True
    return False


def test_an_op_answers_for_itself():
    assert {
        module
        for module, path in ALL.items()
        if not module.startswith("archspec.ops") and asks_for_kinds(path)
    } == ASK_FOR_KINDS


ONE_PLACE = {
    "sched_getaffinity": {"archspec.machine"},
    '"GPU", "Ascend"': {"archspec.machine"},
    "start_new_session": {"archspec.processes", "archspec.deploy.atc"},  # atc leads a group
    "pip install -e": {"archspec.extras"},
    "(11, 13, 17)": {"archspec.api.exporting"},
    '"OnnxRuntimeEngine"': {"archspec.deploy.engine_table"},
    'nearest", "bilinear", "bicubic': {"archspec.document_schema"},
}
"""Spellings of facts, and the modules that may have them."""


def test_one_fact_has_one_place():
    texts = {module: path.read_text() for module, path in ALL.items()}
    for spelling, places in ONE_PLACE.items():
        assert {module for module, text in texts.items() if spelling in text} == places, spelling


def test_frameworks_name_the_devices_that_there_are():
    from archspec.compiler.targets.mindspore import device

    assert {*device.DEVICES} < {*DEVICES}


def test_no_two_files_of_tests_have_one_name():
    """pytest imports them by their names, and refuses the second."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert len(names) == len(set(names))
