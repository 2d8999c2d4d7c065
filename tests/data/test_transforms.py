"""Transforms: what they make of single images, of batches, and of Pillow's images; against Pillow, too."""

import copy
import pickle
import re

import numpy as np
import pytest

import tinygrad_jp as tg
from tinygrad_jp.datasets import ArrayDataset, Digits
from tinygrad_jp.transforms import (
    AsType,
    CenterCrop,
    Compose,
    Flatten,
    Normalize,
    RandomCrop,
    RandomHorizontalFlip,
    Resize,
    Scale,
    ToArray,
    ToFloat,
)

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 3, 5, 7), dtype=np.uint8)

# Each transform, the shape of what it makes of an image (3, 5, 7), and the dtype, where it is not that of the image.
TRANSFORMS = {
    "nothing": (Compose(), (3, 5, 7), None),
    "astype": (AsType(np.int64), (3, 5, 7), np.int64),
    "float": (ToFloat(), (3, 5, 7), np.float32),
    "array": (ToArray(), (3, 5, 7), np.float32),
    "normalize": (Normalize(127.5, 127.5), (3, 5, 7), np.float32),
    "channels": (Normalize([1, 2, 3], (4.0, 5.0, 6.0)), (3, 5, 7), np.float32),
    "flatten": (Flatten(), (105,), None),
    "scale": (Scale(255), (105,), np.float32),
    "larger": (Resize((11, 8)), (3, 11, 8), None),
    "smaller": (Resize(2), (3, 2, 2), None),
    "nearest": (Resize((3, 9), mode="nearest"), (3, 3, 9), None),
    "centre": (CenterCrop((3, 4)), (3, 3, 4), None),
    "crop of all": (RandomCrop((5, 7), rng=0), (3, 5, 7), None),
    "flip": (RandomHorizontalFlip(1), (3, 5, 7), None),
    "no flip": (RandomHorizontalFlip(0), (3, 5, 7), None),
    "all": (Compose([Resize(6), CenterCrop(4), ToFloat(), Normalize(0, 255), Flatten()]), (48,), np.float32),
}
RANDOM = {"crop": lambda rng: RandomCrop(4, pad=2, rng=rng), "flip": lambda rng: RandomHorizontalFlip(rng=rng)}


@pytest.mark.parametrize("transform, shape, dtype", TRANSFORMS.values(), ids=TRANSFORMS)
def test_one_image_and_a_batch_agree(transform, shape, dtype):
    kept = IMAGES.copy()
    batch = transform(IMAGES)
    assert transform.batched and batch.shape == (6, *shape) and batch.dtype == (dtype or np.uint8)
    for image, expected in zip(IMAGES, batch, strict=True):
        one = transform(image)
        assert one.shape == shape and one.dtype == batch.dtype
        np.testing.assert_allclose(one, expected, rtol=1e-6)
    assert transform(IMAGES[:0]).shape == (0, *shape)
    assert np.array_equal(IMAGES, kept)


def test_every_transform_is_in_the_table():
    assert {getattr(tg.transforms, name) for name in tg.transforms.__all__} == {
        type(t) for t, *_ in TRANSFORMS.values()
    }


@pytest.mark.parametrize("transform", [each[0] for each in TRANSFORMS.values()], ids=TRANSFORMS)
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i4", "i8", "u2", "u8"])
def test_the_byte_order_does_not_matter(transform, dtype):
    big, native = (copy.deepcopy(transform)(IMAGES.astype(order + dtype)) for order in "><")
    assert big.dtype.newbyteorder("=") == native.dtype
    np.testing.assert_array_equal(big, native)
    np.testing.assert_array_equal(transform(IMAGES.astype(">" + dtype)[0]), big[0])


@pytest.mark.parametrize("transform", [each[0] for each in TRANSFORMS.values()], ids=TRANSFORMS)
@pytest.mark.parametrize("shape", [(0, 3, 5, 7), (2, 3, 0, 7), (2, 3, 5, 0), (3, 0, 7), (3, 0, 0)])
def test_images_without_pixels_give_arrays_without_elements_or_a_clear_error(transform, shape):
    try:
        y = transform(np.zeros(shape))
    except ValueError as error:
        assert re.match(r"\w+: expected images of \(\d+, \d+\) or more, got \(", str(error))
        assert 0 in shape[-2:]
    else:
        assert y.size == 0


@pytest.mark.parametrize("transform", [each[0] for each in TRANSFORMS.values()], ids=TRANSFORMS)
def test_transforms_can_be_copied_and_saved(transform):
    for again in (copy.deepcopy(transform), pickle.loads(pickle.dumps(transform))):
        assert np.array_equal(again(IMAGES), transform(IMAGES))


def test_compose_is_batched_if_all_are():
    assert Compose([AsType(), Flatten()]).batched and not Compose([AsType(), lambda x: x]).batched
    x, _ = ArrayDataset(IMAGES, transform=Compose([lambda x: x[0], AsType()]))[:2]
    assert x.shape == (2, 5, 7)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("mean, std", [(3, 2), ([1, 2, 3], [4, 5, 6]), ([1, 2, 3], 2), (1, (4, 5, 6)), ([3], [2])])
