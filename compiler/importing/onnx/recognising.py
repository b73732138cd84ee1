"""A Net as ops of ours with their weights, or all that cannot be said of it."""

from __future__ import annotations

from collections.abc import Hashable

from archspec.compiler.importing.onnx.drafts import Draft, Plan, Result
from archspec.compiler.importing.onnx.functions import name_functions
from archspec.compiler.importing.onnx.laying import lay_image, lay_vector
from archspec.compiler.importing.onnx.net import Net, Operator
from archspec.compiler.importing.onnx.operators import SAYS
from archspec.compiler.importing.onnx.patterns import name_patterns
from archspec.compiler.importing.onnx.rewriting import drop_repeats, join_slices
from archspec.compiler.importing.onnx.site import Site
from archspec.compiler.importing.onnx.tidying import join_sums, tidy
from archspec.compiler.importing.onnx.views import Atom, Unsaid, View, fresh, has_batch
from archspec.errors import Problem, SpecError
from archspec.ops.learnt import Param


def recognise(net: Net, path: str) -> Plan:
    """Raises SpecError with every node that no op says."""
    drop_repeats(net)
    name_patterns(net)
    join_slices(net)
    name_functions(net)
    batch = Atom(net.batch, is_batch=True)
    _, *extents = net.shapes[net.input]
    image = Result(None, 0, tuple(extents))
    views = {net.input: fresh(image, batch)}
    drafts: list[Draft] = []
    problems: list[Problem] = []
    arranged: dict[Hashable, Result] = {}
    for operator in net.operators:
        site = Site(net, operator, views, drafts, batch, arranged)
        try:
            said = _say(site)
        except Unsaid as why:
            problems.append(Problem(f"{_describe(operator)} {why}", path))
            said = [_stand_in(net, value, batch) for value in operator.outputs]
        else:
            drafts += site.written
        merged = [view.merge_atoms() for view in said]
        views.update(zip(operator.outputs, merged, strict=False))
    if problems:
        raise SpecError(problems)
    plan = Plan(drafts, image, [])
    for name in net.outputs:
        site = Site(net, Operator("result", name, [name], []), views, drafts, batch)
        try:
            plan.outputs.append(_laid(site, views[name]))
        except Unsaid as why:
            raise SpecError(Problem(f"the result {name} {why}", path)) from None
        drafts += site.written
    tidy(plan)
    if not net.is_ours:  # whose own files come back as they were written
        join_sums(plan)
    return plan


def _say(site: Site) -> list[View]:
    say = SAYS.get(site.operator.kind)
    if say is None:
        raise Unsaid("is an operator that no op of archspec is")
    try:
        return say(site)
    except (AssertionError, KeyError, ValueError, IndexError, TypeError) as error:
        if isinstance(error, AssertionError):
            raise
        raise Unsaid(f"has attributes that cannot be read ({str(error)[:100]})") from None


def _describe(operator: Operator) -> str:
    return f"{operator.name[:120]} ({operator.kind})"


def _stand_in(net: Net, value: str, batch: Atom) -> View:
    """For what could not be said, so that what reads it is looked at all the same."""
    shape = net.shapes[value]
    axes = tuple((Atom(extent),) if extent > 1 else () for extent in shape[1:])
    flat = tuple(atom for axis in axes for atom in axis)
    base = axes if len(axes) == 3 else (flat,)
    extents = tuple(shape[1:]) if len(axes) == 3 else (max(1, _product(shape[1:])),)
    return View(Result(Draft(Param(extents), []), 0, extents), base, ((batch,), *axes))


def _product(extents: tuple[int, ...]) -> int:
    count = 1
    for extent in extents:
        count *= extent
    return count


def _laid(site: Site, view: View) -> Result:
    """What a result of the file is, as a map or a vector whose numbers come in the file's order."""
    rank = len(view.axes)
    if rank < 1 or not has_batch(view.axes[0]):
        raise Unsaid("has no batch")
    if rank == 4:
        return lay_image(view, site).result
    if rank == 2:
        return lay_vector(view, site).result
    if rank == 3:
        return lay_image(View(view.result, view.base, (*view.axes, ())), site).result
    raise Unsaid(f"has {rank} axes; results are maps or vectors")
