"""Augmentations by Pillow against slices and formulas in numpy, against torchvision and MindSpore
where they are, and what they draw against what is written of it."""

import colorsys
import itertools
import re
from ast import literal_eval
from collections import Counter
from functools import partial

import hypothesis
import pytest
from hypothesis import strategies as st

np = pytest.importorskip("numpy")

from PIL import Image  # noqa: E402 (needs numpy here)

from archspec.compiler.images.steps import preprocessing_of  # noqa: E402
from archspec.errors import UsageError  # noqa: E402
from archspec.training import augment_operations as ops  # noqa: E402
from archspec.training import augmenting  # noqa: E402
from archspec.training.augment_policies import BINS, POLICIES  # noqa: E402
from archspec.training.augmentations import AUGMENTATIONS as OF_RECIPES  # noqa: E402
from archspec.training.augmenting import AUGMENTATIONS, augmentations  # noqa: E402
from archspec.training.data.pipeline import generator  # noqa: E402
from archspec.training.sizing import SIZINGS  # noqa: E402

SETTINGS = {
    "random_crop": {"padding": 2},
    "horizontal_flip": 0.5,
    "vertical_flip": 0.5,
    "color_jitter": {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1},
    "rand_augment": {"ops": 2, "magnitude": 9, "bins": 31},
    "auto_augment": "imagenet",
    "trivial_augment": 31,
}
FACTORS = (0.0, 0.3, 1.0, 1.7)
MODES = st.sampled_from(["L", "RGB"])


def network(height: int, width: int, channels: int = 3):
    shape = [channels, height, width]
    return preprocessing_of({"shape": shape}, tuple(shape))


def picture(seed: int, width: int = 9, height: int = 7, mode: str = "RGB") -> Image.Image:
    """Noise, of colors that are not all of full range."""
    noise = np.random.default_rng(seed).integers(20, 230, (height, width, 3), np.uint8)
    return Image.fromarray(noise).convert(mode)


def pixels(image: Image.Image) -> np.ndarray:
    """Of an image, (height, width, channels), wide enough to reckon with."""
    array = np.asarray(image).astype(int)
    return array if array.ndim == 3 else array[..., None]


def applied(name: str, settings, image: Image.Image, *key: int) -> Image.Image:
    """By an augmentation for a network of the image's size."""
    to = network(image.height, image.width)
    return AUGMENTATIONS[name](settings, to)(image, partial(generator, *key))


def farthest(one, other) -> float:
    return np.abs(np.asarray(one, float) - np.asarray(other, float)).max()


# --- the chain ------------------------------------------------------------------------------------


def test_there_is_an_augmentation_for_each_of_a_recipe():
    assert {*SIZINGS, *AUGMENTATIONS, *augmenting.ON_BATCHES} == set(OF_RECIPES)
    assert SETTINGS.keys() == AUGMENTATIONS.keys()


def test_without_a_size_of_its_own_an_image_has_that_of_evaluation_first():
    flip, erase = {"horizontal_flip": 1.0}, {"random_erasing": 0.5}
    size, mirror = augmentations([flip, erase], network(4, 6))
    sized = size(picture(0), partial(generator, 0))
    assert sized.size == (6, 4)
    assert np.array_equal(pixels(mirror(sized, partial(generator, 0))), pixels(sized)[:, ::-1])
    assert [a.__qualname__ for a in augmentations([], network(4, 6))] == [size.__qualname__]


def test_entries_are_in_the_order_of_the_recipe():
    chain = augmentations([{"horizontal_flip": 1.0}, {"resize": [3, 5]}], network(3, 5))
    image = picture(1)
    for change in chain:
        image = change(image, partial(generator, 0))
    mirror = picture(1).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert np.array_equal(image, mirror.resize((5, 3), Image.Resampling.BILINEAR))


def test_an_unknown_name_is_told():
    with pytest.raises(UsageError) as error:
        augmentations([{"auto_argument": "imagenet"}], network(3, 5))
    assert str(error.value) == (
        "there is no augmentation 'auto_argument'; did you mean 'auto_augment'?"
    )


