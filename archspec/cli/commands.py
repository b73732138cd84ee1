"""All subcommands, by what a person wants of them."""

from __future__ import annotations

GROUPS: dict[str, dict[str, str]] = {
    "write": {
        "studio": "edit specs in the browser: errors, picture and numbers as you type",
        "new": "write a starter spec",
        "validate": "say everything that is wrong with specs",
        "explain": "where a node comes from, and each of its attributes",
        "expand": "write a spec's normal form: primitive nodes only",
        "schema": "the JSON Schema of specs, for editors",
        "lsp": "a language server: help in an editor while you write",
        "mcp": "the same and more for programs that write specs, over MCP",
    },
    "see": {
        "list": "the specs that come with archspec",
        "plot": "draw a network as SVG or PNG",
        "diff": "what differs between two networks, in words and numbers",
        "hash": "a network's fingerprint",
    },
    "weigh": {
        "stats": "parameters, MACs, memory and receptive fields of networks",
        "latency": "estimated time on an Ascend device, before there is one",
        "lint": "what would run badly on a device, with its estimated cost",
        "profile": "time of each layer: measured on a device, or estimated",
    },
    "train": {
        "data": "make, check and pack folders of images to train from",
        "recipes": "the training recipes that come with archspec",
        "train": "train a network by a recipe, or resume a training",
        "eval": "top-1 and top-5 accuracy of a network's weights",
        "predict": "the likeliest classes of images",
    },
    "search": {
        "space": "decisions of a search space: its size, samples, assigning them",
        "search": "find the best networks of a search space",
    },
    "bring": {
        "import": "read a network from another format",
        "weights": "import published checkpoints, look into files of weights",
    },
    "ship": {
        "compile": "write a network as source of MindSpore or PyTorch, MindIR or ONNX",
        "export": "write a network for deployment: ONNX, MindIR, AIR, or OM by atc",
        "infer": "accuracy and latency of an exported model over a folder of images",
        "quantize": "a trained network in int8: QDQ ONNX, or a folder that becomes an OM",
        "compare-outputs": "how far two ways of running one network are apart, image by image",
        "om": "look into an Ascend offline model (.om)",
        "preprocess": "write images as the .bin files that older Ascend tools read",
        "accuracy": "top-1 and top-5 from the result folders of older Ascend tools",
    },
    "this machine": {
        "doctor": "what this machine can do: versions, targets, devices",
        "report-device": "one file with what was measured on a device, to send back",
        "completion": "complete commands and options in bash, zsh or fish",
    },
}
"""A row a command; its module is archspec.cli.NAME_command, with hyphens as underscores."""

COMMANDS = {name: text for group in GROUPS.values() for name, text in group.items()}

NEEDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "write": (("studio",), ("lsp",), ("mcp",)),
    "see": (),
    "weigh": (("onnx",), ("calibrate",)),
    "train": (("torch", "mindspore"),),
    "search": (("search",), ("torch", "mindspore")),
    "bring": (("onnx",),),
    "ship": (("onnx",), ("mindspore",)),
    "this machine": (("completion",),),
}
"""The extras of pyproject.toml that a group needs for all that it can do; of one row, any."""
