"""Train a small convolutional network on the handwritten digits that come with the package, and draw what it learned.

    python examples/digits_cnn.py

No download, some seconds. Writes a picture into examples/output/: the kernels of the first layer, the learning curves,
and the digits of the test set that it gets wrong.
"""

import math

import matplotlib as mpl
import numpy as np
from digits import arguments, train

import tinygrad_jp.functions as F
import tinygrad_jp.layers as L
from tinygrad_jp import datasets, models, no_grad, seed, test_mode


def network():
    """Three convolutions, each normalized and rectified; two halve the image of 8 by 8 pixels."""
    return models.Sequential(
        L.Conv2d(16, 5, pad=2), L.BatchNorm(), F.relu,
        L.Conv2d(32, 3, pad=1), L.BatchNorm(), F.relu, halved,
        L.Conv2d(64, 3, pad=1), L.BatchNorm(), F.relu, halved,
        F.flatten, L.Dropout(0.5), L.Linear(10),
    )  # fmt: skip


def halved(x):
    """Images of half the size: the largest of each two by two pixels."""
    return F.pooling(x, 2, 2)


def tiles(figure, images, titles, **style):
    """Draw the images as a square of fields, each with its title."""
    side = max(1, math.ceil(math.sqrt(len(images))))
    fields = figure.subplots(side, side, squeeze=False).ravel()
    for field in fields:
        field.axis("off")
    for field, image, title in zip(fields, images, titles, strict=False):
        field.imshow(image, **style)
        field.set_title(title, fontsize=9)


def draw(model, test_set, accuracies, path):
    """Write the picture: kernels, learning curves, and the digits that the model gets wrong, 25 at most."""
    x, t = test_set[:]
    with no_grad(), test_mode():
        guesses = model(x).data.argmax(axis=1)
    wrong = np.flatnonzero(guesses != t)
    kernels = model.layers[0].W.data[:, 0]

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(13, 4), layout="constrained")
    left, middle, right = figure.subfigures(1, 3)
    left.suptitle("kernels of the first layer")
    most = abs(kernels).max()
    tiles(left, kernels, [""] * len(kernels), cmap="coolwarm", vmin=-most, vmax=most)
    axes = middle.subplots()
    epochs = range(1, len(accuracies) + 1)
    for label, values in zip(("train", "test"), zip(*accuracies, strict=True), strict=True):
        axes.plot(epochs, values, marker="o", markersize=4, label=f"{label}: {values[-1]:.2%}")
    axes.set(title="accuracy after each epoch", xlabel="epoch", ylabel="accuracy")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    axes.legend()
    right.suptitle(f"wrong: {len(wrong)} of {len(t)}")
    tiles(right, x[wrong[:25], 0], [f"{t[i]}, guessed {guesses[i]}" for i in wrong], cmap="gray_r")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)
    print(f"{len(wrong)} of {len(t)} digits are wrong\nkernels, curves and wrong digits: {path}")


def main(argv=None):
    args = arguments("Train a convolutional network on 8x8 digits.", epochs=12).parse_args(argv)
    seed(0)
    images = datasets.Scale(16, flatten=False)
    train_set, test_set = datasets.Digits(train=True, transform=images), datasets.Digits(train=False, transform=images)
    model = network()
    _, accuracies = train(model, train_set, test_set, args.epochs, batch_size=32, lr=0.003, decay=0.8)
    print(models.summary(model, test_set[:1][0]))
    draw(model, test_set, accuracies, args.out / "digits_cnn.png")
    return accuracies[-1]


if __name__ == "__main__":
    from running import run

    run(main)