def test_normalize(mean, std, dtype):
    y = Normalize(mean, std)(IMAGES.astype(dtype))
    column = lambda a: np.reshape(a, (-1, 1, 1)) if np.ndim(a) else a  # noqa: E731
    assert y.dtype == dtype
    np.testing.assert_allclose(
        y, (IMAGES.astype(float) - column(mean)) / column(std), rtol=1e-2 if dtype == np.float16 else 1e-6
    )


def test_normalize_by_numbers_takes_any_shape():
    assert Normalize(1, 2)(np.array([3, 5])).tolist() == [1, 2] and Normalize(1, 2)(3) == 1


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_resize_keeps_what_is_flat_and_the_dtype(dtype):
    for size in (1, 3, (9, 2), (20, 30)):
        y = Resize(size)(np.full((2, 5, 7), 200, dtype))
        assert y.dtype == dtype and np.allclose(y, 200, rtol=1e-6)


def test_resize_by_whole_numbers():
    x = np.arange(16.0).reshape(1, 4, 4)
    assert np.array_equal(Resize(4)(x), x) and np.array_equal(Resize(4, "nearest")(x), x)
    assert np.array_equal(Resize(8, "nearest")(x), np.kron(x, np.ones((2, 2))))
    assert np.array_equal(Resize(2, "nearest")(x), x[:, 1::2, 1::2])


@pytest.mark.parametrize("mode, number", [("nearest", 0), ("bilinear", 2)])
@pytest.mark.parametrize("size", [(1, 1), (3, 4), (5, 7), (9, 4), (2, 20), (31, 17)])
def test_resize_is_that_of_pillow(size, mode, number):
    Image = pytest.importorskip("PIL.Image")
    for image in IMAGES:
        theirs = np.asarray(Image.fromarray(image.transpose(1, 2, 0)).resize(size[::-1], number)).transpose(2, 0, 1)
        assert abs(Resize(size, mode)(image).astype(int) - theirs).max() <= (mode == "bilinear")  # It rounds twice.


def test_centre_crop():
    x = np.arange(30).reshape(1, 5, 6)
    assert CenterCrop((1, 2))(x).tolist() == [[[14, 15]]]
    assert CenterCrop((2, 5))(x).tolist() == [[[6, 7, 8, 9, 10], [12, 13, 14, 15, 16]]]
    assert np.array_equal(CenterCrop((5, 6))(x), x)


def test_random_crops_come_from_everywhere_one_for_each_image():
    x = np.tile(np.arange(1, 13).reshape(1, 1, 3, 4), (500, 2, 1, 1))
    y = RandomCrop((2, 3), rng=0)(x)
    assert np.array_equal(y[:, 0], y[:, 1]), "all channels alike"
    assert np.array_equal(y[:, 0] - y[:, 0, :1, :1], np.tile([[0, 1, 2], [4, 5, 6]], (500, 1, 1))), "in one piece"
    counts = np.bincount(y[:, 0, 0, 0])
    assert np.flatnonzero(counts).tolist() == [1, 2, 5, 6] and counts[counts > 0].min() > 90


def test_random_crops_with_padding_reach_over_the_edge_by_so_much():
    y = RandomCrop(3, pad=1, rng=0)(np.ones((500, 1, 3, 3)))
    assert set(y.sum(axis=(1, 2, 3))) == {4, 6, 9} and len(np.unique(y, axis=0)) == 9


def test_random_flips_are_one_for_each_image():
    x = np.tile(np.arange(6).reshape(1, 1, 2, 3), (1000, 1, 1, 1))
    y = RandomHorizontalFlip(0.3, rng=0)(x)
    flipped = (y != x).any(axis=(1, 2, 3))
    assert 250 < flipped.sum() < 350
    assert np.array_equal(y[flipped], x[flipped][..., ::-1]) and np.array_equal(y[~flipped], x[~flipped])
    one = RandomHorizontalFlip(0.3, rng=0)
    assert 250 < sum((one(image) != image).any() for image in x) < 350


@pytest.mark.parametrize("make", RANDOM.values(), ids=RANDOM)
def test_random_transforms_are_decided_by_their_generator(make):
    before = np.random.get_state()[1].copy()
    first, again = make(3), make(np.random.default_rng(3))
    results = [first(IMAGES), again(IMAGES), first(IMAGES), copy.deepcopy(again)(IMAGES), make(4)(IMAGES)]
    assert np.array_equal(results[0], results[1]) and np.array_equal(results[2], results[3])
    assert not np.array_equal(results[0], results[2]) and not np.array_equal(results[0], results[4])
    transform = make(None)
    seeded = [(tg.seed(0), transform(IMAGES))[1] for _ in range(2)]
    assert np.array_equal(*seeded) and np.array_equal(np.random.get_state()[1], before)