@pytest.mark.parametrize("name", SETTINGS)
def test_equal_keys_draw_alike_and_others_otherwise(name):
    images = [picture(3, 16, 16)] * 40
    once, again, other = (
        [applied(name, SETTINGS[name], image, key, k).tobytes() for k, image in enumerate(images)]
        for key in (1, 1, 2)
    )
    assert once == again != other
    assert len(set(once)) > 1


@hypothesis.given(
    st.builds(picture, st.integers(0, 9), st.integers(1, 9), st.integers(1, 9), MODES),
    st.integers(0, 9),
)
def test_augmentations_keep_the_form(image, key):
    before = image.tobytes()
    for name, settings in SETTINGS.items():
        result = applied(name, settings, image, key)
        assert (result.mode, result.size) == (image.mode, image.size), name
    assert image.tobytes() == before


@hypothesis.given(
    st.builds(picture, st.integers(0, 9), st.integers(1, 9), st.integers(1, 9), MODES),
    st.sampled_from([ops.NARROW, ops.WIDE]),
    st.sampled_from([(0, 1), (0, 4), (2, 4), (3, 4)]),
    st.booleans(),
)
def test_operations_keep_the_form(image, space, magnitude, is_negative):
    before = image.tobytes()
    for name, operation in space.items():
        result = operation(image, *magnitude, is_negative)
        assert (result.mode, result.size) == (image.mode, image.size), name
    assert image.tobytes() == before


# --- crops and flips ------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("padding", [0, 3])
def test_a_random_crop_is_a_window_of_the_image_in_black(mode, padding):
    """Left is drawn first, then top."""
    image = picture(4, 9, 7, mode)
    crop = AUGMENTATIONS["random_crop"]({"padding": padding}, network(5, 6))
    padded = np.pad(pixels(image), ((padding, padding), (padding, padding), (0, 0)))
    for key in range(30):
        numbers = generator(key)
        left, top = (int(numbers.integers(n + 2 * padding + 1)) for n in (9 - 6, 7 - 5))
        result = crop(image, partial(generator, key))
        assert np.array_equal(pixels(result), padded[top : top + 5, left : left + 6])


def test_crops_begin_anywhere_as_often():
    """On an image whose pixels say where they are."""
    image = Image.fromarray(np.arange(1, 26, dtype=np.uint8).reshape(5, 5))
    crop = AUGMENTATIONS["random_crop"]({"padding": 1}, network(5, 5))
    middles = [crop(image, partial(generator, 5, k)).getpixel((2, 2)) for k in range(1800)]
    counts = Counter(middles)
    assert counts.keys() == {7, 8, 9, 12, 13, 14, 17, 18, 19}
    assert all(abs(count - 200) < 67 for count in counts.values())  # 5 deviations


def test_a_crop_that_does_not_fit_is_told():
    crop = AUGMENTATIONS["random_crop"]({"padding": 1}, network(12, 9))
    with pytest.raises(UsageError) as error:
        crop(picture(0), partial(generator, 0))
    assert str(error.value) == (
        "random_crop cannot cut 12 x 9 pixels out of an image of 7 x 9 with a border of 1; use a"
        " larger resize or padding"
    )


def test_a_border_of_any_width_takes_no_memory():
    crop = AUGMENTATIONS["random_crop"]({"padding": 1_000_000}, network(7, 9))
    assert not pixels(crop(picture(0), partial(generator, 0))).any()


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_flips_are_as_frequent_as_they_are_asked_for(mode):
    for name, axis in (("horizontal_flip", 1), ("vertical_flip", 0)):
        check_flips(name, picture(6, 3, 2, mode), axis)


def check_flips(name, image, axis):
    plain, mirror = pixels(image), np.flip(pixels(image), axis)
    for probability in (0.0, 0.3, 1.0):
        flip = AUGMENTATIONS[name](probability, network(2, 3))
        results = [pixels(flip(image, partial(generator, 7, k))) for k in range(800)]
        flipped = sum(np.array_equal(result, mirror) for result in results)
        assert flipped + sum(np.array_equal(result, plain) for result in results) == 800
        deviation = (probability * (1 - probability) / 800) ** 0.5
        assert abs(flipped / 800 - probability) <= 5 * deviation


