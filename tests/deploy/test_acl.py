"""The acl engine over a stand-in for pyACL that holds it to the manual's rules.

What these prove: the calls, their order, sizes, codes and clean-up, and numbers equal to running
the same ONNX directly. What they cannot prove: that a device loads an OM, its numbers or its times.
"""

from __future__ import annotations

import re
import struct
import subprocess
import sys
import threading
from contextlib import closing

import pytest

from archspec.compiler.model import Model
from archspec.compiler.pipeline import for_deployment
from archspec.compiler.weights.initialize import initialize
from archspec.errors import LackingError, SpecError, UsageError
from archspec.ops.activation import Act
from archspec.ops.conv import Conv
from archspec.ops.linear import Dense
from archspec.ops.merge import Add
from archspec.ops.pool import GlobalAvgPool
from archspec.ops.reshape import Flatten

np = pytest.importorskip("numpy")
pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from oracles import om_files  # noqa: E402
from oracles.networks import network  # noqa: E402
from stand_ins.fake_acl import CALLS, ENDINGS, NUMBER, FakeAcl, Misuse, write_model  # noqa: E402

from archspec.compiler.targets.onnx import to_onnx  # noqa: E402  (needs onnx)
from archspec.compiler.targets.onnx.model import serialize  # noqa: E402
from archspec.deploy.engine_table import ENGINES  # noqa: E402
from archspec.deploy.engines import Port, open_engine  # noqa: E402
from archspec.deploy.engines.acl import AclEngine  # noqa: E402
from archspec.deploy.engines.acl_codes import CODES, explain  # noqa: E402

SIDE = 12
BATCHES = (1, 4, 8)
UNKNOWN = 599_999
STAND_IN = b"ARCHSPEC-STANDIN-NOT-AN-OM\n{}"


def onnx_of(batch):
    """Two outputs: logits of a small network, and its features before they are pooled."""
    graph = network(
        (3, SIDE, SIDE),
        ("conv", Conv(8, 3, stride=2, padding=1, bias=True)),
        ("act", Act("relu")),
        ("again", Conv(8, 3, padding=1, bias=True)),
        ("sum", Add(), "act", "again"),
        ("pool", GlobalAvgPool()),
        ("flat", Flatten()),
        ("fc", Dense(5)),
        outputs={"logits": "fc", "features": "sum"},
    )
    model = for_deployment(Model(graph, initialize(graph, seed=3)))
    return serialize(to_onnx(model, batch=batch))


FIXED, ANY = onnx_of(4), onnx_of(None)


def directly(onnx, images):
    session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"image": images}), strict=True))


def images_of(count, seed=0):
    return np.random.default_rng(seed).standard_normal((count, 3, SIDE, SIDE), np.float32)


def assert_same(ours, theirs):
    assert [*ours] == [*theirs]
    for name, array in theirs.items():
        assert ours[name].dtype == array.dtype
        assert np.array_equal(ours[name], array), name


@pytest.fixture
def acl(monkeypatch):
    fake = FakeAcl()
    monkeypatch.setitem(sys.modules, "acl", fake)
    return fake


@pytest.fixture
def om(tmp_path):
    path = tmp_path / "net.om"
    write_model(path, FIXED)
    return path


@pytest.fixture
def dynamic_om(tmp_path):
    path = tmp_path / "dynamic.om"
    write_model(path, ANY, batches=BATCHES)
    return path


# Numbers.


def test_numbers_are_those_of_the_onnx(acl, om):
    with closing(open_engine("acl", om)) as engine:
        assert engine.name == "acl"
        assert engine.inputs == (Port("image", "float32", (4, 3, SIDE, SIDE)),)
        assert engine.outputs == (
            Port("logits", "float32", (4, 5)),
            Port("features", "float32", (4, 8, 6, 6)),
        )
        assert engine.metadata == {}
        for seed in range(3):
            images = images_of(4, seed)
            assert_same(engine.run({"image": images}), directly(FIXED, images))
            assert engine.device_seconds > 0
    acl.assert_all_given_back()
    assert (acl.trace.count("init"), acl.trace.count("finalize")) == (1, 1)


