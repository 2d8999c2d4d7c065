"""Parts of data sets, data of several arrays, and data from other libraries."""

import pickle
import re

import numpy as np
import pytest

from tinygrad_jp import DataLoader, datasets

X, T = np.arange(20.0).reshape(10, 2), np.arange(10)


def pandas_frame(x):
    return pytest.importorskip("pandas").DataFrame(x)


def pandas_series(x):
    return pytest.importorskip("pandas").Series(x if x.ndim == 1 else x[:, 0])


def polars_frame(x):
    return pytest.importorskip("polars").DataFrame(x)


def torch_tensor(x):
    return pytest.importorskip("torch").tensor(x)


class OnlyDLPack:
    """An array that can be taken by DLPack alone."""

    def __init__(self, x):
        self.x = x

    def __dlpack__(self, **settings):
        return self.x.__dlpack__(**settings)

    def __dlpack_device__(self):
        return self.x.__dlpack_device__()


TABLES = [np.asarray, np.ndarray.tolist, pandas_frame, pandas_series, polars_frame, torch_tensor, OnlyDLPack]


@pytest.mark.parametrize("table", TABLES)
def test_data_of_other_libraries_are_taken(table):
    expected = np.asarray(X[:, 0] if table is pandas_series else X)
    for loader in (DataLoader((table(X), T), 4, False), DataLoader(table(X), T, batch_size=4, shuffle=False)):
        batches = list(loader)
        assert (np.concatenate([x for x, _ in batches]) == expected).all()
        assert (np.concatenate([t for _, t in batches]) == T).all()
    assert len(DataLoader((table(X), None), 4)) == 3


@pytest.mark.parametrize("table", TABLES)
def test_a_table_alone_needs_none_as_labels(table):
    if table is not np.ndarray.tolist:  # A list may be one of examples.
        with pytest.raises(TypeError, match=r"\(X, None\)"):
            DataLoader(table(X), 4)


def test_a_data_set_of_ones_own_may_hold_a_frame():
    pandas = pytest.importorskip("pandas")

    class Own(datasets.Dataset):
        def prepare(self):
            self.data, self.label = pandas.DataFrame(X), pandas.Series(T)

    assert Own()[3][0].tolist() == X[3].tolist()
    assert Own()[2:4][1].tolist() == [2, 3]


def test_what_is_no_table_of_numbers_is_refused_with_the_remedy():
    pandas = pytest.importorskip("pandas")
    with pytest.raises(TypeError, match="to_numpy"):
        DataLoader((pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]}), None), 1)
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match="detach"):
        DataLoader((torch.ones(2, requires_grad=True), None), 1)


@pytest.mark.parametrize("n", [3, 4])
def test_any_number_of_arrays(n):
    arrays = tuple(T + 100 * i for i in range(n))
    for loader in (
        DataLoader(arrays, 4, rng=0),
        DataLoader(*arrays, batch_size=4, rng=0),
        DataLoader(*arrays, 4, rng=0),
    ):
        for batch in loader:
            assert len(batch) == n
            assert all((part - batch[0] == 100 * i).all() for i, part in enumerate(batch))
    examples = list(zip(*arrays, strict=True))
    assert [[p.tolist() for p in b] for b in DataLoader(examples, 4, rng=0)] == [
        [p.tolist() for p in b] for b in DataLoader(arrays, 4, rng=0)
    ]


@pytest.mark.parametrize(
    "wrong", [lambda: DataLoader(X, T), lambda: DataLoader(X, T, 2, True, False, 1), lambda: datasets.TupleDataset()]
)
def test_a_call_that_says_too_little_or_too_much_is_refused(wrong):
    with pytest.raises(TypeError, match="expected"):
        wrong()


def test_arrays_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match="one length"):
        DataLoader((X, X, T[:3]), 2)


WHOLES = [(X, T), datasets.ArrayDataset(X, T, target_transform=lambda t: -t), list(zip(X, T, strict=True)), (X, X, T)]


