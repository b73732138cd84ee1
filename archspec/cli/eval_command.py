"""Top-1 and top-5 accuracy of weights, or of an exported model, on the val images of a folder."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from archspec.api.networks import is_model, refuse_for_model
from archspec.cli.answer_options import (
    add_answers,
    answers_as_json,
    check_report,
    tell_answers,
)
from archspec.cli.common import add_format, add_overrides, add_spec, graph_of, print_json
from archspec.cli.device_options import add_device
from archspec.cli.infer_command import tell_note
from archspec.errors import UsageError

if TYPE_CHECKING:
    from archspec.graph import Graph

EXAMPLES = (
    "archspec eval run/spec.json --weights run/best.safetensors --data digits",
    "archspec eval resnet50 --weights resnet50.safetensors --data imagenet --batch 256 --flip",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_spec(parser)
    add_overrides(parser)
    parser.add_argument("--weights", metavar="FILE", help="of a spec: the network's weights")
    parser.add_argument(
        "--data", required=True, metavar="DIR", help="holds val/CLASS/IMAGE, or MindRecord"
    )
    parser.add_argument("--split", metavar="NAME", help="default: val")
    parser.add_argument("--batch", type=int, metavar="N", help="default: 64, or what a model takes")
    parser.add_argument(
        "--workers", type=int, default=8, metavar="N", help="threads that read images; default: 8"
    )
    parser.add_argument(
        "--flip", action="store_true", help="average the logits with those of the mirror image"
    )
    add_device(parser)
    add_answers(parser)
    add_format(parser, ("table", "json"))


def run(options: argparse.Namespace) -> int:
    from archspec.api.evaluating import evaluate
    from archspec.training.predict import writes

    check_report(options.report)
    network = _network_of(options)
    device = None if isinstance(network, str) else options.device or "CPU"
    found = evaluate(
        network, options.data, weights=options.weights, split=options.split, batch=options.batch,
        workers=options.workers, device=device, backend=options.backend, flip=options.flip,
        tell=tell_note,
    )  # fmt: skip
    if device is not None and not writes(device, options.backend):
        return 0
    if options.format == "json":
        said: dict[str, Any] = {}
        if not isinstance(network, str):
            said = {"network": network.name, "fingerprint": network.fingerprint}
        print_json({**said, **vars(found.scores), **answers_as_json(found, options)})
    else:
        print(found.scores)
    tell_answers(found, options)
    return 0


def _network_of(options: argparse.Namespace) -> Graph | str:
    """A spec's graph, or the path of an exported model, which has its latency by `archspec infer`.
    Raises UsageError for what does not go with it."""
    if is_model(options.spec):
        own = {"device": options.device, "set": options.set, "input": options.input}
        refuse_for_model(options.spec, **own)
        return options.spec
    if not options.weights:
        raise UsageError("--weights is missing; use --weights FILE, or an exported model")
    return graph_of(options.spec, options)