# --- colors ---------------------------------------------------------------------------------------


def grey(image: Image.Image) -> np.ndarray:
    """ITU-R 601-2 luma, (height, width, 1)."""
    array = pixels(image)
    return np.rint(array @ [0.299, 0.587, 0.114])[..., None] if array.shape[2] == 3 else array


def blended(ground, image: Image.Image, factor: float) -> np.ndarray:
    return np.clip(ground + factor * (pixels(image) - ground), 0, 255)


def smooth(image: Image.Image) -> np.ndarray:
    """Each pixel but those at the border, 5 times, with its eight neighbours."""
    array = pixels(image).astype(float)
    result = array.copy()
    rows, columns = array.shape[0] - 2, array.shape[1] - 2
    windows = [
        array[y : y + rows, x : x + columns] * (5 if x == y == 1 else 1)
        for y, x in itertools.product(range(3), repeat=2)
    ]
    result[1:-1, 1:-1] = np.rint(sum(windows) / 13)
    return result


GROUNDS = {
    ops.brighten: lambda image: 0,
    ops.add_contrast: lambda image: np.rint(grey(image).mean()),
    ops.saturate: grey,
    ops.sharpen: smooth,
}


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("change", GROUNDS, ids=lambda change: change.__name__)
def test_factors_lead_away_from_a_ground(change, factor, mode):
    image = picture(8, 31, 17, mode)
    result = change(image, factor)
    assert farthest(pixels(result), blended(GROUNDS[change](image), image, factor)) <= 1
    if factor == 1 or (mode == "L" and change is ops.saturate):
        assert result.tobytes() == image.tobytes()


@pytest.mark.parametrize("turns", [-0.5, -0.2, 0.07, 0.31, 0.5])
def test_a_hue_is_turned_in_steps_of_eight_bits(turns):
    image = picture(9)
    expected = []
    for color in pixels(image).reshape(-1, 3):
        hue, saturation, value = colorsys.rgb_to_hsv(*color / 255)
        level = (int(hue * 255) + int(turns * 255)) % 256
        rough = (level / 255, int(saturation * 255) / 255, value)
        expected.append([255 * part for part in colorsys.hsv_to_rgb(*rough)])
    assert farthest(pixels(ops.turn_hue(image, turns)).reshape(-1, 3), expected) <= 1


def test_a_third_of_a_turn_leads_from_red_to_green_to_blue():
    def turned(color, turns):
        return ops.turn_hue(Image.new("RGB", (1, 1), color), turns).getpixel((0, 0))

    red, green, blue = (200, 0, 0), (0, 200, 0), (0, 0, 200)
    assert [turned(red, 1 / 3), turned(green, 1 / 3), turned(blue, 1 / 3)] == [green, blue, red]
    assert farthest(turned(red, -1 / 3), blue) <= 6  # a step of the hue's 8 bits is 6 levels
    assert turned((90, 90, 90), 0.4) == (90, 90, 90)


def test_what_is_not_turned_and_grey_stay_as_they_are():
    for image in (picture(1), picture(1, mode="L")):
        turns = 0.001 if image.mode == "RGB" else 0.4
        assert ops.turn_hue(image, turns).tobytes() == image.tobytes()


JITTERS = {
    "brightness": ops.brighten,
    "contrast": ops.add_contrast,
    "saturation": ops.saturate,
    "hue": ops.turn_hue,
}


def test_color_jitter_draws_an_order_and_four_strengths():
    image = picture(10)
    strengths = {"brightness": 0.4, "contrast": 1.5, "saturation": 0.2, "hue": 0.3}
    for key in range(20):
        numbers = generator(key)
        order = [list(JITTERS)[k] for k in numbers.permutation(4)]
        bounds = ((0.6, 1.4), (0.0, 2.5), (0.8, 1.2), (-0.3, 0.3))
        values = [numbers.uniform(*pair) for pair in bounds]
        expected = image
        for name in order:
            expected = JITTERS[name](expected, values[list(JITTERS).index(name)])
        result = applied("color_jitter", strengths, image, key)
        assert result.tobytes() == expected.tobytes()


