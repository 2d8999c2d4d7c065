"""DataLoader: every example once, in an order of its own, as arrays."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tinygrad_jp import DataLoader, SeqDataLoader
from tinygrad_jp.datasets import ArrayDataset, Dataset, Digits, Scale, SinCurve, Spiral


def numbers(n):
    """A data set whose example i is (i, 10 * i)."""
    return ArrayDataset(np.arange(n), 10 * np.arange(n))


def order(loader):
    return [int(i) for x, _ in loader for i in x]


@settings(database=None, deadline=None)
@given(
    n=st.integers(1, 60),
    batch_size=st.integers(1, 70),
    shuffle=st.booleans(),
    drop_last=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_covers_every_example_exactly_once(n, batch_size, shuffle, drop_last, seed):
    assume(n >= batch_size or not drop_last)
    loader = DataLoader(numbers(n), batch_size, shuffle, rng=seed, drop_last=drop_last)
    batches = list(loader)
    assert len(batches) == len(loader)
    assert all(len(x) == batch_size for x, _ in batches[:-1])
    assert all(np.array_equal(t, 10 * x) for x, t in batches)
    seen = [int(i) for x, _ in batches for i in x]
    if drop_last:
        assert len(seen) == n // batch_size * batch_size
        assert len(set(seen)) == len(seen) and set(seen) <= set(range(n))
    else:
        assert sorted(seen) == list(range(n))
    if not shuffle:
        assert seen == list(range(len(seen)))


def test_shuffles_anew_each_epoch():
    loader = DataLoader(numbers(100), 10, rng=0)
    first, second = order(loader), order(loader)
    assert first != second and first != list(range(100))


def test_without_shuffle_the_order_is_the_data_sets():
    loader = DataLoader(numbers(10), 3, shuffle=False)
    assert order(loader) == order(loader) == list(range(10))


def test_a_seed_fixes_the_order():
    assert order(DataLoader(numbers(50), 7, rng=3)) == order(DataLoader(numbers(50), 7, rng=3))
    assert order(DataLoader(numbers(50), 7, rng=3)) != order(DataLoader(numbers(50), 7, rng=4))
    assert order(DataLoader(numbers(50), 7)) != order(DataLoader(numbers(50), 7))


def test_a_generator_is_used_as_it_is():
    rng = np.random.default_rng(5)
    loader = DataLoader(numbers(50), 7, rng=rng)
    assert loader.rng is rng
    assert order(loader) == np.random.default_rng(5).permutation(50).tolist()


def test_with_a_seed_numpys_global_state_is_neither_read_nor_changed():
    before = np.random.get_state()
    seeded = order(DataLoader(numbers(50), 7, rng=0))
    after = np.random.get_state()
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    np.random.seed(1)
    assert order(DataLoader(numbers(50), 7, rng=0)) == seeded


def test_starts_again_after_a_break():
    loader = DataLoader(numbers(20), 3, rng=0)
    for _ in loader:
        break
    assert sorted(order(loader)) == list(range(20))


def test_nested_loops_are_independent():
    loader = DataLoader(numbers(12), 5, rng=0)
    outer = []
    for x, _ in loader:
        outer += x.tolist()
        assert sorted(order(loader)) == list(range(12))
    assert sorted(outer) == list(range(12))


def test_two_interleaved_loops_have_orders_of_their_own():
    loader = DataLoader(numbers(40), 8, rng=0)
    pairs = list(zip(loader, loader, strict=True))
    a = [int(i) for (x, _), _ in pairs for i in x]
    b = [int(i) for _, (x, _) in pairs for i in x]
    assert sorted(a) == sorted(b) == list(range(40)) and a != b


def test_array_data_is_fetched_by_one_indexing():
    calls = []

    class Recorded(Scale):
        def __call__(self, x):
            calls.append(x.shape)
            return super().__call__(x)

    x, t = next(iter(DataLoader(Digits(transform=Recorded(16)), 100)))
    assert calls == [(100, 1, 8, 8)]
    assert x.shape == (100, 64) and x.dtype == np.float32
    assert t.shape == (100,) and t.dtype == np.int64


def test_a_users_transform_is_called_for_each_example():
    calls = []

    def transform(x):
        calls.append(x.shape)
        return x.mean(dtype=np.float32)

    x, _ = next(iter(DataLoader(Digits(transform=transform), 100)))
    assert calls == [(1, 8, 8)] * 100
    assert x.shape == (100,) and x.dtype == np.float32


def test_a_data_set_that_overrides_getitem():
    class Big(Dataset):
        def __len__(self):
            return 10

        def __getitem__(self, index):
            return np.full(3, index), index

    for x, t in DataLoader(Big(), 4, rng=0):
        assert x.shape == (len(t), 3)
        assert np.array_equal(x[:, 0], t)


@pytest.mark.parametrize("make", [
    lambda x, t: (x, t),
    lambda x, t: (x, t.tolist()),
    lambda x, t: ArrayDataset(x, t),
    lambda x, t: list(zip(x, t, strict=True)),
    lambda x, t: tuple(zip(x, t, strict=True)),
    lambda x, t: [[a, b] for a, b in zip(x.tolist(), t.tolist(), strict=True)],
])  # fmt: skip
def test_kinds_of_data_sets(make):
    x, t = np.arange(12.0).reshape(6, 2), np.arange(6)
    loader = DataLoader(make(x, t), 4, shuffle=False)
    (x0, t0), (x1, t1) = loader
    assert np.array_equal(np.concatenate([x0, x1]), x) and x0.dtype == x.dtype and x0.shape == (4, 2)
    assert np.array_equal(np.concatenate([t0, t1]), t) and t0.dtype == t.dtype


@pytest.mark.parametrize("dtype", ["u1", "<i8", ">i8", "<f4", ">f4", "<f8", ">f8", "<f2", ">f2", "?"])
@pytest.mark.parametrize(
    "loader", [lambda pair: DataLoader(pair, 4, shuffle=False), lambda pair: SeqDataLoader(pair, 1)]
)
def test_batches_of_every_dtype(loader, dtype):
    x, t = np.arange(12).reshape(6, 2).astype(dtype), np.arange(6).astype(dtype)
    xs, ts = zip(*loader((x, t)), strict=True)
    assert {a.dtype for a in (*xs, *ts)} == {np.dtype(dtype)}
    assert np.array_equal(np.concatenate(xs), x) and np.array_equal(np.concatenate(ts), t)


@pytest.mark.parametrize("dataset", [(np.eye(3), None), ArrayDataset(np.eye(3)), [(row, None) for row in np.eye(3)]])
def test_without_labels_t_is_none(dataset):
    [(x, t)] = DataLoader(dataset, 3, shuffle=False)
    assert np.array_equal(x, np.eye(3))
    assert t is None


def test_batches_do_not_share_memory_with_the_data_set():
    data = np.zeros((6, 2))
    for x, _ in DataLoader((data, np.arange(6)), 2, shuffle=False):
        x += 1
    assert not data.any()


@pytest.mark.parametrize("batch_size, error, message", [
    (0, ValueError, "DataLoader: expected batch_size >= 1, got 0"),
    (-3, ValueError, "DataLoader: expected batch_size >= 1, got -3"),
    (33.3, TypeError, "DataLoader: expected batch_size to be an int, got 33.3; divide by //"),
    (True, TypeError, "DataLoader: expected batch_size to be an int, got True"),
    (None, TypeError, "DataLoader: expected batch_size to be an int, got None"),
    ("32", TypeError, "DataLoader: expected batch_size to be an int, got '32'"),
])  # fmt: skip
def test_a_bad_batch_size_is_refused_at_the_call(batch_size, error, message):
    with pytest.raises(error, match=message):
        DataLoader(numbers(10), batch_size)


def test_a_numpy_integer_is_a_batch_size():
    loader = DataLoader(numbers(10), np.int64(4))
    assert len(loader) == 3 and type(loader.batch_size) is int


@pytest.mark.parametrize("dataset", [[], (np.empty((0, 3)), np.empty(0)), ArrayDataset([])])
def test_an_empty_data_set_is_refused(dataset):
    with pytest.raises(ValueError, match="DataLoader: expected at least 1 example, got an empty data set"):
        DataLoader(dataset, 4)


def test_dropping_the_only_batch_is_refused():
    with pytest.raises(ValueError, match="expected at least 11 examples, got 10 and drop_last=True; lower batch_size"):
        DataLoader(numbers(10), 11, drop_last=True)
    assert len(DataLoader(numbers(10), 10, drop_last=True)) == 1


@pytest.mark.parametrize("dataset, name", [(np.eye(3), "ndarray"), (iter([]), "list_iterator"), (None, "NoneType")])
def test_what_is_no_data_set_is_refused(dataset, name):
    with pytest.raises(TypeError, match=rf"DataLoader: expected a Dataset, .* got {name}; give \(X, None\)"):
        DataLoader(dataset, 4)


def test_unequal_lengths_are_refused():
    with pytest.raises(ValueError, match="one label per example, got 3 examples and 4 labels"):
        DataLoader((np.eye(3), np.arange(4)), 2)


def test_examples_that_are_no_pairs_are_refused():
    with pytest.raises(TypeError, match=r"batch: expected examples \(x, t\), got int; without t, give \(x, None\)"):
        next(iter(DataLoader([1, 2, 3], 2)))


def test_examples_of_different_shapes_are_refused():
    ragged = [(np.zeros(3), 0), (np.zeros(4), 1)]
    with pytest.raises(ValueError, match=r"batch: expected examples of one shape, got \(3,\), \(4,\); crop or pad"):
        next(iter(DataLoader(ragged, 2)))


# ---- state -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("again", [copy.deepcopy, lambda loader: pickle.loads(pickle.dumps(loader))])
@pytest.mark.parametrize("make", [Digits, Spiral, lambda: ArrayDataset(np.arange(50))])
def test_a_copy_goes_on_where_the_loader_is(make, again):
    loader = DataLoader(make(), 7, rng=0)
    list(loader)
    other = again(loader)
    for _ in range(2):
        for (x, t), (x_other, t_other) in zip(loader, other, strict=True):
            assert np.array_equal(x, x_other) and np.array_equal(t, t_other)


def test_the_generators_state_is_the_loaders_state():
    loader = DataLoader(numbers(50), 7, rng=0)
    state = loader.rng.bit_generator.state
    first = order(loader)
    assert order(loader) != first
    loader.rng.bit_generator.state = state
    assert order(loader) == first


# ---- SeqDataLoader ---------------------------------------------------------------------------------------------------


@given(n=st.integers(1, 60), batch_size=st.integers(1, 60))
def test_sequences_go_on_from_batch_to_batch(n, batch_size):
    assume(n >= batch_size)
    loader = SeqDataLoader(numbers(n), batch_size)
    batches = list(loader)
    assert len(batches) == len(loader) == -(-n // batch_size)
    x = np.array([x for x, _ in batches])
    assert x.shape == (len(loader), batch_size)
    assert x[0].tolist() == [i * n // batch_size for i in range(batch_size)]
    assert ((x[1:] - x[:-1]) % n == 1 % n).all()
    assert set(x.ravel()) == set(range(n))
    assert all(np.array_equal(t, 10 * x) for x, t in batches)


def test_a_curve_in_sequences():
    loader = SeqDataLoader(SinCurve(), 30)
    (x0, t0), (x1, _), *_ = loader
    assert x0.shape == t0.shape == (30, 1) and np.array_equal(t0, x1)
    assert len(list(loader)) == len(list(loader)) == 34


@pytest.mark.parametrize("dataset, batch_size, error, message", [
    (numbers(3), 4, ValueError, "SeqDataLoader: expected at least 4 examples, got 3; lower batch_size"),
    (numbers(3), 0, ValueError, "SeqDataLoader: expected batch_size >= 1, got 0"),
    (numbers(3), 1.5, TypeError, "SeqDataLoader: expected batch_size to be an int, got 1.5"),
    ([], 1, ValueError, "SeqDataLoader: expected at least 1 example, got an empty data set"),
    (np.eye(3), 1, TypeError, "SeqDataLoader: expected a Dataset, .* got ndarray"),
])  # fmt: skip
def test_what_is_no_sequence_is_refused(dataset, batch_size, error, message):
    with pytest.raises(error, match=message):
        SeqDataLoader(dataset, batch_size)
