"""Train a small GPT to write on, character by character, and draw where it looks.

    python examples/gpt.py
    python examples/gpt.py --text my.txt --steps 5000

No download: where no `--text` is given, it reads what comes with Python, the text of its `help()`. About a minute on
one core takes it from 6.4 bits for each character, where it knows nothing, to below 2 on text it has not seen. Writes
the learning curve and the attention of each head as a picture into examples/output/.
"""

import argparse
import math
from pathlib import Path
from pydoc_data.topics import topics

import matplotlib as mpl
import numpy as np
from running import at_least_one, run

import tinygrad_jp.functions as F
from tinygrad_jp import models, no_grad, optimizers, progress, test_mode
from tinygrad_jp.core import toposort

OUTPUT = Path(__file__).parent / "output"
BATCH, CONTEXT = 16, 64


class Text:
    """A text as numbers, the first nine tenths for training, the rest to test on."""

    def __init__(self, text):
        self.chars = sorted(set(text))
        numbers = {char: i for i, char in enumerate(self.chars)}
        self.ids = np.array([numbers[char] for char in text])
        self.train, self.test = np.split(self.ids, [len(text) * 9 // 10])

    def decode(self, ids):
        return "".join(self.chars[i] for i in ids)


def windows(ids, starts):
    """Pieces x (N, CONTEXT) of the text, and as t the same pieces one character further on."""
    pieces = ids[np.reshape(starts, (-1, 1)) + np.arange(CONTEXT + 1)]
    return pieces[:, :-1], pieces[:, 1:]


def bits(model, ids):
    """How many bits the model needs for each character of `ids`: its loss, to the base of 2."""
    x, t = windows(ids, np.arange(0, len(ids) - CONTEXT, CONTEXT)[:100])
    with no_grad(), test_mode():
        return F.softmax_cross_entropy(model(x), t).item() / math.log(2)


def train(model, text, steps, rng):
    """Train with Adam; give the bits of all steps, and {step: bits on the test text}."""
    optimizer = optimizers.Adam(optimizers.schedules.cosine(0.005, steps, warmup=min(100, steps // 4))).setup(model)
    losses, tests = [], {0: bits(model, text.test)}
    for step in (bar := progress(range(1, steps + 1), desc="training")):
        x, t = windows(text.train, rng.integers(0, len(text.train) - CONTEXT, BATCH))
        loss = F.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        losses.append(loss.item() / math.log(2))
        if step % max(1, steps // 10) == 0:
            tests[step] = bits(model, text.test)
            bar.note = f"{tests[step]:.2f} bits per character"
    return losses, tests


def sample(model, text, title, rng):
    """Print what the model writes after the first words of the test text."""
    ids = model.generate(text.test[None, :CONTEXT], 300, temperature=0.8, rng=rng)[0]
    print(f"\n--- {title}\n{text.decode(ids[:CONTEXT])} ||{text.decode(ids[CONTEXT:])}\n---", flush=True)


def attention(model, ids):
    """The weights of all layers and heads, (T, T) each: they stand in the graph."""
    functions = toposort(model(ids[None]).creator)[::-1]
    return [f.y[0] for f in functions if f.name == "attention_weights"]


def draw(model, text, losses, tests, path):
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    ids = text.test[:24]  # As many as can be read.
    layers = attention(model, ids)
    figure = plt.figure(figsize=(17, 6.5), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1, 2))
    axes = left.subplots()
    axes.plot(losses, linewidth=0.6, color="tab:orange", label="each step")
    axes.plot(list(tests), list(tests.values()), marker="o", markersize=4, label="text not trained on")
    axes.set(title="bits per character", xlabel="step", ylabel="bits")
    axes.grid(alpha=0.3)
    axes.legend()
    right.suptitle("which characters (across) each character (down) looks at")
    labels = [repr(c)[1:-1] if c != " " else "_" for c in text.decode(ids)]
    for n, row in enumerate(right.subplots(len(layers), len(layers[0]), squeeze=False)):
        for i, axes in enumerate(row):
            axes.imshow(layers[n][i] ** 0.5, cmap="viridis")
            axes.set_title(f"layer {n}, head {i}", fontsize=8)
            axes.set_xticks(range(len(ids)), labels, fontsize=6.5)
            axes.set_yticks(range(len(ids)), labels, fontsize=6.5)
            axes.set_xlabel("looked at", fontsize=8)
            axes.set_ylabel("looks", fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    plt.close(figure)
    print(f"the learning curve and the attention: {path}")


def main(argv=None):
    parser = argparse.ArgumentParser(description="Train a small GPT on a text.")
    parser.add_argument("--text", type=Path, help="a file to learn from (default: the text of Python's help)")
    parser.add_argument("--steps", type=at_least_one, default=2500)
    parser.add_argument("--out", type=Path, default=OUTPUT, help="where the picture goes (default: %(default)s)")
    args = parser.parse_args(argv)
    text = Text(args.text.read_text(encoding="utf-8") if args.text else "\n\n".join(topics.values())[:200_000])
    rng = np.random.default_rng(0)
    model = models.GPT(len(text.chars), context=CONTEXT, rng=rng)
    print(f"{len(text.ids):,} characters, {len(text.chars)} different ones")
    sample(model, text, "before training", rng)
    losses, tests = train(model, text, args.steps, rng)
    sample(model, text, "after training", rng)
    draw(model, text, losses, tests, args.out / "gpt.png")
    print(f"bits per character, before and after: {tests[0]:.2f} {bits(model, text.test):.2f}")


if __name__ == "__main__":
    run(main)