@pytest.mark.parametrize("whole", WHOLES)
@pytest.mark.parametrize("indices", [[3, 1, 1], range(2, 5), slice(1, 3), T % 2 == 0, np.array([7])])
def test_a_subset_has_the_chosen_examples(whole, indices):
    subset = datasets.Subset(whole, indices)
    chosen = T[indices]
    assert len(subset) == len(chosen)
    assert [abs(subset[i][-1]) for i in range(len(subset))] == chosen.tolist()
    assert abs(subset[:][-1]).tolist() == chosen.tolist()
    assert abs(subset[-1][-1]) == chosen[-1]
    assert abs(next(iter(DataLoader(subset, 99, False)))[-1]).tolist() == chosen.tolist()
    assert abs(datasets.Subset(subset, [0])[0][-1]) == chosen[0]
    with pytest.raises(IndexError):
        subset[len(chosen)]


@pytest.mark.parametrize("whole", WHOLES)
@pytest.mark.parametrize("sizes", [0.8, [0.8, 0.2], [8, 2], [0.5, 0.3, 0.2], [3, 3, 4], (0.333, 0.333, 0.334)])
def test_random_parts_are_the_whole(whole, sizes):
    parts = datasets.random_split(whole, sizes, rng=0)
    seen = [abs(int(example[-1])) for part in parts for example in part]
    assert sorted(seen) == T.tolist()
    assert seen != T.tolist()
    assert seen == [abs(int(e[-1])) for part in datasets.random_split(whole, sizes, rng=0) for e in part]
    if not np.isscalar(sizes) and sum(sizes) == 10:
        assert [len(part) for part in parts] == list(sizes)


@pytest.mark.parametrize("sizes", [[0.5, 0.6], [5, 6], 1.0, [1.0, 0.0], [10, 0], 0.99, [-1, 11], [[5, 5]], "ab"])
def test_sizes_that_do_not_add_up_are_refused(sizes):
    with pytest.raises((ValueError, TypeError)):
        datasets.random_split((X, T), sizes)


def test_data_say_what_they_are():
    digits = datasets.Digits()
    assert repr(digits) == "Digits: 1,437 examples, x (1, 8, 8) uint8, t () int64"
    assert repr(DataLoader(digits, 100)) == (
        "DataLoader(Digits of 1,437 examples, batch_size=100, shuffle=True): 15 batches"
    )
    assert digits._repr_html_().count("data:image/png") == 10
    assert datasets.Spiral()._repr_html_() is None
    assert pickle.loads(pickle.dumps(datasets.Subset(digits, [1])))[0][1] == digits[1][1]


@pytest.mark.parametrize("shape", [(8, 8), (1, 8, 8), (3, 8, 9), (64,)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.int64])
def test_pictures_are_whole_files(shape, dtype, rng):
    image = pytest.importorskip("PIL.Image")
    import base64
    import io

    x = rng.integers(0, 256, (2, *shape)).astype(dtype)
    page = datasets.ArrayDataset(x, ["<b>", "&"])._repr_html_()
    assert "<b>" not in page
    pictures = [image.open(io.BytesIO(base64.b64decode(d))) for d in re.findall(r'base64,([^"]+)"', page)]
    assert len(pictures) == 2
    if dtype == np.uint8:
        flat = x[0].transpose(1, 2, 0) if shape[0] == 3 else x[0].reshape(8, 8)
        assert (np.asarray(pictures[0]) == flat).all()


def test_a_part_shows_its_own_pictures():
    images = np.arange(4 * 64, dtype=np.uint8).reshape(4, 8, 8)
    whole = datasets.ArrayDataset(images, ["a", "b", "c", "d"])
    part = datasets.Subset(datasets.Subset(whole, [3, 2, 1]), [0, 2])

    def figures(data):
        return re.findall(r"base64,.*?</figcaption>", data._repr_html_())

    assert len(figures(whole)) == 4
    assert figures(part) == [figures(whole)[i] for i in (3, 1)]
    assert datasets.Subset((X, T), [0])._repr_html_() is None