def test_images_need_not_be_contiguous(acl, om):
    images = images_of(4).transpose(0, 1, 3, 2)
    assert not images.flags.c_contiguous
    with closing(AclEngine(om)) as engine:
        assert_same(engine.run({"image": images}), directly(FIXED, np.ascontiguousarray(images)))
    acl.assert_all_given_back()


def test_results_are_one_s_own(acl, om):
    with closing(AclEngine(om)) as engine:
        first = engine.run({"image": images_of(4, 1)})
        kept = {name: array.copy() for name, array in first.items()}
        engine.run({"image": images_of(4, 2)})
    assert_same(first, kept)


@pytest.mark.parametrize("count", range(1, 9))
def test_a_dynamic_batch_runs_the_next_larger_one(acl, dynamic_om, count):
    with closing(AclEngine(dynamic_om)) as engine:
        assert engine.inputs == (Port("image", "float32", (None, 3, SIDE, SIDE)),)
        assert engine.outputs[0] == Port("logits", "float32", (None, 5))
        engine.run({"image": images_of(8, 9)})
        images = images_of(count)
        assert_same(engine.run({"image": images}), directly(ANY, images))
    acl.assert_all_given_back()


@pytest.mark.parametrize("count", [0, 9])
def test_a_batch_that_the_model_has_not_is_refused(acl, dynamic_om, count):
    with closing(AclEngine(dynamic_om)) as engine:
        with pytest.raises(UsageError) as caught:
            engine.run({"image": images_of(count)})
        assert str(caught.value) == (
            f"{dynamic_om} runs 1 to 8 images at a time (its batches: 1, 4, 8), as many in each"
            f" input; {count} were given"
        )
        assert_same(engine.run({"image": images_of(3)}), directly(ANY, images_of(3)))
    acl.assert_all_given_back()


def test_static_aipp_takes_pixels(acl, tmp_path):
    path = tmp_path / "aipp.om"
    mean, scale = [120.0, 110.0, 100.0], [0.02, 0.03, 0.04]
    aipp = {"top": 2, "left": 3, "side": SIDE, "mean": mean, "scale": scale}
    write_model(path, FIXED, aipp=aipp, pixels=16)
    pixels = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), np.uint8)
    cut = pixels[:, 2 : 2 + SIDE, 3 : 3 + SIDE].astype(np.float32)
    prepared = ((cut - np.float32(mean)) * np.float32(scale)).transpose(0, 3, 1, 2)
    with closing(AclEngine(path)) as engine:
        assert engine.inputs == (Port("image", "uint8", (4, 16, 16, 3)),)
        assert_same(engine.run({"image": pixels}), directly(FIXED, np.ascontiguousarray(prepared)))
    acl.assert_all_given_back()


def test_results_of_half_precision_stay_so(acl, tmp_path):
    path = tmp_path / "half.om"
    write_model(path, FIXED, output_dtype="float16")
    images = images_of(4)
    expected = {name: one.astype(np.float16) for name, one in directly(FIXED, images).items()}
    with closing(AclEngine(path)) as engine:
        assert {port.dtype for port in engine.outputs} == {"float16"}
        assert_same(engine.run({"image": images}), expected)


@pytest.mark.parametrize(
    "names, shown",
    [
        (["Gemm_98:0:logits"], ["logits"]),
        (["Gemm_98:0"], ["Gemm_98:0"]),
        (["logits"], ["logits"]),
        (["a/b:0:x:1", "c:12:y"], ["x:1", "y"]),
        (["a:0:same", "b:0:same"], ["a:0:same", "b:0:same"]),
    ],
)
def test_outputs_have_the_names_of_the_onnx(acl, tmp_path, names, shown):
    path = tmp_path / "names.om"
    outputs = [(name, "float32", [4, 5], "ND") for name in names]
    write_by_hand(path, [("image", "float32", [4, 3, SIDE, SIDE], "NCHW")], outputs)
    with closing(AclEngine(path)) as engine:
        assert [port.name for port in engine.outputs] == shown


def write_by_hand(path, inputs, outputs, **settings):
    definition = om_files.definition(inputs, outputs, **settings)
    parts = [(0, definition.SerializeToString()), (1, FIXED)]
    path.write_bytes(om_files.container(parts))


IMAGE = ("image", "float32", [4, 3, SIDE, SIDE], "NCHW")
LOGITS = ("a:0:logits", "float32", [4, 5], "ND")


