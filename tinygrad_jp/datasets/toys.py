"""Small computed data sets: classes to separate, and a curve to predict."""

from typing import Any, Literal

import numpy as np

from tinygrad_jp.datasets.dataset import Dataset, Transform
from tinygrad_jp.randomness import Rng, generator, seeded_as_in_the_book
from tinygrad_jp.transforms import Array

__all__ = ["SinCurve", "Spiral", "TwoMoons"]


class Toy(Dataset):
    """A data set made from random numbers that `rng` determines: the same each time, others for testing."""

    def __init__(
        self,
        train: bool = True,
        transform: Transform = None,
        target_transform: Transform = None,
        *,
        rng: Rng = 0,
    ) -> None:
        # One seed gives two sequences: a test set that repeated the training set would test nothing.
        self.rng = np.random.default_rng([rng, not train]) if isinstance(rng, int | np.integer) else generator(rng)
        super().__init__(train, transform, target_transform)

    def keep(self, x: Array, t: Array) -> None:
        """Keep points and their classes, shuffled: x as float32."""
        order = self.rng.permutation(len(x))
        self.data, self.label = x[order].astype(np.float32), t[order]


class Spiral(Toy):
    """Three arms of a spiral, 100 points each: x is float32 ``(2,)`` in [-1, 1], t the arm 0, 1 or 2; N = 300.

    Point i of arm j lies at radius r = i / 100 and angle 4 j + 4 r + noise, in radians; the noise is normal, of
    standard deviation 0.2. `rng` is a seed, a Generator, or None for the default generator, which `tinygrad_jp.seed`
    seeds. By default the points are those of the DeZero book, one set for training and another for testing. As there,
    `np.random.seed(1984)`, for testing `(2020)`, comes first, so that what is drawn after them is the book's, too; not
    after `tinygrad_jp.seed` or with `rng=`, where NumPy's global state stays as it is.

    Source: the DeZero book (Koki Saito, 2020), step 48, after A. Karpathy's CS231n notes.

    >>> x, t = Spiral()[:]
    >>> x.shape, np.bincount(t)
    ((300, 2), array([100, 100, 100]))
    """

    def __init__(
        self,
        train: bool = True,
        transform: Transform = None,
        target_transform: Transform = None,
        *,
        rng: Rng | Literal["book"] = "book",
    ) -> None:
        rng = seeded_as_in_the_book(1984 if train else 2020) if isinstance(rng, str) else rng
        super().__init__(train, transform, target_transform, rng=rng)

    def prepare(self) -> None:
        """Compute the points, arm after arm."""
        arm, radius = np.divmod(np.arange(300), 100)
        radius = radius / 100
        angle = 4 * arm + 4 * radius + 0.2 * self.rng.standard_normal(300)
        self.keep(np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1), arm)


def get_spiral(train: bool = True) -> tuple[Any, Any]:
    """The arrays of `Spiral`, as DeZero gives them."""
    spiral = Spiral(train)
    return spiral.data, spiral.label


class TwoMoons(Toy):
    """Two interleaving half circles: x is float32 ``(2,)``, t is 0 (upper) or 1 (lower); N = `n`.

    The upper moon is (cos a, sin a), the lower (1 - cos a, 1/2 - sin a), for angles a that divide [0, π] evenly. Normal
    noise of standard deviation `noise` is added to each coordinate. No straight line separates the two.

    `rng` is as in `Spiral`. Raises ValueError unless n >= 2 and noise >= 0. Source: scikit-learn's `make_moons`.

    >>> x, t = TwoMoons(n=500, noise=0.05)[:]
    >>> x.shape, np.bincount(t)
    ((500, 2), array([250, 250]))
    """

    def __init__(
        self,
        train: bool = True,
        transform: Transform = None,
        target_transform: Transform = None,
        *,
        n: int = 200,
        noise: float = 0.1,
        rng: Rng = 0,
    ) -> None:
        if n < 2 or noise < 0:
            raise ValueError(f"TwoMoons: expected n >= 2 and noise >= 0, got n={n} and noise={noise}")
        self.n, self.noise = n, noise
        super().__init__(train, transform, target_transform, rng=rng)

    def prepare(self) -> None:
        """Compute the points, moon after moon."""
        sizes = [(self.n + 1) // 2, self.n // 2]
        t = np.repeat([0, 1], sizes)
        angle, sign = np.concatenate([np.linspace(0, np.pi, size) for size in sizes]), 1 - 2 * t
        x = np.stack([t + sign * np.cos(angle), t / 2 + sign * np.sin(angle)], axis=1)
        self.keep(x + self.noise * self.rng.standard_normal(x.shape), t)


class SinCurve(Toy):
    """A curve for predicting the next value: x is its value at one moment, t the next one. Both are float32 ``(1,)``.

    The curve has 1,000 points over one period, so N = 999. For training it is a sine with uniform noise in
    [-0.05, 0.05], for testing a cosine without noise. `data` and `label` are ``(999, 1)``.

    `rng` is a seed, a Generator, or None for the default generator. Source: the DeZero book (Koki Saito, 2020),
    step 59; float32 here, float64 there.

    >>> dataset = SinCurve()
    >>> dataset.data.shape, bool((dataset.data[1:] == dataset.label[:-1]).all())
    ((999, 1), True)
    """

    def __init__(
        self,
        train: bool = True,
        transform: Transform = None,
        target_transform: Transform = None,
        *,
        rng: Rng = None,
    ) -> None:
        super().__init__(train, transform, target_transform, rng=rng)

    def prepare(self) -> None:
        """Compute the curve, and cut it into pairs of neighbours."""
        angle = np.linspace(0, 2 * np.pi, 1000)
        y = np.sin(angle) + self.rng.uniform(-0.05, 0.05, 1000) if self.train else np.cos(angle)
        y = y.astype(np.float32)[:, np.newaxis]
        self.data, self.label = y[:-1], y[1:]