def test_augmented_digits_in_batches():
    dataset = Digits(transform=Compose([RandomCrop(8, pad=1, rng=0), RandomHorizontalFlip(rng=0), Scale(16)]))
    x, t = next(iter(tg.DataLoader(dataset, 100, rng=0)))
    assert x.shape == (100, 64) and x.dtype == np.float32 and t.shape == (100,)


@pytest.mark.parametrize("mode, channels, pixel", [
    ("L", 1, [60]), ("RGB", 3, [60, 70, 80]), ("RGBA", 3, [60, 70, 80]), ("P", 3, None), ("1", 3, None),
])  # fmt: skip
def test_images_of_pillow_become_arrays(mode, channels, pixel):
    Image = pytest.importorskip("PIL.Image")
    image = Image.new("L" if mode == "L" else "RGB", (7, 5), 60 if mode == "L" else (60, 70, 80)).convert(mode)
    x = ToArray(np.uint8)(image)
    assert x.shape == (channels, 5, 7) and x.dtype == np.uint8
    assert pixel is None or x[:, 2, 2].tolist() == pixel
    assert ToArray()(image).dtype == np.float32
    x = Compose([Resize((10, 12)), CenterCrop(8), RandomCrop(6, rng=0), RandomHorizontalFlip(rng=0), ToFloat()])(image)
    assert x.shape == (channels, 6, 6) and x.dtype == np.float32
    assert pixel is None or np.allclose(x, np.reshape(pixel, (-1, 1, 1)))


GOOD = np.zeros((3, 5, 7))


@pytest.mark.parametrize("use, message", [
    (lambda: Flatten()(np.zeros((5, 7))), r"Flatten: expected \(C, H, W\) or \(N, C, H, W\), got \(5, 7\); add the ax"),
    (lambda: Resize(3)(np.zeros(7)), r"Resize: expected \(C, H, W\) or \(N, C, H, W\), got \(7,\)"),
    (lambda: CenterCrop(3)(np.zeros((1, 1, 3, 5, 7))), r"CenterCrop: expected .* got \(1, 1, 3, 5, 7\)"),
    (lambda: RandomCrop(3)(np.zeros((5, 7))), r"RandomCrop: expected \(C, H, W\)"),
    (lambda: RandomHorizontalFlip()(np.zeros((5, 7))), r"RandomHorizontalFlip: expected \(C, H, W\)"),
    (lambda: Normalize([1, 2, 3], 1)(np.zeros((5, 7))), r"Normalize: expected \(C, H, W\)"),
    (lambda: CenterCrop((6, 2))(GOOD), r"CenterCrop: expected images of \(6, 2\) or more, got \(5, 7\); pad or resize"),
    (lambda: CenterCrop((2, 8))(GOOD), r"CenterCrop: expected images of \(2, 8\) or more, got \(5, 7\)"),
    (lambda: RandomCrop(8, pad=1)(GOOD), r"RandomCrop: expected images of \(8, 8\) or more, got \(7, 9\)"),
    (lambda: Normalize([1, 2], 1)(GOOD), r"Normalize: expected 2 channels, got an image of shape \(3, 5, 7\)"),
    (lambda: Normalize([1, 2, 3], [1, 1])(GOOD), r"Normalize: expected 2 channels"),
    (lambda: Normalize([], 1), "Normalize: expected a number, or one for each channel"),
    (lambda: Normalize(0, []), "Normalize: expected a number, or one for each channel"),
    (lambda: Scale(0), "Scale: expected a peak that is not 0, got 0"),
    (lambda: Resize(3)(np.zeros((3, 0, 7))), r"Resize: expected images of \(1, 1\) or more, got \(0, 7\)"),
    (lambda: Resize(3, "nearest")(np.zeros((3, 5, 0))), r"Resize: expected images of \(1, 1\) or more, got \(5, 0\)"),
    (lambda: Normalize(0, 0), "Normalize: expected a number, or one for each channel, std not 0"),
    (lambda: Normalize(0, [1, 0, 1]), "std not 0; got 0 and"),
    (lambda: Normalize([[1]], 1), "Normalize: expected a number, or one for each channel"),
    (lambda: Resize(0), "Resize: expected a size of 1 or more, got 0"),
    (lambda: CenterCrop((3, -1)), r"CenterCrop: expected a size of 1 or more, got \(3, -1\)"),
    (lambda: RandomCrop(2, pad=-1), "RandomCrop: expected pad >= 0, got -1"),
    (lambda: Resize(2, mode="cubic"), "Resize: expected mode 'bilinear' or 'nearest', got 'cubic'"),
    (lambda: RandomHorizontalFlip(1.5), "RandomHorizontalFlip: expected a probability from 0 to 1, got 1.5"),
    (lambda: RandomHorizontalFlip(float("nan")), "expected a probability from 0 to 1, got nan"),
])  # fmt: skip
def test_what_does_not_fit_is_refused_by_name(use, message):
    with pytest.raises(ValueError, match=message):
        use()