# What is refused.


@pytest.mark.parametrize(
    "inputs, outputs, words",
    [
        (
            [IMAGE],
            [("a:0:logits", "bfloat16", [4, 5], "ND")],
            "its output 'a:0:logits' is of acl's data type 27, which numpy lacks; use float32, as"
            " archspec export asks atc for",
        ),
        ([], [LOGITS], "it has no input"),
        ([IMAGE], [], "it has no output"),
        (
            [IMAGE, ("ascend_dynamic_aipp_data", "uint8", [100], "ND")],
            [LOGITS],
            "its AIPP is dynamic; use a static one, as archspec export's",
        ),
        (
            [("image", "float32", [4, 3, -1, -1], "NCHW")],
            [LOGITS],
            "more than its batch may change when it runs; use a fixed batch, or --dynamic-batch",
        ),
        (
            [("image", "float32", [-1, 3, SIDE, SIDE], "NCHW")],
            [LOGITS],
            "more than its batch may change when it runs; use a fixed batch, or --dynamic-batch",
        ),
    ],
)
def test_a_model_that_cannot_be_served_is_refused(acl, tmp_path, inputs, outputs, words):
    path = tmp_path / "net.om"
    write_by_hand(path, inputs, outputs)
    with pytest.raises(SpecError) as caught:
        AclEngine(path)
    assert str(caught.value) == f"{path}: {words}"
    acl.assert_all_given_back()


def test_an_input_of_fewer_bytes_than_its_shape_is_refused(acl, tmp_path):
    """As of an AIPP that takes YUV420SP."""
    path = tmp_path / "yuv.om"
    definition = om_files.definition([("image", "uint8", [1, 16, 16, 3], "NHWC")], [LOGITS])
    definition.graph[0].op[0].input_desc[0].size = 16 * 16 * 3 // 2
    parts = [(0, definition.SerializeToString()), (1, FIXED)]
    path.write_bytes(om_files.container(parts))
    with pytest.raises(SpecError) as caught:
        AclEngine(path)
    assert str(caught.value) == (
        f"{path}: its input 'image' is uint8 1x16x16x3, which is 768 bytes, and has 384; use a"
        " fixed shape, and with AIPP images of RGB888_U8"
    )
    acl.assert_all_given_back()


@pytest.mark.parametrize(
    "content, words",
    [
        (
            STAND_IN,
            "a stand-in of archspec's tests, which no device can run; use what CANN's own"
            " atc writes",
        ),
        (b"", "it is empty"),
        (b"\x08\x07onnx", r"no offline model: it begins with b'\x08\x07on', not b'IMOD'"),
        (b"IMOD" + bytes(96), "cut short: it ends after 100 of the 256 bytes of its header"),
    ],
)
def test_what_is_no_om_never_comes_near_the_device(acl, tmp_path, content, words):
    path = tmp_path / "net.om"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        AclEngine(path)
    assert str(caught.value) == f"{path}: {words}"
    assert acl.trace == []


def test_a_file_cut_short_never_comes_near_the_device(acl, om):
    whole = om.read_bytes()
    om.write_bytes(whole[:-1])
    with pytest.raises(SpecError, match="it is cut short: "):
        AclEngine(om)
    assert acl.trace == []


def test_what_else_is_wrong_with_a_file_is_for_the_device_to_say(acl, om):
    raw = bytearray(om.read_bytes())
    struct.pack_into("<Q", raw, 256 + 8 + 24 + 8, 1)  # an offset, which devices do not read
    om.write_bytes(raw)
    with closing(AclEngine(om)) as engine:
        assert_same(engine.run({"image": images_of(4)}), directly(FIXED, images_of(4)))


def test_no_file_and_no_device(acl, tmp_path, om):
    with pytest.raises(UsageError) as caught:
        AclEngine(tmp_path / "nothing.om")
    assert str(caught.value) == (
        f"{tmp_path}/nothing.om: no such file or directory; use a file that atc wrote"
    )
    with pytest.raises(UsageError, match="there is no device -1; use 0, the first"):
        AclEngine(om, device=-1)
    assert acl.trace == []


