"""The same on real MNIST: 784-100-100-10 with ReLU, 60,000 digits of 28x28 pixels.

    python examples/mnist.py

Reads the files from the directory in TINYGRAD_JP_DATA, else downloads them once (11 MB).
"""

from digits import arguments, draw, train
from running import at_least_one, run

import tinygrad_jp.functions as F
from tinygrad_jp import datasets, models, seed


def main(argv=None):
    parser = arguments("Train an MLP on MNIST.", epochs=5)
    parser.add_argument("--examples", type=at_least_one, default=60_000, help="how many to train on (default: all)")
    args = parser.parse_args(argv)
    seed(0)
    train_set, test_set = datasets.MNIST(train=True), datasets.MNIST(train=False)
    train_set.data, train_set.label = train_set.data[: args.examples], train_set.label[: args.examples]
    model = models.MLP((100, 100, 10), activation=F.relu)
    losses, accuracies = train(model, train_set, test_set, args.epochs, batch_size=100, lr=0.002, decay=0.6)
    draw("mnist", model, train_set, losses, accuracies, args.out)
    return accuracies[-1]


if __name__ == "__main__":
    run(main)
