"""The walk over a body's nodes: sequences, copies, residuals, branches and options."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from archspec import syntax
from archspec.calls import Calls
from archspec.copies import arguments_of, holds, is_steady, join_of, rows_of
from archspec.errors import MAX_PROBLEMS, Problem, SpecError
from archspec.feeding import Feed, feed_lane, inputs_of_next, need_feed, sources_of
from archspec.fragment import Ref
from archspec.limits import MAX_STEPS, Steps, too_many_steps
from archspec.observer import Observer
from archspec.scope import Body, Results, Slot, results_of
from archspec.shapes import Shapes
from archspec.syntax import (
    INDEX,
    LANE,
    NOTHING,
    Arguments,
    Branches,
    Call,
    Choice,
    Decision,
    Group,
    Modifiers,
    Residual,
)


class Walk:
    """The walk of one expansion, through the bodies of all its templates."""

    def __init__(
        self,
        calls: Calls,
        settle: Callable[[Decision, str], int],
        observer: Observer | None,
        steps: Steps,
    ):
        self._calls = calls
        self._settle = settle
        self._observer = observer
        self._steps = steps

    def expand(self, body: Body, node: syntax.Node, current: Slot | None) -> Slot | None:
        """Put a node into the body, after the current result. The result is the next one, None
        where there are several. Raises SpecError."""
        if isinstance(node, syntax.Sequence):
            for child in node.nodes:
                current = self.expand(body, child, current)
                if body.until is not None and body.is_cut:
                    break
            return current
        path = body.claim(node)
        if node.copies is not None:
            return self._copies(body, node, path, current)
        body.here = path
        inputs = sources_of(body, node, current)
        arguments = node.arguments if isinstance(node, Call) else {}
        return _single(self._copy(body, node, path, inputs, arguments, None))

    def _copies(self, body: Body, node: Modifiers, path: str, current: Slot | None) -> Slot | None:
        observer = self._observer
        if observer is not None:
            observer.enter(body, node, f"{self._calls.prefix}{path}")
        assert node.copies is not None
        place = self._side_by_side if node.copies.are_lanes else self._in_sequence
        body.here = path
        results = place(body, node, path, current)
        if node.name is not None:
            body.results[path] = results
        single = _single(results)
        if observer is not None:
            is_met = node.name is not None or single is not None
            observer.leave(body, results.refs if is_met else ())
        return single

    def _side_by_side(
        self, body: Body, node: Modifiers, path: str, current: Slot | None
    ) -> Results:
        """Expand copies that each take what the node takes, of a list each its own. The result is
        the list of theirs, or what the join makes of it."""
        copies = node.copies
        assert copies is not None
        rows = rows_of(copies, body)
        base = node.arguments if isinstance(node, Call) else {}
        outer = body.names.get(LANE)
        lanes: list[Ref] = []
        for lane in range(len(rows)):
            body.names[LANE] = lane
            name = body.copy_name(path, lane + 1, node)
            feed = sources_of(body, node, current)
            feed = feed and feed_lane(body, node, feed, lane, len(rows))
            arguments = arguments_of(copies, base, rows, lane)
            result = _single(self._copy(body, node, name, feed, arguments, lane))
            if not isinstance(result, int):
                raise node.at.error(
                    "each of the copies beside each other must end in one result, and"
                    f" {name.removeprefix(body.prefix)} ends in several"
                )
            lanes.append(result)
        body.names.pop(LANE, None)
        if outer is not None:
            body.names[LANE] = outer
        join = NOTHING if copies.join is None else join_of(copies.join, body)
        if join == NOTHING:
            return Results(tuple(lanes), (), (len(lanes),))
        if len(lanes) == 1:
            return Results((lanes[0],))  # which has nothing to be joined with
        return self._join(body, node, join, tuple(lanes))

    def _in_sequence(self, body: Body, node: Modifiers, path: str, current: Slot | None) -> Results:
        """Expand the copies, each fed by the one before it. The results are the last copy's."""
        inputs = sources_of(body, node, current)
        copies = node.copies
        assert copies is not None
        rows = rows_of(copies, body)
        base = node.arguments if isinstance(node, Call) else {}
        results = results_of(inputs or ())
        outer_index = body.names.get(INDEX)
        can_be_steady = body.until is None and is_steady(body, node)
        steady: Shapes | None = None
        last = len(rows) - 1
        index = 0
        while index <= last:
            if index > 0:
                inputs = inputs_of_next(body, node, results) if results.names else results.slots
            arguments = arguments_of(copies, base, rows, index)
            refs = results.refs if results.counts is None else None
            if arguments is base and steady is not None and steady == body.shapes(refs):
                is_level = copies.repeat is not None and body.items[-1].part.output_shapes == steady
                stop = last + (not copies.last) if is_level else index + 1
                self._steps.taken += stop - index
                results = body.append_again(node, path, index, stop)
                index = stop
                continue
            body.names[INDEX] = index
            name = body.copy_name(path, index + 1, node)
            placed = len(body.items)
            is_plain = can_be_steady and arguments is base and refs is not None
            shapes = body.shapes(refs) if is_plain else None
            results = self._copy(body, node, name, inputs, arguments, index)
            is_one = len(body.items) == placed + 1 and not body.items[-1].part.exposed
            is_plain = results.counts is None and not results.names
            steady = shapes if is_one and is_plain else None
            index += 1
            if body.until is not None and body.is_cut:
                break
        body.names.pop(INDEX, None)
        if outer_index is not None:
            body.names[INDEX] = outer_index
        return results

    def _copy(
        self,
        body: Body,
        node: Modifiers,
        path: str,
        inputs: Feed | None,
        arguments: Arguments,
        index: int | None,
    ) -> Results:
        """Expand one copy of a node and remember its results under its name."""
        steps = self._steps
        steps.taken += 1
        if steps.taken > MAX_STEPS:
            raise too_many_steps(node)
        observer = self._observer
        if observer is not None:
            observer.enter(body, node, f"{self._calls.prefix}{path}")
        body.here = path
        if node.when is not None and not holds(node.when, body):
            results = results_of(need_feed(node, inputs))
        elif isinstance(node, Call):
            results = self._calls.place(body, node, path, inputs, arguments, index)
        else:
            ref = need_feed(node, inputs)[0]
            if node.name is None and node.copies is None:
                results = self._structure(body, node, path, ref)
            else:
                with body.scope(path):
                    results = self._structure(body, node, path, ref)
        body.results[path] = results
        if observer is not None:
            observer.leave(body, results.refs)
        return results

    def _structure(self, body: Body, node: Modifiers, path: str, ref: Slot) -> Results:
        if isinstance(node, Group):
            return _results(self.expand(body, node.body, ref))
        if isinstance(node, Residual):
            return self._residual(body, node, ref)
        if isinstance(node, Branches):
            return self._branches(body, node, ref)
        assert isinstance(node, Choice)
        chosen = self._settle(node.decision, path)
        with body.scope(f"{path}.option{chosen + 1}"):
            return _results(self.expand(body, node.options[chosen], ref))

    def _residual(self, body: Body, node: Residual, ref: Slot) -> Results:
        join = join_of(node.join, body)
        paths: list[tuple[str | None, syntax.Node]] = [(None, node.body)]
        if join != NOTHING:
            shortcut = node.shortcut or syntax.Sequence(node.at, ())
            paths.append(("shortcut", shortcut))
        streams = self._paths(body, paths, ref)
        if join == NOTHING:
            return Results((streams[0],))
        return self._join(body, node, join, streams)

    def _branches(self, body: Body, node: Branches, ref: Slot) -> Results:
        join = join_of(node.join, body)
        streams = self._paths(body, node.branches, ref)
        if join == NOTHING:
            names = tuple(name for name, _ in node.branches)
            return Results(streams, names)
        return self._join(body, node, join, streams)

    def _paths(
        self, body: Body, paths: Sequence[tuple[str | None, syntax.Node]], ref: Slot
    ) -> tuple[Ref, ...]:
        """Expand paths that start from one result, and gather the problems of all of them."""
        streams: list[Ref] = []
        problems: list[Problem] = []
        for name, child in paths:
            try:
                streams.append(self._path_of(body, name, child, ref))
            except SpecError as error:
                problems += error.problems
            if len(problems) > MAX_PROBLEMS:
                break
        if problems:
            raise SpecError(problems)
        return tuple(streams)

    def _path_of(self, body: Body, name: str | None, child: syntax.Node, ref: Slot) -> Ref:
        """Expand one path, in a scope of its own where it has a name and holds anything."""
        if name is None:
            return self._end_of_path(child, self.expand(body, child, ref))
        scope = body.ordinal(body.prefix + name)
        with body.scope(scope):
            result = self._end_of_path(child, self.expand(body, child, ref))
        body.results[scope] = Results((result,))
        return result

    def _end_of_path(self, child: syntax.Node, result: Slot | None) -> Ref:
        if not isinstance(result, int):
            raise child.at.error("this path must end in one result, and it ends in several")
        return result

    def _join(self, body: Body, node: Modifiers, join: str, streams: tuple[Ref, ...]) -> Results:
        name = body.ordinal(body.prefix + join)
        return self._calls.place_op(body, node, name, join, {}, {}, streams, None)


def _single(results: Results) -> Slot | None:
    if results.counts is None:
        return results.refs[0] if len(results.refs) == 1 else None
    return results.slots[0] if len(results.counts) == 1 else None


def _results(slot: Slot | None) -> Results:
    return Results(()) if slot is None else results_of((slot,))
