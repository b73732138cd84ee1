"""What estimates and calibrations say, arranged for people and for programs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archspec.compiler.latency.calibrate import Fitted, Refit
from archspec.compiler.latency.device import Calibration, Device
from archspec.compiler.latency.measurements import Measurement, published_for
from archspec.compiler.latency.model import Estimate, NodeTime, estimate
from archspec.compiler.latency.validity import Caution, cautions, int8_caution
from archspec.compiler.pipeline import for_deployment
from archspec.graph import Graph
from archspec.report import Timing, shown_ms
from archspec.shapes import written
from archspec.tables import Column, Table, shown_amount, shown_share


@dataclass(frozen=True)
class Told:
    """The estimate of a network with what goes with it: its cautions, and what was published."""

    network: Graph
    estimate: Estimate
    cautions: Sequence[Caution]
    published: Measurement | None
    is_int8: bool = False

    @property
    def off(self) -> float | None:
        """The estimate over (+) or under (-) the published time, as a share of it."""
        if self.published is None:
            return None
        return self.estimate.ms_per_image / self.published.ms_per_image - 1


def tell(
    graph: Graph,
    device: Device,
    batch: int,
    int8_layers: Callable[[Graph], Collection[str]] | None = None,
) -> Told:
    """The estimate of a network as it is deployed, with the layers in int8 that are chosen of it.
    Raises SpecError where some are wanted and the device has no int8."""
    deployed = for_deployment(graph).graph
    if int8_layers is not None:
        warned = (int8_caution(device), *cautions(deployed, device, batch))
        found = estimate(deployed, device, batch, int8_layers(deployed))
        return Told(graph, found, warned, None, True)
    return Told(
        graph,
        estimate(deployed, device, batch),
        cautions(deployed, device, batch),
        published_for(graph, device.name, batch),
    )


def timing_of(graph: Graph, device: Device, batch: int, by: str) -> Timing:
    """The estimate of a network as archspec.report takes it, by the rows of its own graph: "node",
    "block" or "op"."""
    told = tell(graph, device, batch)
    rows = fold_rows(told.estimate, by)
    return Timing(
        device.name,
        {row.name: row.ms for row in rows},
        grounds(device, told.cautions, told.is_int8),
        [caution._asdict() for caution in told.cautions],
    )


def fold_rows(found: Estimate, by: str) -> tuple[NodeTime, ...]:
    """The rows of an estimate by "node", "block" or "op", the latter with the longest first."""
    if by == "block":
        return found.fold(lambda row: row.name.partition(".")[0])
    if by == "op":
        return tuple(sorted(found.fold(lambda row: row.op), key=lambda row: -row.ms))
    return found.rows


def estimate_as_json(told: Told, by: str = "node") -> dict[str, Any]:
    """An estimate as a JSON object: times in milliseconds, those of layers for the whole batch."""
    found = told.estimate
    return {
        "name": told.network.name,
        "fingerprint": told.network.fingerprint,
        "input": list(told.network.input_shape),
        "device": found.device.name,
        "batch": found.batch,
        "is_estimate": True,
        "is_int8": told.is_int8,
        "is_calibrated": found.device.calibration is not None and not told.is_int8,
        "ms_per_batch": found.ms,
        "ms_per_image": found.ms_per_image,
        "images_per_second": found.images_per_second,
        "ms_by_bound": dict(found.parts),
        "macs": found.macs,
        "cube_use": found.cube_use,
        "published_ms_per_image": told.published.ms_per_image if told.published else None,
        "cautions": [caution._asdict() for caution in told.cautions],
        "layers": [_row_values(row, found) for row in fold_rows(found, by)],
    }


def estimate_table(told: Told, by: str = "node") -> Table:
    """One network, a row per node, block or op that takes time, with totals below."""
    found = told.estimate
    columns = [
        Column("name", by),
        *([Column("op", "op", is_data=True)] if by == "node" else []),
        *([Column("nodes", "kernels", is_number=True)] if by != "node" else []),
        *([Column("output", "output", written, True)] if by != "op" else []),
        Column("macs", "MACs", lambda macs: shown_amount(macs) if macs else "", True),
        Column("cube_ms", "cube", shown_ms, True),
        Column("vector_ms", "vector", shown_ms, True, is_data=True),
        Column("memory_ms", "memory", shown_ms, True),
        Column("launch_ms", "launch", shown_ms, True),
        Column("ms", "ms", shown_ms, True),
        Column("share", "share", shown_share, True),
        Column("bound_by", "bound"),
        Column("cube_use", "use", shown_share, True),
    ]
    rows = [_row_values(row, found) for row in fold_rows(found, by)]
    return Table(
        columns,
        rows,
        title_of(found, told.is_int8),
        [*_totals(told), *grounds(found.device, told.cautions, told.is_int8)],
    )


def comparison_table(all_told: Sequence[Told]) -> Table:
    """Several networks on one device, a row each, beside what was published of them."""
    columns = [
        Column("name", "network"),
        Column("input", "input", written, True),
        Column("macs", "MACs", shown_amount, True),
        Column("ms_per_batch", "ms a batch", lambda ms: f"{ms:.2f}", True),
        Column("ms_per_image", "ms an image", lambda ms: f"{ms:.3f}", True),
        Column("published_ms_per_image", "published", lambda ms: f"{ms:g}", True),
        Column("off", "off", _shown_off, True),
        Column("bound_by", "mostly"),
        Column("cube_use", "cube use", shown_share, True),
    ]
    rows: list[Mapping[str, Any]] = []
    for told in all_told:
        found = told.estimate
        rows.append(
            {
                "name": told.network.name,
                "input": told.network.input_shape,
                "macs": found.macs // found.batch,
                "ms_per_batch": found.ms,
                "ms_per_image": found.ms_per_image,
                "published_ms_per_image": told.published and told.published.ms_per_image,
                "off": told.off,
                "bound_by": max(found.parts, key=found.parts.__getitem__),
                "cube_use": found.cube_use,
            }
        )
    first = all_told[0].estimate
    warned = [
        f"caution      {told.network.name}: {caution.text}"
        for told in all_told
        for caution in told.cautions
    ]
    is_int8 = all_told[0].is_int8
    int8 = ", int8" if is_int8 else ""
    title = f"estimates on {first.device.name}, batch {first.batch}{int8}"
    return Table(columns, rows, title, [*grounds(first.device, (), is_int8), *warned])


def grounds(device: Device, warned: Sequence[Caution], is_int8: bool = False) -> list[str]:
    """Lines below a table: what stands behind its estimates and what does not."""
    lines = [f"device       {device.title}"]
    calibration = device.calibration
    if calibration is not None:
        line = f"calibrated   {'in fp16, ' if is_int8 else ''}on {_networks(calibration)}"
        if calibration.left_out_mean_error is not None:
            line += (
                f"; each, left out of the fit, comes within {calibration.left_out_max_error:.1%},"
                f" {calibration.left_out_mean_error:.1%} on average"
            )
        lines.append(line)
    return [*lines, *(f"caution      {caution.text}" for caution in warned)]


def _networks(calibration: Calibration) -> str:
    return f"{calibration.networks} network{'' if calibration.networks == 1 else 's'}"


def devices_table(devices: Sequence[Device]) -> Table:
    columns = [
        Column("name", "name"),
        Column("title", "title", is_data=True),
        Column("cores", "cores", is_number=True),
        Column("megahertz", "MHz", lambda value: f"{value:g}", True),
        Column("teraflops", "TFLOPS", lambda value: f"{value:.1f}", True),
        Column("int8_tops", "int8 TOPS", lambda value: f"{value:g}", True),
        Column("gigabytes_per_second", "GB/s", lambda value: f"{value:g}", True),
        Column("efficiency", "efficiency", lambda value: f"{value:.3f}", True),
        Column("launch_us", "launch us", lambda value: f"{value:.1f}", True),
        Column("calibrated", "calibrated on"),
    ]
    rows = [
        {
            **vars(device),
            "teraflops": 2e-12 * device.macs_per_second,
            "calibrated": _networks(device.calibration) if device.calibration else "nothing",
        }
        for device in devices
    ]
    notes = [
        "TFLOPS in fp16, TOPS in int8 and GB/s are data sheets'; what is calibrated on nothing has"
        " the efficiency and the launch of ascend310, and nothing is calibrated in int8"
    ]
    return Table(columns, rows, notes=notes)


def refit_as_json(refit: Refit) -> dict[str, Any]:
    """A calibration as a JSON object: errors as shares of the measured times."""
    return {
        "device": refit.device.as_json(),
        "rows": [_fitted_values(row) for row in refit.rows],
        "left_out": {
            name: {"efficiency": efficiency, "launch_us": launch_us}
            for name, (efficiency, launch_us) in refit.left_out.items()
        },
        "misordered": refit.misordered,
    }


def refit_table(refit: Refit) -> Table:
    """The measurements a device was fitted to, and how well each is met and predicted."""
    columns = [
        Column("name", "network"),
        Column("batch", "batch", is_number=True),
        Column("measured", "measured", shown_ms, True),
        Column("fitted", "fitted", shown_ms, True),
        Column("error", "off", _shown_off, True),
        Column("left_out", "left out", shown_ms, True),
        Column("left_out_error", "off", _shown_off, True),
    ]
    rows = [_fitted_values(row) for row in refit.rows]
    return Table(columns, rows, "ms an image", _refit_notes(refit))


def title_of(found: Estimate, is_int8: bool = False) -> str:
    """What stands above a table of an estimate."""
    int8 = ", int8" if is_int8 else ""
    return f"{found.graph.name} on {found.device.name}, batch {found.batch}{int8}: an estimate"


def _row_values(row: NodeTime, found: Estimate) -> dict[str, Any]:
    return {
        **row._asdict(),
        "share": row.ms / found.ms,
        "cube_use": found.device.cube_use(row.macs, row.ms, row.int8_macs),
    }


def _totals(told: Told) -> list[str]:
    found = told.estimate
    parts = " + ".join(f"{ms:.2f} {bound}" for bound, ms in found.parts.items() if ms)
    lines = [
        f"time         {found.ms:.2f} ms a batch, {found.ms_per_image:.3f} ms an image,"
        f" {found.images_per_second:,.0f} images a second",
        f"due to       {parts} ms a batch",
        f"cube         {found.cube_use:.1%} of its peak in use;"
        f" {shown_amount(found.macs)} MACs a batch",
        f"nodes        {len(found.rows)} of {len(found.graph.nodes)} take time; the others are done"
        " by them or do nothing",
    ]
    if told.published is not None:
        lines.append(
            f"published    {told.published.ms_per_image:g} ms an image, from which the estimate is"
            f" {_shown_off(told.off)} off ({told.published.source})"
        )
    return lines


def _fitted_values(row: Fitted) -> dict[str, Any]:
    batch = row.measurement.batch
    return {
        "name": row.measurement.name,
        "spec": row.measurement.spec,
        "batch": batch,
        "measured": row.measurement.ms_per_image,
        "fitted": row.ms / batch,
        "error": row.error,
        "left_out": None if row.left_out_ms is None else row.left_out_ms / batch,
        "left_out_error": row.left_out_error,
    }


def _refit_notes(refit: Refit) -> list[str]:
    device, calibration = refit.device, refit.device.calibration
    assert calibration is not None
    notes = [
        f"efficiency   {device.efficiency:.4f} of the cube's rate{_span(refit, 0, '.3f')}",
        f"launch       {device.launch_us:.2f} us a kernel{_span(refit, 1, '.1f')}",
        f"off          {calibration.mean_error:.1%} on average",
    ]
    if calibration.left_out_mean_error is None:
        notes.append("left out     too few networks to fit without each of them")
    else:
        pairs = len(refit.rows) * (len(refit.rows) - 1) // 2
        notes += [
            f"left out     {calibration.left_out_mean_error:.1%} on average,"
            f" {calibration.left_out_max_error:.1%} at most",
            f"order        {len(refit.misordered)} of {pairs} pairs the wrong way round, left out",
        ]
    if device.efficiency > 0.999:
        notes.append(
            "caution      the efficiency is at its limit of 1: these times are less than the data"
            " sheet allows, or not of the batch they are said to be"
        )
    return notes


def _span(refit: Refit, index: int, form: str) -> str:
    values = [constants[index] for constants in refit.left_out.values()]
    if not values:
        return ""
    return f" ({min(values):{form}} to {max(values):{form}} with one network left out)"


def _shown_off(share: float | None) -> str:
    return "" if share is None else f"{share:+.1%}"
