"""Supernets in each framework behind one face, so that a test is written once for all of them."""

from __future__ import annotations

import numpy as np

from archspec.compiler import build
from archspec.compiler.model import Model
from archspec.compiler.supernet import Supernet


def build_gated(backend: str, supernet: Supernet, weights):
    """The largest network with gates on it, all open, in inference."""
    return _GATED[backend](supernet, weights)


def run_alone(backend: str, model: Model, image: np.ndarray) -> np.ndarray:
    """The logits of a network built by itself, in inference."""
    network = build(model, target=backend)
    return _INFERENCE[backend](network)(image)


def runtime_at(backend: str, supernet: Supernet, runtime, gates) -> float:
    """What the steps of a backend take for the runtime at these gates."""
    if backend == "mindspore":
        from mindspore import Tensor

        from archspec.training.backends.mindspore.threshold_step import RuntimeCell

        return float(RuntimeCell(supernet, runtime)(Tensor(np.array(gates, np.float32))).asnumpy())
    import torch

    from archspec.training.backends.torch.threshold_step import GatedRuntime

    return float(GatedRuntime(supernet, runtime)(torch.tensor(gates, dtype=torch.float32)))


def turn_to_inference(backend: str, trainer) -> None:
    """Let the steps of the thresholds compute as in inference, which a numpy reference knows."""
    if backend == "mindspore":
        trainer.threshold_step.set_train(False)
    else:
        trainer.network.eval()


def turn_to_training(backend: str, trainer) -> None:
    """Let all steps compute as they do."""
    if backend == "mindspore":
        trainer.weight_step.set_train()
        trainer.threshold_step.set_train()
    else:
        trainer.network.train()


def gates_of(trainer) -> tuple[float, ...]:
    """The gates as they are."""
    return tuple(np.asarray(trainer.gates).tolist())


class _MindSporeGated:
    def __init__(self, supernet: Supernet, weights):
        from archspec.compiler.targets.mindspore.gates import add_gates

        self.network = build(Model(supernet.graph, weights), target="mindspore")
        names = [parameter.name for parameter in self.network.get_parameters()]
        self.gates = add_gates(self.network, supernet)
        found = [p.name for p in self.network.get_parameters() if p is not self.gates]
        assert found == names
        self.logits = _mindspore_inference(self.network)

    def set_gates(self, gates) -> None:
        from mindspore import Tensor

        self.gates.set_data(Tensor(np.array(gates, np.float32)))

    @property
    def compiled(self) -> int:
        """How often something was compiled."""
        return len(self.network.compile_cache)


class _TorchGated:
    """Compiled by "eager", for it is asked for one graph without breaks and not for speed."""

    def __init__(self, supernet: Supernet, weights):
        import torch
        from torch._dynamo.testing import CompileCounter

        from archspec.compiler.targets.torch.gates import add_gates

        torch._dynamo.reset()
        self.network = build(Model(supernet.graph, weights), target="torch")
        parameters = {*self.network.parameters()}
        self.gates = add_gates(self.network, supernet)
        assert {*self.network.parameters()} == parameters
        self.counter = CompileCounter()
        self.logits = _torch_inference(
            torch.compile(self.network, backend=self.counter, fullgraph=True)
        )

    def set_gates(self, gates) -> None:
        import torch

        self.gates.copy_(torch.tensor(gates))

    @property
    def compiled(self) -> int:
        """How often something was compiled."""
        return self.counter.frame_count


def _mindspore_inference(network):
    from mindspore import Tensor

    network.set_train(False)
    return lambda image: network(Tensor(image)).asnumpy()


def _torch_inference(network):
    import torch

    network.eval()

    def logits(image):
        with torch.no_grad():
            return network(torch.from_numpy(image)).numpy()

    return logits


_GATED = {"mindspore": _MindSporeGated, "torch": _TorchGated}
_INFERENCE = {"mindspore": _mindspore_inference, "torch": _torch_inference}
