"""A spec with its weights as a file that something else runs, checked before it takes its place.

    write_onnx(source, "net.onnx")          # for onnxruntime, and for atc
    write_mindir(source, "net.mindir")      # for MindSpore
    write_air(source, "net.air")            # by MindSpore on an Ascend device alone
    write_om(source, "net.om", "Ascend310") # by CANN's atc, from the ONNX

What is written is the deployment graph unless told otherwise; what it is held against is the spec's
own.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.compiler.agreement import TOLERANCE
from archspec.compiler.images.steps import Preprocessing, preprocessing_of
from archspec.compiler.model import Model
from archspec.compiler.pipeline import for_deployment
from archspec.deploy import aipp
from archspec.deploy.atc import SCRIPT, Conversion, convert, leave_kit
from archspec.deploy.cann import Toolkit, find_toolkit, has_npu, how_to_source, note_on_board
from archspec.deploy.checking import Comparison, check_mindir, check_onnx, told_when_slow
from archspec.deploy.description import remove_sidecar, write_sidecar
from archspec.deploy.lite_kit import put_lite
from archspec.deploy.socs import cautions, check_soc, chip_of
from archspec.errors import LackingError, UsageError
from archspec.writing import whole_file

if TYPE_CHECKING:
    from typing import IO

FEWEST_GEARS, MAX_GEARS = 2, 100
LOG = ".log"
KIT = "_om"


@dataclass(frozen=True)
class Source:
    """What is exported: the spec's graph with its weights, for `batch` images at a time, or for any
    number (None). `gears` are the numbers that an OM for any has to choose from. `notes` join what
    an ONNX says of its spec. `is_deployment` is False for the spec's own nodes, none folded;
    `tolerance` is that of `checking.compare`."""

    model: Model
    batch: int | None = 1
    gears: tuple[int, ...] = ()
    opset: int = 11
    notes: Mapping[str, str] = field(default_factory=dict)
    is_deployment: bool = True
    tolerance: float = TOLERANCE

    @property
    def written(self) -> Model:
        """What the file holds: the model after the passes for deployment, or as it is."""
        return for_deployment(self.model) if self.is_deployment else self.model


@dataclass(frozen=True)
class Om:
    """An OM that was made: for which chip, what it takes in words, how its ONNX compared, by which
    CANN, and where atc's words are."""

    soc: str
    takes: str
    comparison: Comparison | None
    toolkit: Toolkit
    log: Path


def write_onnx(source: Source, path: str | os.PathLike[str]) -> Comparison | None:
    """Write ONNX that onnxruntime has run; None where onnxruntime is missing. Raises SpecError
    where its numbers are not the spec's, UsageError where it cannot be written; no file is left."""
    with whole_file(path) as file:
        content, comparison = _checked_onnx(source)
        file.write(content)
    return comparison


def write_mindir(source: Source, path: str | os.PathLike[str]) -> Comparison:
    """Write MindIR that MindSpore has loaded and run, and what it was made of in PATH.json. Raises
    as `write_onnx` does."""
    from archspec.compiler.targets import mindspore

    with whole_file(path) as file, tempfile.TemporaryDirectory(prefix="archspec-mindir-") as folder:
        written = Path(folder) / "network.mindir"
        mindspore.write_mindir(source.written, written, source.batch)
        comparison = check_mindir(written, source.model, source.batch, source.tolerance)
        _copy(written, file)
        remove_sidecar(path)  # should it end here, no other network's is left
    write_sidecar(path, source.model.spec_graph, source.notes)
    return comparison


