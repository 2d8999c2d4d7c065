"""Real MNIST on several processes, which each take a part of every batch: the losses are those of one process.

    pip install "tinygrad_jp[mpi]"
    mpiexec -n 2 python examples/mnist_parallel.py

Reads the files from the directory in TINYGRAD_JP_DATA, else downloads them once (11 MB). Without mpiexec it is one
process. On one machine whose cores all work already, more processes are no faster: this is for several machines.
"""

import argparse

import numpy as np
from running import at_least_one, run

import tinygrad_jp.functions as F
from tinygrad_jp import DataLoader, datasets, models, no_grad, optimizers, progress, seed
from tinygrad_jp.parallel import World


def as_row(image):
    return image.reshape(-1).astype(np.float32) / 255


def main(argv=None):
    parser = argparse.ArgumentParser(description="Train an MLP on MNIST, on as many processes as mpiexec starts.")
    parser.add_argument("--epochs", type=at_least_one, default=5)
    parser.add_argument("--examples", type=at_least_one, default=60_000, help="how many to train on (default: all)")
    args = parser.parse_args(argv)

    world = World()
    seed(0)
    train_set, test_set = (datasets.MNIST(train=train, transform=as_row) for train in (True, False))
    loader = DataLoader(datasets.Subset(train_set, range(args.examples)), batch_size=100)
    test_loader = DataLoader(test_set, batch_size=1000, shuffle=False)
    model = models.MLP((100, 100, 10), activation=F.relu)
    model(np.zeros((1, 784)))  # The weights are made.
    world.alike(model)
    optimizer = optimizers.Adam(0.002).setup(model).add_hook(world.average)

    accuracy = 0.0
    for epoch in range(1, args.epochs + 1):
        total = 0.0
        for x, t in progress(world.parts(loader), desc=f"epoch {epoch}"):
            loss = F.softmax_cross_entropy(model(x), t)
            model.cleargrads()
            loss.backward()
            optimizer.update()
            total += world.mean(loss)
        with no_grad():
            found = [world.mean(F.accuracy(model(x), t)) for x, t in world.parts(test_loader)]
        accuracy = sum(found) / len(found)
        if world.rank == 0:
            print(f"epoch {epoch}, processes: {world.size}, loss {total / len(loader):.4f}, test {accuracy:.2%}")
    return accuracy


if __name__ == "__main__":
    run(main)
