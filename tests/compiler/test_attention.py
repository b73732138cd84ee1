"""Attention's cells, results and gradients, held against scaled_dot_product_attention over the
whole map, from which what does not meet is taken out."""

from __future__ import annotations

import pytest
from test_ops import EXAMPLES, label

from archspec.node import Layer
from archspec.ops.attention import Attention

np = pytest.importorskip("numpy")
torch = pytest.importorskip("torch")
onnx_ops = pytest.importorskip("oracles.onnx_ops", exc_type=ImportError)

CASES = [(op, inputs) for op, inputs in EXAMPLES if isinstance(op, Attention)]
BATCH = 2


def expect(op, shapes, arrays, table):
    """The result, by PyTorch's own attention in float64, and leaves to ask for gradients."""
    leaves = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in arrays]
    q, k, v = leaves
    served = op.served
    shared = op.heads // served

    def by_head(x, heads):
        return x.reshape(BATCH, heads, x.shape[1] // heads, -1).transpose(2, 3)

    rows, added = onnx_ops.pair_pixels(op, shapes[0][1:], shapes[1][1:])
    mask = torch.tensor(added).expand(op.heads, -1, -1)
    if table is not None:
        table = torch.tensor(table, dtype=torch.float64, requires_grad=True)
        leaves.append(table)
        learnt = table[rows].movedim(2, 0) if op.bias == "offset" else table[:, rows]
        mask = mask + learnt
    keys, values = (by_head(x, served).repeat_interleave(shared, 1) for x in (k, v))
    x = torch.nn.functional.scaled_dot_product_attention(
        by_head(q, op.heads), keys, values, mask.expand(BATCH, -1, -1, -1), scale=op.scale
    )
    return x.transpose(2, 3).reshape(BATCH, -1, *shapes[0][1:]), leaves


def make(target, op, shapes):
    """The cell that a target writes for the op."""
    from importlib import import_module

    package = f"archspec.compiler.targets.{target}"
    spelling = import_module(f"{package}.spelling").spell(Layer(op, shapes))
    arguments = [a.value for a in spelling.arguments if not a.keyword]
    options = {a.keyword: a.value for a in spelling.arguments if a.keyword}
    return getattr(import_module(f"{package}.attention_cells"), spelling.cell)(
        *arguments, **options
    )


def draw(op, shapes):
    generator = np.random.default_rng(0)
    arrays = [generator.normal(size=(BATCH, *shape)).astype(np.float32) for shape in shapes]
    tables = [generator.normal(size=w.shape).astype(np.float32) for w in op.weights(shapes)]
    sample = generator.normal(size=(BATCH, *op.infer(shapes)[0])).astype(np.float32)
    return arrays, (tables or [None])[0], sample


def close(mine, theirs):
    np.testing.assert_allclose(mine, theirs.detach().numpy(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("op, shapes", CASES, ids=label)
def test_torch(op, shapes):
    arrays, table, sample = draw(op, shapes)
    theirs, leaves = expect(op, shapes, arrays, table)
    (theirs * torch.tensor(sample)).sum().backward()
    cell = make("torch", op, shapes)
    inputs = [torch.tensor(x, requires_grad=True) for x in arrays]
    if table is not None:
        cell.bias.data = torch.tensor(table)
    mine = cell(*inputs)
    (mine * torch.tensor(sample)).sum().backward()
    close(mine.detach().numpy(), theirs)
    for one, other in zip([*inputs, *cell.parameters()], leaves, strict=True):
        close(one.grad.numpy(), other.grad)


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("op, shapes", CASES, ids=label)
def test_mindspore(op, shapes):
    ms = pytest.importorskip("mindspore")
    arrays, table, sample = draw(op, shapes)
    theirs, leaves = expect(op, shapes, arrays, table)
    (theirs * torch.tensor(sample)).sum().backward()
    cell = make("mindspore", op, shapes)
    if table is not None:
        cell.bias.set_data(ms.Tensor(table))
    inputs = [ms.Tensor(x) for x in arrays]
    close(cell(*inputs).asnumpy(), theirs)
    weighed = ms.Tensor(sample)
    trained = cell.trainable_params()

    def total(q, k, v):
        return (cell(q, k, v) * weighed).sum()

    found = ms.grad(total, (0, 1, 2), trained or None)(*inputs)
    grads = [*found[0], *found[1]] if trained else [*found]
    for one, other in zip(grads, leaves, strict=True):
        close(one.asnumpy(), other.grad)


def test_products_of_any_size_are_counted():
    """And nothing of their size is made."""
    shape = (64, 100_000, 10_000)
    layer = Layer(Attention(2, bias="offset", partition="window", window=10_000), (shape,) * 3)
    assert layer.macs == 10**9 * 10**8 * 128
    whole = Layer(Attention(2), (shape,) * 3)
    assert whole.macs == 10**18 * 128


def test_a_window_as_large_as_the_map_is_none():
    shapes = ((4, 3, 5),) * 3
    assert Layer(Attention(2, partition="window", window=(3, 5)), shapes).meaning == Attention(2)
    assert Layer(Attention(2, scale=2**-0.5), shapes).meaning == Attention(2)
    assert Attention(2, key_heads=2, window=3, shift=1) == Attention(2)