def test_what_is_not_jittered_is_drawn_all_the_same():
    """So that other strengths leave what is drawn after them as it was."""
    image, drawn = picture(11), []
    none = dict.fromkeys(JITTERS, 0.0)
    for settings in (none, {**none, "hue": 0.5}, SETTINGS["color_jitter"]):
        numbers = generator(4)
        result = AUGMENTATIONS["color_jitter"](settings, network(7, 9))(image, lambda n=numbers: n)
        drawn.append(numbers.integers(1 << 60))
        assert (result.tobytes() == image.tobytes()) == (settings == none)
    assert len(set(drawn)) == 1


@pytest.mark.parametrize(
    "strength, lowest, highest", [(0.4, 0.6, 1.4), (1.0, 0.0, 2.0), (3.0, 0.0, 4.0)]
)
def test_factors_are_drawn_evenly(strength, lowest, highest):
    """Seen on a pixel of 60, which a factor of 4 does not make white."""
    settings = {**dict.fromkeys(JITTERS, 0.0), "brightness": strength}
    image = Image.new("L", (1, 1), 60)
    levels = [applied("color_jitter", settings, image, 3, k).getpixel((0, 0)) for k in range(2000)]
    factors = (np.array(levels) + 0.5) / 60
    assert lowest - 0.02 <= factors.min() < lowest + 0.05 * highest
    assert highest - 0.05 * highest < factors.max() <= highest + 0.02
    shares = np.histogram(factors, 4, (lowest, highest))[0] / 2000
    assert np.abs(shares - 0.25).max() < 0.06


# --- operations of policies -----------------------------------------------------------------------


