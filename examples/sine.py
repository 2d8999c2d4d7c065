"""Teach an RNN, an LSTM and a GRU a noisy sine, one value ahead, and let each of them draw on by itself.

    python examples/sine.py

No download, some seconds. The curve is one period of 1,000 points; every 20th of them gives 20 sequences of 50 values,
which begin a little later each. As the end of a period joins its beginning, the layers keep their state from one period
to the next, and the gradient is cut off after every 25 steps. Writes a picture into examples/output/.
"""

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np
from running import at_least_one, run

import tinygrad_jp.layers as L
from tinygrad_jp import datasets, models, no_grad, optimizers, progress, seed

OUTPUT = Path(__file__).parent / "output"
LAYERS = {"RNN": L.RNN, "LSTM": L.LSTM, "GRU": L.GRU}
STRIDE, PERIOD, PORTION = 20, 50, 25


def sequences(train):
    """Every 20th value of the curve, from each of the first 20 on: (20, 50, 1)."""
    x, t = datasets.SinCurve(train=train)[:]
    return np.append(x, t[-1:]).reshape(PERIOD, STRIDE).T[:, :, np.newaxis]


def train(model, name, epochs):
    """Train by truncated backpropagation through time; give the mean loss of each period."""
    optimizer = optimizers.Adam(optimizers.schedules.cosine(0.01, 2 * epochs)).setup(model)
    x = sequences(train=True)
    t = np.roll(x, -1, axis=1)
    losses = []
    for _ in (bar := progress(range(epochs), desc=f"{name:4}")):
        parts = []
        for start in range(0, PERIOD, PORTION):
            part = slice(start, start + PORTION)
            loss = np.mean((model(x[:, part]) - t[:, part]) ** 2)
            model.cleargrads()
            loss.backward()
            loss.unchain_backward()  # The state is kept, but not how it came about.
            optimizer.update()
            parts.append(loss.item())
        losses.append(np.mean(parts))
        bar.note = f"loss {losses[-1]:.5f}"
    return losses


def continued(model, start, steps):
    """What the model makes of `start` (T, 1), one value ahead, and then `steps` values from its own."""
    model.layers[0].reset_state()
    with no_grad():
        ys = list(model(start[np.newaxis]).data[0])
        while len(ys) < len(start) + steps:
            ys.append(model(ys[-1][np.newaxis]).data[0])
    return np.ravel(ys)


def draw(curve, drawn, losses, path):
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(drawn) + 1, figsize=(10, 9), layout="constrained")
    for (name, ys), field in zip(drawn.items(), axes, strict=False):
        field.plot(curve, color="0.75", linewidth=4, label="the curve")
        field.plot(range(1, len(ys) + 1), ys, linewidth=1.2, label=f"{name}, one value ahead; then by itself")
        field.axvline(PERIOD, color="0.5", linestyle=":")
        field.set(xlabel="step", ylabel="value")
        field.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, fontsize=8)
        axes[-1].plot(losses[name], linewidth=0.9, label=name)
    axes[-1].set(title="mean squared error while training", xlabel="period", ylabel="loss", yscale="log")
    axes[-1].legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)
    print(f"the predictions and the losses: {path}")


def main(argv=None):
    parser = argparse.ArgumentParser(description="Predict a noisy sine by recurrent networks.")
    parser.add_argument("--epochs", type=at_least_one, default=500, help="periods to train on (default: %(default)s)")
    parser.add_argument("--hidden", type=at_least_one, default=32, help="size of the state (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=OUTPUT, help="where the picture goes (default: %(default)s)")
    args = parser.parse_args(argv)
    seed(0)
    period = sequences(train=False)[0]  # Without noise, and a quarter of a period ahead: a cosine.
    curve = np.tile(period.ravel(), 4)
    drawn, losses, errors = {}, {}, {}
    print("       loss    test error: one ahead, 3 periods by itself")
    for name, layer in LAYERS.items():
        model = models.Sequential(layer(args.hidden), L.Linear(1))
        losses[name] = train(model, name, args.epochs)
        drawn[name] = continued(model, period, 3 * PERIOD - 1)
        off = (drawn[name] - curve[1:]) ** 2
        errors[name] = [np.sqrt(part.mean()) for part in (off[10:PERIOD], off[PERIOD:])]
        print(f"{name:4}  {losses[name][-1]:.5f}  {errors[name][0]:21.4f}{errors[name][1]:22.4f}", flush=True)
    draw(curve, drawn, losses, args.out / "sine.png")
    return errors


if __name__ == "__main__":
    run(main)