@pytest.mark.parametrize(
    "arrays, words",
    [
        ({}, "the model's input 'image' is missing"),
        ({"image": images_of(3)}, "is float32 4x3x12x12, and float32 3x3x12x12 was given"),
        ({"image": images_of(4).astype("f8")}, "and float64 4x3x12x12 was given"),
        ({"image": images_of(4), "more": images_of(1)}, "the model has no input 'more'"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(acl, om, arrays, words):
    with closing(AclEngine(om)) as engine:
        calls = len(acl.trace)
        with pytest.raises(UsageError, match=re.escape(words)):
            engine.run(arrays)
        assert len(acl.trace) == calls
        assert_same(engine.run({"image": images_of(4)}), directly(FIXED, images_of(4)))
    acl.assert_all_given_back()


def test_a_closed_engine(acl, om):
    engine = AclEngine(om)
    engine.close()
    engine.close()
    acl.assert_all_given_back()
    with pytest.raises(UsageError, match="is closed; open it again"):
        engine.run({"image": images_of(4)})
    assert acl.trace.count("finalize") == 1


# Codes.


def use(path, images):
    """All that an engine does: open, run, close."""
    with closing(AclEngine(path)) as engine:
        engine.run({"image": images})


def calls_of(path, images):
    fake = FakeAcl()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "acl", fake)
        use(path, images)
    fake.assert_all_given_back()
    return fake.trace


@pytest.fixture(scope="module")
def two_models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    write_model(folder / "fixed.om", FIXED)
    write_model(folder / "dynamic.om", ANY, batches=BATCHES)
    return {
        kind: (folder / f"{kind}.om", calls_of(folder / f"{kind}.om", images_of(4)))
        for kind in ("fixed", "dynamic")
    }


def test_every_call_that_the_stand_in_has_is_made(two_models):
    """So that none of its rules goes untried, and each is among those that fail below."""
    made = {call for _, trace in two_models.values() for call in trace}
    assert made == set(CALLS)


@pytest.mark.parametrize("kind", ["fixed", "dynamic"])
def test_whichever_call_fails_it_is_named_and_nothing_is_left(monkeypatch, two_models, kind):
    path, trace = two_models[kind]
    for place, call in enumerate(trace):
        fake = FakeAcl()
        fake.fail_at(place, UNKNOWN)
        monkeypatch.setitem(sys.modules, "acl", fake)
        with pytest.raises((UsageError, SpecError)) as caught:
            use(path, images_of(4))
        message = str(caught.value)
        assert message.startswith(f"{path}: "), message
        if CALLS[call] is not NUMBER:
            assert f"acl.{call} gave {UNKNOWN} (an error inside CANN or the device)" in message
        fake.assert_all_given_back()
        assert fake.trace.count("finalize") == (call != "init"), call


@pytest.mark.parametrize("call", sorted(ENDINGS))
def test_what_fails_while_closing_keeps_nothing_else_open(acl, om, call):
    engine = AclEngine(om)
    acl.fail(call, 507899)
    with pytest.raises(UsageError) as caught:
        engine.close()
    assert str(caught.value) == (
        f"{om}: acl.{call} gave 507899 (an error inside the driver); use a driver of this CANN's"
        " release"
    )
    acl.assert_all_given_back()
    engine.close()


def test_a_run_that_failed_is_told_and_not_what_closing_says_after(acl, om):
    acl.fail("mdl.execute", 507015)
    for call in ENDINGS:
        acl.fail(call, 507010)
    with pytest.raises(UsageError, match=r"acl\.mdl\.execute gave 507015 \(an AI core failed\)"):
        use(om, images_of(4))
    acl.assert_all_given_back()


def test_an_engine_goes_on_after_a_run_that_failed(acl, om):
    with closing(AclEngine(om)) as engine:
        acl.fail("mdl.execute", 507014)
        with pytest.raises(UsageError, match="gave 507014"):
            engine.run({"image": images_of(4)})
        acl.fail("mdl.execute", 0)
        assert_same(engine.run({"image": images_of(4)}), directly(FIXED, images_of(4)))


@pytest.mark.parametrize(
    "call, code, kind, words",
    [
        (
            "rt.set_device", 107001, UsageError,
            "acl.rt.set_device gave 107001 (there is no device of this number); use a device that"
            " `npu-smi info` lists",
        ),
        (
            "mdl.load_from_file", 145006, SpecError,
            "acl.mdl.load_from_file gave 145006 (the model's size is invalid); the file is damaged"
            " or cut short; export it again",
        ),
        (
            "mdl.load_from_file", 545004, SpecError,
            "acl.mdl.load_from_file gave 545004 (the model's tasks cannot be loaded); it may be of"
            " another chip or of a newer CANN than this one (`archspec om inspect` says which);"
            " convert it with this CANN's atc",
        ),
        (
            "rt.malloc", 207001, UsageError,
            "acl.rt.malloc gave 207001 (memory cannot be allocated); use a smaller batch, or end"
            " what else runs on the device (`npu-smi info`)",
        ),
        (
            "init", 100002, UsageError,
            "acl.init gave 100002 (acl is started already, or the model loaded); something else in"
            " this process uses the device; use a process of its own",
        ),
        (
            "mdl.execute", 199999, UsageError,
            "acl.mdl.execute gave 199999 (the call or the environment is wrong); the logs in"
            " ~/ascend/log say more",
        ),
        (
            "mdl.execute", -1, UsageError,
            "acl.mdl.execute gave -1 (no meaning is known here); the logs in ~/ascend/log say more",
        ),
    ],
)  # fmt: skip
def test_codes_are_explained(acl, om, call, code, kind, words):
    acl.fail(call, code)
    with pytest.raises(kind) as caught:
        use(om, images_of(4))
    assert str(caught.value) == f"{om}: {words}"
    acl.assert_all_given_back()


def test_what_cann_says_of_it_is_told(acl, om):
    acl.message = "EE9999: Inner Error!\n  rtMalloc failed\n" + "x" * 1000
    acl.fail("rt.malloc", 207001)
    with pytest.raises(UsageError) as caught:
        AclEngine(om)
    assert '(memory cannot be allocated), saying "EE9999: Inner Error! rtMalloc failed xxx' in str(
        caught.value
    )
    assert len(str(caught.value)) < 700


def test_every_code_has_its_words():
    for code, (meaning, advice) in CODES.items():
        assert explain(code) == (meaning, advice)
        assert code // 100_000 in (1, 2, 5)
        assert meaning
        assert advice
        assert not (meaning + advice).endswith(".")


# Several engines, threads, the module.


def test_engines_share_acl_and_their_devices(acl, om, dynamic_om):
    first, second = AclEngine(om), AclEngine(dynamic_om, device=1)
    third = AclEngine(om)
    images = images_of(4)
    for engine, onnx in ((first, FIXED), (second, ANY), (third, FIXED), (first, FIXED)):
        assert_same(engine.run({"image": images}), directly(onnx, images))
    first.close()
    assert acl.trace.count("rt.reset_device") == 0
    assert_same(third.run({"image": images}), directly(FIXED, images))
    second.close()
    assert acl.trace.count("rt.reset_device") == 1
    third.close()
    acl.assert_all_given_back()
    counts = [acl.trace.count(call) for call in ("init", "rt.set_device", "finalize")]
    assert counts == [1, 2, 1]
    use(om, images)
    acl.assert_all_given_back()


def test_an_engine_that_failed_to_open_leaves_the_others(acl, om, tmp_path):
    first = AclEngine(om)
    acl.fail("mdl.load_from_file", 145003)
    with pytest.raises(UsageError, match="145003"):
        AclEngine(om)
    assert_same(first.run({"image": images_of(4)}), directly(FIXED, images_of(4)))
    first.close()
    acl.assert_all_given_back()


def in_a_thread(work):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_any_thread_may_run_and_any_may_close(acl, om):
    engine = AclEngine(om)
    found = []
    in_a_thread(lambda: found.append(engine.run({"image": images_of(4)})))
    in_a_thread(engine.close)
    assert_same(found[0], directly(FIXED, images_of(4)))
    acl.assert_all_given_back()


def test_only_a_stand_in_is_simulated(acl, om, monkeypatch):
    with closing(AclEngine(om)) as engine:
        assert engine.is_simulated is True
    monkeypatch.delattr(FakeAcl, "ARCHSPEC_STAND_IN")
    with closing(AclEngine(om)) as engine:
        assert engine.is_simulated is False


def test_without_cann(monkeypatch, om):
    monkeypatch.setitem(sys.modules, "acl", None)
    with pytest.raises(UsageError) as caught:
        AclEngine(om)
    assert re.fullmatch(
        r"the engine acl needs CANN and its Python module acl \(import of acl halted; None in"
        r" sys\.modules\); use `source /usr/local/Ascend/ascend-toolkit/set_env\.sh` \(from"
        r" CANN 8\.5"
        r" on `source /usr/local/Ascend/cann/set_env\.sh`\) in this shell",
        str(caught.value),
    )


def test_another_module_called_acl(monkeypatch, tmp_path, om):
    (tmp_path / "acl.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "acl", raising=False)
    with pytest.raises(
        LackingError, match=rf"the module acl is not CANN's but {tmp_path}/acl\.py; "
    ):
        AclEngine(om)
    del sys.modules["acl"]


def test_an_acl_too_old_for_a_call(acl, om):
    del acl.mdl.get_desc
    with pytest.raises(UsageError, match=r"this CANN's acl has no mdl\.get_desc; use a newer CANN"):
        AclEngine(om)
    acl.assert_all_given_back()


def test_the_engine_can_be_imported_without_cann():
    module, name, *_ = ENGINES["acl"]
    code = f"import sys, {module}; {module}.{name}; assert 'acl' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


# The stand-in itself: a rule that is not held proves nothing.


def test_the_stand_in_holds_its_rules(om):
    def ready():
        acl = FakeAcl()
        acl.init()
        acl.rt.set_device(0)
        acl.rt.create_context(0)
        return acl

    def breaks(acl, call, *arguments):
        room, _, name = call.rpartition(".")
        with pytest.raises(Misuse):
            getattr(getattr(acl, room) if room else acl, name)(*arguments)
        assert acl.misuses
        with pytest.raises(AssertionError):
            acl.assert_all_given_back()

    breaks(FakeAcl(), "rt.set_device", 0)
    breaks(FakeAcl(), "finalize")
    breaks(ready(), "finalize")
    breaks(ready(), "rt.reset_device", 0)
    breaks(ready(), "rt.reset_device", 1)
    breaks(ready(), "rt.create_context", 1)
    breaks(ready(), "rt.malloc", 0, 2)
    breaks(ready(), "rt.free", 4096)
    breaks(ready(), "mdl.unload", 7)
    breaks(ready(), "mdl.get_num_inputs", 7)
    acl = ready()
    breaks(acl, "mdl.get_num_inputs", acl.mdl.create_desc())
    acl = ready()
    memory, _ = acl.rt.malloc(8, 2)
    host = np.zeros(4, np.float32)
    breaks(acl, "rt.memcpy", memory, 16, host.ctypes.data, 16, 1)
    breaks(acl, "rt.memcpy", memory, 8, host.ctypes.data, 16, 1)
    breaks(acl, "rt.memcpy", host.ctypes.data, 16, memory, 16, 2)
    breaks(acl, "rt.memcpy", memory, 8, memory, 8, 1)
    breaks(acl, "create_data_buffer", memory, 16)
    buffer = acl.create_data_buffer(memory, 8)
    breaks(acl, "rt.free", memory)
    dataset = acl.mdl.create_dataset()
    acl.mdl.add_dataset_buffer(dataset, buffer)
    breaks(acl, "mdl.destroy_dataset", dataset)
    model, _ = acl.mdl.load_from_file(str(om))
    breaks(acl, "mdl.execute", model, dataset, dataset)
    acl.rt.destroy_context(acl._current.context)
    breaks(acl, "rt.malloc", 8, 2)
    acl = ready()
    memory, _ = acl.rt.malloc(8, 2)
    acl.rt.free(memory)
    breaks(acl, "rt.free", memory)


def test_the_stand_in_gives_the_code_of_a_length_that_lies(om):
    raw = bytearray(om.read_bytes())
    struct.pack_into("<Q", raw, 184, 5)
    om.write_bytes(raw)
    acl = FakeAcl()
    acl.init()
    acl.rt.set_device(0)
    acl.rt.create_context(0)
    assert acl.mdl.load_from_file(str(om)) == (0, 145006)
