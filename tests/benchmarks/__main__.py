"""The command: check, time, print."""

import argparse
import os
import platform
import re
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

import tests.benchmarks
from tests.benchmarks import gpu
from tests.benchmarks.curves import draw
from tests.benchmarks.peers import PEERS, load
from tests.benchmarks.timing import SETTINGS, beginnings, medians, memory, threads
from tests.benchmarks.works import WORKS, differences

OURS = "tinygrad_jp"


def options():
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description=tests.benchmarks.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--work", nargs="+", metavar="NAME", choices=WORKS, default=list(WORKS), help="only these works"
    )
    parser.add_argument("--peer", nargs="+", metavar="NAME", choices=PEERS, default=PEERS, help="only these peers")
    parser.add_argument("--quick", action="store_true", help="few rounds, for a first look")
    parser.add_argument("--markdown", action="store_true", help="print the table in Markdown")
    parser.add_argument("--curves", metavar="FILE", help="draw how time and memory grow, by hand, here and in torch")
    parser.add_argument("--first", action="store_true", help="the first three steps, in which programs are made")
    parser.add_argument(
        "--gpu", nargs="*", metavar="PART", choices=gpu.LIMITS, help="what there is to do on a GPU: see gpu.py"
    )
    parser.add_argument("--list", action="store_true", help="print the works and the peers, and stop")
    return parser.parse_args()


def named(peer):
    """The peer with its version, where it has one."""
    try:
        return f"{peer} {version(peer)}"
    except PackageNotFoundError:
        return peer


def machine():
    """What the numbers depend on."""
    cpuinfo = Path("/proc/cpuinfo")
    cpu = re.search(r"model name\s*:\s*(.*)", cpuinfo.read_text()) if cpuinfo.exists() else None
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    told = [f"{name}={os.environ[name]}" for name in SETTINGS if os.environ.get(name)]
    yield f"{cpu[1] if cpu else platform.processor()}, {os.cpu_count()} cores, {platform.system()}"
    yield f"Python {platform.python_version()}, NumPy {np.__version__}, {blas['name']} {blas['version']}"
    yield f"Threads: {threads()} ({' '.join(told) or 'nothing set in the environment'})"


def cell(x, ours):
    """A number of three digits, and in brackets how many of it ours is."""
    if x is None:
        return "-"
    digits = np.format_float_positional(x, precision=3, fractional=False, trim="-")
    return digits if x is ours else f"{digits} ({ours / x:.2f})"


def first_steps(works, peers):
    """Rows for what it takes to record and write programs, beside what other compilers take."""
    chosen = {peer: peers[peer] for peer in (OURS, "compiled", "jax") if peer in peers}
    yield ["first three steps, ms and MB", *chosen]
    for work in works:
        measured = beginnings(work, chosen)
        yield [
            work,
            *(f"{measured[peer][0]:.0f}, {measured[peer][1]:.0f}" if peer in measured else "-" for peer in chosen),
        ]


def table(rows, markdown):
    """The rows as lines: the first column to the left, the others to the right."""
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    lines = [[f"{c:>{n}}" if i else f"{c:<{n}}" for i, (c, n) in enumerate(zip(r, widths, strict=True))] for r in rows]
    if markdown:
        lines.insert(1, ["-" * (n - 1) + "-:"[i > 0] for i, n in enumerate(widths)])
    return [f"| {' | '.join(line)} |" if markdown else "   ".join(line) for line in lines]


def main():
    args = options()
    if args.gpu is not None:
        gpu.main(args.gpu)
        return
    peers = {peer: steps for peer in PEERS if (steps := load(peer))}
    if args.list:
        print(*(f"{name:12}{work.about}" for name, work in WORKS.items()), "", sep="\n")
        print(*(named(peer) if peer in peers else f"{peer}: not installed" for peer in PEERS), sep="\n")
        return
    if args.first:
        print(*machine(), "", *table([*first_steps(args.work, peers)], args.markdown), sep="\n")
        return
    if args.curves:
        print("drawn:", draw(args.curves, {peer: peers[peer] for peer in ("hand", "torch", OURS) if peer in peers}))
        return
    chosen = {peer: steps for peer, steps in peers.items() if peer in (OURS, *args.peer)}
    for work in args.work:
        print(f"{work}: comparing results", file=sys.stderr)
        if wrong := list(differences(work, {"hand": peers["hand"]} | chosen)):
            sys.exit("\n".join(["The peers do not compute the same, so nothing is timed.", *wrong]))
    measured = {}
    for work in args.work:
        print(f"{work}: timing", file=sys.stderr)
        seconds = medians(work, chosen, *((1, 3) if args.quick else (10, 15)))
        measured[f"{work}, ms"] = {peer: 1e3 * s for peer, s in seconds.items()}
        if work == "mlp60000":
            measured[f"{work}, MB"] = memory(work, chosen)
    rows = [
        [title, *(cell(values.get(peer), values.get(OURS)) for peer in chosen)] for title, values in measured.items()
    ]
    print(*machine(), ", ".join(map(named, chosen)), "", *table([["", *chosen], *rows], args.markdown), sep="\n")


if __name__ == "__main__":
    main()