def table_of(array: np.ndarray, kind: str) -> np.ndarray:
    """What 256 levels become in a channel of these pixels."""
    levels = np.arange(256)
    if kind == "auto_contrast":
        low, high = array.min(), array.max()
        return np.clip((levels - low) * 255 / max(1, high - low), 0, 255) if low < high else levels
    counts = np.bincount(array.reshape(-1), minlength=256)
    step = (array.size - counts[array.max()]) // 255
    if not step:
        return levels
    return np.minimum(255, (step // 2 + np.cumsum(counts) - counts) // step)


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("size", [(40, 30), (5, 3), (1, 1)])
@pytest.mark.parametrize("kind", ["auto_contrast", "equalize"])
def test_histograms_are_stretched_for_each_channel(kind, size, mode):
    image = picture(12, *size, mode)
    result = pixels(ops.NARROW[kind](image, 0, 1, False))
    for channel in range(result.shape[2]):
        array = pixels(image)[..., channel]
        assert farthest(result[..., channel], table_of(array, kind)[array]) <= 1


@pytest.mark.parametrize("space, bits", [(ops.NARROW, 4), (ops.WIDE, 6)])
@pytest.mark.parametrize("bins", [2, 10, 31])
def test_posterize_solarize_and_invert(space, bits, bins):
    image = picture(13)
    array = pixels(image)
    for index in range(bins):
        lost = round(index / ((bins - 1) / bits))
        result = space["posterize"](image, index, bins, False)
        assert np.array_equal(pixels(result), array // 2**lost * 2**lost)
        threshold = np.linspace(255, 0, bins)[index]
        result = space["solarize"](image, index, bins, True)
        assert np.array_equal(pixels(result), np.where(array < threshold, array, 255 - array))
    assert np.array_equal(pixels(space["invert"](image, 0, bins, False)), 255 - array)
    assert space["identity"](image, 0, bins, True) is image


@pytest.mark.parametrize("space, most", [(ops.NARROW, 0.9), (ops.WIDE, 0.99)])
@pytest.mark.parametrize("is_negative", [False, True])
def test_enhancements_of_policies(space, most, is_negative):
    names = {
        "brightness": ops.brighten, "color": ops.saturate, "contrast": ops.add_contrast,
        "sharpness": ops.sharpen,
    }  # fmt: skip
    image = picture(14)
    for (name, change), index in itertools.product(names.items(), (0, 7, 30)):
        factor = 1 + (-1 if is_negative else 1) * most * index / 30
        result = space[name](image, index, 31, is_negative)
        assert farthest(result, blended(GROUNDS[change](image), image, factor)) <= 1


def shifted(array: np.ndarray, right: int, down: int) -> np.ndarray:
    """With black where nothing is."""
    height, width = array.shape[:2]
    framed = np.pad(array, ((height, height), (width, width), (0, 0)))
    top, left = (
        max(-n, min(n, by)) for n, by in ((height, down), (width, right))
    )  # what is farther away is gone as well
    return framed[height - top : 2 * height - top, width - left : 2 * width - left]


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("is_negative", [False, True])
def test_translations_are_by_whole_pixels(mode, is_negative):
    image = picture(15, 50, 21, mode)
    sign = -1 if is_negative else 1
    for index in (0, 3, 17, 30):
        for space, across, down in (
            (ops.NARROW, 50 * 150 / 331, 21 * 150 / 331),
            (ops.WIDE, 32, 32),
        ):
            right, lower = int(across * index / 30) * sign, int(down * index / 30) * sign
            result = space["translate_x"](image, index, 31, is_negative)
            assert np.array_equal(pixels(result), shifted(pixels(image), right, 0))
            result = space["translate_y"](image, index, 31, is_negative)
            assert np.array_equal(pixels(result), shifted(pixels(image), 0, lower))


def sampled(array: np.ndarray, across: np.ndarray, down: np.ndarray) -> np.ndarray:
    """The pixels at these places, in pixels from the upper left corner, black outside."""
    height, width = array.shape[:2]
    x, y = np.floor(across).astype(int), np.floor(down).astype(int)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    found = array[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]
    return np.where(inside[..., None], found, 0)


@pytest.mark.parametrize("size", [(40, 30), (15, 33), (1, 7)])
@pytest.mark.parametrize("space, slope, degrees", [(ops.NARROW, 0.3, 30), (ops.WIDE, 0.99, 135)])
def test_shears_and_rotations_take_the_nearest_pixel(space, slope, degrees, size):
    """But for places that lie between two: Pillow reckons with 16 bits behind the point."""
    image = picture(16, *size)
    width, height = size
    y, x = np.mgrid[:height, :width] + 0.5
    for index, sign in itertools.product((0, 11, 30), (1, -1)):
        tilt, turn = (sign * most * index / 30 for most in (slope, np.radians(degrees)))
        across, down = x - width / 2, y - height / 2
        places = {
            "shear_x": (x + tilt * y, y),
            "shear_y": (x, y + tilt * x),
            "rotate": (
                np.cos(turn) * across - np.sin(turn) * down + width / 2,
                np.sin(turn) * across + np.cos(turn) * down + height / 2,
            ),
        }
        for name, (from_x, from_y) in places.items():
            result = pixels(space[name](image, index, 31, sign < 0))
            near = [np.abs(part - np.rint(part)) < 1e-3 for part in (from_x, from_y)]
            differ = (result != sampled(pixels(image), from_x, from_y)).any(-1)
            assert not (differ & ~near[0] & ~near[1]).any(), (name, index, sign)


def test_a_positive_angle_turns_counter_clockwise():
    image = picture(17, 9, 9)
    assert np.array_equal(pixels(ops.rotate(image, 90)), np.rot90(pixels(image)))


# --- policies -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", POLICIES)
def test_policies_are_25_pairs_of_known_operations(name):
    assert len(POLICIES[name]) == 25
    for operation, probability, index in itertools.chain.from_iterable(POLICIES[name]):
        assert operation in ops.NARROW
        assert 0 <= probability <= 1 and index in range(BINS)
        assert not (index and not ops.NARROW[operation].most)


@pytest.fixture
def note(monkeypatch):
    """Has it noted what is done with an image by the operations of a space, in place of doing it:
    (name, index, bins, is_negative). There are none of another space."""

    def noting(space):
        calls = []

        def noted(name, image, *arguments):
            calls.append((name, *arguments))
            return image

        monkeypatch.setattr(augmenting, "NARROW", {})
        monkeypatch.setattr(augmenting, "WIDE", {})
        monkeypatch.setattr(augmenting, space, {name: partial(noted, name) for name in ops.NARROW})
        return calls

    return noting


def near(count: int, share: float, of: int) -> bool:
    return abs(count - share * of) < 5 * (of * share * (1 - share)) ** 0.5 + 1e-9


def test_rand_augment_draws_operation_and_sign_in_turn(note):
    noted, image = note("NARROW"), picture(18)
    for key in range(1500):
        applied("rand_augment", {"ops": 2, "magnitude": 9, "bins": 31}, image, key)
    assert len(noted) == 3000 and {call[1:3] for call in noted} == {(9, 31)}
    assert "invert" not in ops.DRAWN and len(ops.DRAWN) == 14
    for name in ops.DRAWN:
        assert near(sum(call[0] == name for call in noted), 1 / 14, 3000)
    assert near(sum(call[3] for call in noted), 1 / 2, 3000)
    numbers = generator(77)
    expected = [
        (ops.DRAWN[numbers.integers(14)], 9, 31, bool(numbers.integers(2))) for _ in range(5)
    ]
    noted.clear()
    applied("rand_augment", {"ops": 5, "magnitude": 9, "bins": 31}, image, 77)
    assert noted == expected


def test_trivial_augment_draws_operation_magnitude_and_sign(note):
    noted, image = note("WIDE"), picture(19)
    for key in range(2000):
        applied("trivial_augment", 5, image, key)
    assert len(noted) == 2000 and {call[2] for call in noted} == {5}
    for name in ops.DRAWN:
        assert near(sum(call[0] == name for call in noted), 1 / 14, 2000)
    for index in range(5):
        assert near(sum(call[1] == index for call in noted), 1 / 5, 2000)
    assert near(sum(call[3] for call in noted), 1 / 2, 2000)
    numbers = generator(78)
    expected = (
        ops.DRAWN[numbers.integers(14)], int(numbers.integers(5)), 5, bool(numbers.integers(2))
    )  # fmt: skip
    noted.clear()
    applied("trivial_augment", 5, image, 78)
    assert noted == [expected]


@pytest.mark.parametrize("policy", POLICIES)
def test_auto_augment_draws_a_pair_two_chances_and_two_signs(policy, note):
    noted, image = note("NARROW"), picture(20)
    for key in range(2000):
        applied("auto_augment", policy, image, key)
    assert {call[2] for call in noted} == {10}
    choices = [*itertools.chain.from_iterable(POLICIES[policy])]
    for what in {(name, index) for name, _, index in choices}:
        mean = sum(p for name, p, index in choices if (name, index) == what) / 25
        count = sum(call[:2] == what for call in noted)
        # of two alike in a pair both may be done
        assert abs(count - mean * 2000) <= 7 * (mean * 2000) ** 0.5
    numbers = generator(79)
    pair = POLICIES[policy][numbers.integers(25)]
    chances, signs = numbers.random(2), numbers.integers(2, size=2)
    expected = [
        (name, index, 10, bool(sign))
        for (name, probability, index), chance, sign in zip(pair, chances, signs, strict=True)
        if chance < probability
    ]
    noted.clear()
    applied("auto_augment", policy, image, 79)
    assert noted == expected


# --- other people's -------------------------------------------------------------------------------


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def as_here(pairs) -> list:
    """Sub-policies as others write them, in no order."""
    return sorted(tuple((snake(n), p, index or 0) for n, p, index in pair) for pair in pairs)


@pytest.fixture(scope="module")
def mindspore_vision():
    pytest.importorskip("mindspore")
    from mindspore.dataset import vision

    return vision


def test_policies_are_those_that_mindspore_documents(mindspore_vision):
    documented = mindspore_vision.AutoAugmentPolicy.__doc__
    lists = re.findall(r"pair:\s*(\[.*?\])\n", documented, re.DOTALL)
    for policy, text in zip(("imagenet", "cifar10", "svhn"), lists, strict=True):
        assert as_here(literal_eval(text)) == sorted(POLICIES[policy])


def test_operations_are_those_of_mindspore(mindspore_vision):
    vision = mindspore_vision
    image = picture(21, 31, 17)
    spared = image.point(lambda level: min(level, 254))
    same = {
        "AdjustBrightness": (ops.brighten, FACTORS),
        "AdjustContrast": (ops.add_contrast, FACTORS),
        "AdjustSaturation": (ops.saturate, FACTORS),
        "AdjustSharpness": (ops.sharpen, FACTORS),
        "AdjustHue": (ops.turn_hue, (-0.302, -0.1, 0.11, 0.302)),
        "Posterize": (lambda image, bits: ops.posterize(image, 8 - bits), (1, 4, 7)),
    }
    for name, (change, values) in same.items():
        for value in values:
            theirs = getattr(vision, name)(value)(image)
            assert farthest(change(image, value), theirs) <= 2, (name, value)
    for threshold in (0, 100, 255):
        theirs = vision.Solarize((threshold, 255))(np.asarray(spared))
        assert farthest(ops.solarize(spared, 255 - threshold), theirs) == 0
    for name, theirs in {
        "equalize": vision.Equalize(), "auto_contrast": vision.AutoContrast(),
        "invert": vision.Invert(),
    }.items():  # fmt: skip
        assert farthest(ops.NARROW[name](image, 0, 1, False), theirs(image)) <= 2, name
    theirs = vision.Rotate(90.0, expand=True)(np.asarray(image.crop((0, 0, 17, 17))))
    assert farthest(ops.rotate(image.crop((0, 0, 17, 17)), 90), theirs) == 0


def test_policies_and_operations_are_those_of_torchvision():
    transforms = pytest.importorskip("torchvision.transforms")
    F = transforms.functional
    for policy in POLICIES:
        theirs = transforms.AutoAugment(transforms.AutoAugmentPolicy(policy)).policies
        assert as_here(theirs) == sorted(POLICIES[policy])
    for image in (picture(22, 31, 17), picture(22, 16, 33, "L")):
        for factor in FACTORS:
            for change, theirs in {
                ops.brighten: F.adjust_brightness, ops.add_contrast: F.adjust_contrast,
                ops.saturate: F.adjust_saturation, ops.sharpen: F.adjust_sharpness,
            }.items():  # fmt: skip
                assert farthest(change(image, factor), theirs(image, factor)) == 0
        for hue in (-0.302, -0.1, 0.11, 0.302):
            assert farthest(ops.turn_hue(image, hue), F.adjust_hue(image, hue)) == 0
        for lost in range(7):
            assert farthest(ops.posterize(image, lost), F.posterize(image, 8 - lost)) == 0
        for threshold in (0.0, 99.5, 255.0):
            theirs = F.solarize(image, threshold)
            assert farthest(ops.solarize(image, 255 - threshold), theirs) == 0
        for name, theirs in {
            "equalize": F.equalize, "auto_contrast": F.autocontrast, "invert": F.invert
        }.items():  # fmt: skip
            assert farthest(ops.NARROW[name](image, 0, 1, False), theirs(image)) == 0
        for slope in (-0.99, -0.1, 0.3):
            degrees = np.degrees(np.arctan(slope))
            for change, shear in ((ops.shear_x, [degrees, 0.0]), (ops.shear_y, [0.0, degrees])):
                theirs = F.affine(image, 0.0, [0, 0], 1.0, shear, center=[0, 0])
                assert farthest(change(image, slope), theirs) == 0
        for shift in (-7, 3):
            theirs = F.affine(image, 0.0, [shift, 0], 1.0, [0.0, 0.0])
            assert farthest(ops.shift_x(image, shift), theirs) == 0
            theirs = F.affine(image, 0.0, [0, shift], 1.0, [0.0, 0.0])
            assert farthest(ops.shift_y(image, shift), theirs) == 0
        for degrees in (-135.0, -20.0, 30.0):
            assert farthest(ops.rotate(image, degrees), F.rotate(image, degrees)) == 0
