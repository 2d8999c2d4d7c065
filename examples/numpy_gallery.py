"""Six pieces of plain NumPy, and what their gradients are good for.

    python examples/numpy_gallery.py

A Gaussian process by `cholesky`, principal components by `eigh`, a curve through points by `interp`, a filter by
`convolve`, quantile regression, and a robust mean by `median`. Each is a function of arrays that knows nothing of
gradients; `descend` follows them.
"""

import argparse

import numpy as np

from tinygrad_jp import value_and_grad


def descend(f, x, lr, steps):
    """x after some steps down the gradient of f."""
    for _ in range(steps):
        _, gx = value_and_grad(f)(x)
        x = x - lr * gx
    return x


def gaussian_process(rng):
    """The length scale and the noise that make what was measured likeliest."""
    x = np.linspace(0, 6, 25)
    y = np.sin(x) + 0.1 * rng.standard_normal(25)

    def minus_log_likelihood(logs):
        length, noise = np.exp(logs)[0], np.exp(logs)[1]
        L = np.linalg.cholesky(np.exp(-(((x[:, None] - x) / length) ** 2) / 2) + noise**2 * np.eye(25))
        return np.sum(np.linalg.solve(L, y) ** 2) / 2 + np.sum(np.log(np.diagonal(L)))

    length, noise = np.exp(descend(minus_log_likelihood, np.log([0.5, 0.5]), lr=0.02, steps=200))
    return f"noise of {noise:.2f}, length scale {length:.1f}"


def principal_components(rng):
    """How much the largest variance of the data moves with each column's scale."""
    data = rng.standard_normal((200, 3)) * [3.0, 1.0, 0.3]
    _, slope = value_and_grad(lambda scale: np.linalg.eigh(np.cov(data * scale, rowvar=False)).eigenvalues[-1])(
        np.ones(3)
    )
    return f"variance by scale: {', '.join(f'{s:.1f}' for s in slope)}"


def curve(rng):
    """The heights of a polyline that fits noisy points."""
    x = rng.uniform(0, 3, 200)
    y = np.sin(x) + 0.1 * rng.standard_normal(200)
    knots = np.linspace(0, 3, 5)
    heights = descend(lambda h: np.mean((np.interp(x, knots, h) - y) ** 2), np.zeros(5), lr=1.0, steps=200)
    return f"heights {', '.join(f'{h:.2f}' for h in heights)}"


def filtered(rng):
    """The kernel that a signal was convolved with."""
    signal, kernel = rng.standard_normal(100), np.array([0.2, 0.5, 0.3])
    seen = np.convolve(signal, kernel, "valid")
    found = descend(lambda k: np.mean((np.convolve(signal, k, "valid") - seen) ** 2), np.zeros(3), lr=0.3, steps=100)
    return f"kernel {', '.join(f'{k:.2f}' for k in found)}"


def quantile_regression(rng):
    """The line below which nine tenths of the points lie."""
    x = rng.uniform(0, 1, 500)
    y = 2 * x + rng.uniform(0, 1, 500)

    def pinball(line):
        above = y - (line[0] * x + line[1])
        return np.mean(np.maximum(0.9 * above, -0.1 * above))

    slope, start = descend(pinball, np.zeros(2), lr=0.5, steps=500)
    return f"{np.mean(y < slope * x + start):.0%} of the points below the line"


def robust_mean(rng):
    """The middle of points of which a tenth are far off, by the mean of medians of groups."""
    x = np.where(rng.random(99) < 0.1, 100.0, rng.normal(5.0, 1.0, 99)).reshape(9, 11)
    middle, share = value_and_grad(lambda x: np.mean(np.median(x, axis=1)))(x)
    return f"middle {middle:.1f}, moved by {np.count_nonzero(share)} of {x.size} points; mean {x.mean():.1f}"


GALLERY = (gaussian_process, principal_components, curve, filtered, quantile_regression, robust_mean)


def main():
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    for piece in GALLERY:
        print(f"{piece.__name__.replace('_', ' '):22}{piece(np.random.default_rng(0))}")


if __name__ == "__main__":
    from running import run

    run(main)