def write_air(source: Source, path: str | os.PathLike[str]) -> None:
    """Write AIR, which nothing on a host can run. Raises UsageError where this machine is not
    an Ascend or MindSpore refuses."""
    from archspec.compiler.targets.mindspore import set_device, to_cell
    from archspec.compiler.targets.mindspore.device import missing_for
    from archspec.compiler.targets.mindspore.installed import mindspore

    ms = mindspore()
    lacking = missing_for("Ascend")
    if lacking:
        raise LackingError(
            f"MindSpore writes AIR on an Ascend device alone, and {lacking} is missing here;"
            " use --format om, which needs CANN but no device"
        )
    if source.batch is None:
        raise UsageError("AIR has one batch size; use --batch N")
    set_device("Ascend")
    cell = to_cell(source.written).set_train(False)
    image = ms.ops.zeros((source.batch, *source.model.graph.input_shape), ms.float32)
    with whole_file(path) as file, tempfile.TemporaryDirectory(prefix="archspec-air-") as folder:
        written = Path(folder) / "network.air"
        try:
            ms.export(cell, image, file_name=str(written.with_suffix("")), file_format="AIR")
        except (RuntimeError, ValueError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise LackingError(
                f"MindSpore cannot write AIR here ({reason}); use --format om"
            ) from None
        _copy(written, file)


def write_om(
    source: Source,
    path: str | os.PathLike[str],
    soc: str | None,
    *,
    pixels: str | None = aipp.RGB,
    timeout: float | None = None,
) -> Om:
    """Write an OM for a chip, of an ONNX checked as by `write_onnx`, with what it was made of in
    PATH.json and all that atc says in PATH.log.

    Raises UsageError for a chip that is unknown, for preprocessing that AIPP has no room for, and
    where there is no atc: then a folder named after the path keeps all that a machine with CANN
    needs. Raises SpecError where atc fails or leaves no whole OM.
    """
    toolkit = find_toolkit(os.environ)
    soc = check_soc(soc, toolkit.socs if toolkit else ())
    for caution in cautions(soc, toolkit.version if toolkit else None):
        print(f"warning: {caution}", file=sys.stderr)
    target = Path(path)
    conversion = _conversion(source, target.stem, soc, pixels)
    log = target.with_name(target.name + LOG)
    with whole_file(path) as file:
        onnx, comparison = _checked_onnx(source)
        if toolkit is None:
            raise _without_atc(source, target, conversion, onnx)
        release = f"CANN {toolkit.release}" if toolkit.release else "CANN of unknown release"
        print(f"converting for {soc} by {toolkit.atc} ({release}), log in {log}", file=sys.stderr)
        slow = note_on_board(platform.machine(), has_npu())
        if slow:
            print(f"note: {slow}", file=sys.stderr)
        with convert(conversion, onnx, toolkit, log, timeout) as om:
            _copy(om, file)
        remove_sidecar(path)
    write_sidecar(path, source.model.spec_graph, source.notes)
    return Om(soc, input_of(source, pixels), comparison, toolkit, log)


def input_of(source: Source, pixels: str | None) -> str:
    """What an OM takes, in words."""
    batches = " or ".join(map(str, source.gears or (source.batch,)))
    if pixels is None:
        extents = "x".join(map(str, source.model.graph.input_shape))
        return f"float32 {batches}x{extents}, normalised"
    preprocessing = _preprocessing(source.model)
    shape = aipp.source_shape(preprocessing, aipp.check_pixels(pixels, preprocessing))
    kind = " NV12 (YUV420SP)" if pixels == aipp.YUV420SP else ""
    return f"uint8{kind} {batches}x{'x'.join(map(str, shape))}, resized only"


def _conversion(source: Source, name: str, soc: str, pixels: str | None) -> Conversion:
    if source.batch is None and not FEWEST_GEARS <= len(source.gears) <= MAX_GEARS:
        raise UsageError(
            f"an OM has {FEWEST_GEARS} to {MAX_GEARS} batch sizes to choose from, and"
            f" --dynamic-batch gives {len(source.gears)}; use --batch N for one"
        )
    text = "" if pixels is None else aipp.config(_preprocessing(source.model), pixels)
    return Conversion(name, soc, source.model.graph.input_shape, source.gears, text)


def _preprocessing(model: Model) -> Preprocessing:
    graph = model.spec_graph
    try:
        return preprocessing_of(graph.preprocessing, graph.input_shape)
    except UsageError as error:
        raise UsageError(f"{error}; use --no-aipp, with float input") from None


def _without_atc(source: Source, target: Path, conversion: Conversion, onnx: bytes) -> LackingError:
    chip = chip_of(conversion.soc)
    release = "" if chip is None else f" {chip.cann}"
    kit = target.with_name(target.stem + KIT)
    leave_kit(kit, conversion, onnx)
    image = conversion.image
    put_lite(kit, conversion.stem, conversion.soc, source.batch, image, bool(conversion.aipp))
    write_sidecar(kit / f"{conversion.stem}.om", source.model.spec_graph, source.notes)
    return LackingError(
        f"there is no atc here, so no OM was made; {kit} has all that it takes: where CANN{release}"
        f" is installed, {how_to_source()} and `bash {shlex.quote(str(kit / SCRIPT))}`"
    )


def _checked_onnx(source: Source) -> tuple[bytes, Comparison | None]:
    from archspec.compiler.targets.onnx.model import serialize, to_onnx

    with told_when_slow(f"writing {source.model.graph.name} as ONNX"):
        proto = to_onnx(source.written, opset=source.opset, batch=source.batch, notes=source.notes)
        content = serialize(proto)
    comparison = check_onnx(
        content, source.model, source.batch, source.tolerance, written=source.written
    )
    return content, comparison


def _copy(written: Path, file: IO[bytes]) -> None:
    with written.open("rb") as content:
        shutil.copyfileobj(content, file)
