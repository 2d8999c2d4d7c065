"""Train a small network on the handwritten digits that come with the package, and draw what happened.

    python examples/digits.py

No download, a few seconds. Writes the computation graph and the learning curves as pictures into examples/output/.
"""

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np
from running import at_least_one, run

import tinygrad_jp.functions as F
from tinygrad_jp import DataLoader, datasets, models, no_grad, optimizers, plot_dot_graph, progress, seed, test_mode

OUTPUT = Path(__file__).parent / "output"


def accuracy(model, dataset):
    """The share of examples that the model gets right."""
    x, t = dataset[:]
    with no_grad(), test_mode():
        return F.accuracy(model(x), t).item()


def train(model, train_set, test_set, epochs, batch_size, lr=0.001, decay=1.0):
    """Train with Adam, whose rate shrinks by `decay` after each epoch; give the losses of all steps, and accuracies."""
    optimizer = optimizers.Adam(lr).setup(model)
    loader = DataLoader(train_set, batch_size)
    losses, accuracies = [], []
    print("epoch    loss   train    test")
    for epoch in range(1, epochs + 1):
        for x, t in (bar := progress(loader, desc=f"epoch {epoch}")):
            loss = F.softmax_cross_entropy(model(x), t)
            model.cleargrads()
            loss.backward()
            optimizer.update()
            losses.append(loss.item())
            bar.note = f"loss {loss:.4f}"
        optimizer.lr *= decay
        accuracies.append((accuracy(model, train_set), accuracy(model, test_set)))
        mean = np.mean(losses[-len(loader) :])
        print(f"{epoch:5}  {mean:.4f}  {accuracies[-1][0]:6.2%}  {accuracies[-1][1]:6.2%}", flush=True)
    return losses, accuracies


def draw(name, model, train_set, losses, accuracies, out):
    """Write the graph of one step on three examples, and the curves; say where."""
    out.mkdir(parents=True, exist_ok=True)
    x, t = train_set[:3]
    graph = plot_dot_graph(F.softmax_cross_entropy(model(x), t), to_file=out / f"{name}_graph.svg")

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    left.plot(losses, linewidth=0.8, color="tab:orange")
    left.set(title="loss of each step", xlabel="step", ylabel="loss", yscale="log")
    epochs = range(1, len(accuracies) + 1)
    for label, values in zip(("train", "test"), zip(*accuracies, strict=True), strict=True):
        right.plot(epochs, values, marker="o", markersize=4, label=f"{label}: {values[-1]:.2%}")
    right.set(title="accuracy after each epoch", xlabel="epoch", ylabel="accuracy")
    right.xaxis.get_major_locator().set_params(integer=True)
    right.legend()
    for axes in (left, right):
        axes.grid(alpha=0.3)
    curves = out / f"{name}_curves.png"
    figure.savefig(curves, dpi=120)
    plt.close(figure)
    print(f"the computation graph: {graph}\nthe learning curves:   {curves}")


def arguments(description, epochs):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--epochs", type=at_least_one, default=epochs, metavar="N")
    parser.add_argument("--out", type=Path, default=OUTPUT, help="where the pictures go (default: %(default)s)")
    return parser


def main(argv=None):
    args = arguments("Train an MLP on 8x8 digits.", epochs=20).parse_args(argv)
    seed(0)
    train_set, test_set = datasets.Digits(train=True), datasets.Digits(train=False)
    model = models.MLP((100, 10), activation=F.relu)
    losses, accuracies = train(model, train_set, test_set, args.epochs, batch_size=32)
    draw("digits", model, train_set, losses, accuracies, args.out)
    return accuracies[-1]


if __name__ == "__main__":
    run(main)
