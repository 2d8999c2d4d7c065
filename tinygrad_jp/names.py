"""Names that a module looks up at their first use: rooms that load late, DeZero's names, hints for other libraries'."""

import gc
import sys
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from typing import Any

__all__ = ["DEZERO", "LATE", "MEMBERS", "aliases", "missing"]

_ARITHMETIC = ("add", "sub", "mul", "div", "neg", "pow", "rsub", "rdiv")
_CORE = ("Config", "Function", "Parameter", "Variable", "as_variable", "no_grad")
_SIMPLE = ("linear", "mean_squared_error", "sigmoid", "softmax", "softmax_cross_entropy", "conv2d", "pooling")
_SIZES = ("get_conv_outsize", "get_deconv_outsize", "pair")


def _all(place: str, *names: str) -> dict[str, str]:
    return {name: f"{place}:{name}" for name in names}


# What is loaded at its first use, since an import would take twice as long with it: rooms and modules, and the names
# that they give to those above them.
_ROOMS: dict[str, tuple[str, ...]] = {
    "dataloaders": ("DataLoader", "SeqDataLoader"),
    "datasets": (),
    "debugging": ("debug",),
    "film": ("Film",),
    "fitting": ("History", "fit"),
    "graph": ("draw", "get_dot_graph", "plot_dot_graph"),
    "player": (),
    "programs": ("Source", "compiled", "source"),
    "symbols": (),
    "testing": ("gradient_check",),
    "tracing": ("Trace", "trace"),
    "transforms": (),
}
# For each module where a name is found here: as "module:name", or "module".
LATE: dict[str, dict[str, str]] = {
    "tinygrad_jp": {
        **{room: f"tinygrad_jp.{room}" for room in _ROOMS},
        **{name: place for room in _ROOMS for name, place in _all(f"tinygrad_jp.{room}", *_ROOMS[room]).items()},
    },
    "tinygrad_jp.graph": _all("tinygrad_jp.graph.drawing", "Graph", *_ROOMS["graph"]),
    "tinygrad_jp.models": {
        "GPT": "tinygrad_jp.models.gpt:GPT",
        **_all("tinygrad_jp.models.resnet", "ResNet", *(f"ResNet{n}" for n in (18, 50, 101, 152))),
        "SqueezeNet": "tinygrad_jp.models.squeezenet:SqueezeNet",
        "VGG16": "tinygrad_jp.models.vgg:VGG16",
    },
}
# The same of DeZero's names.
DEZERO: dict[str, dict[str, str]] = {
    "tinygrad_jp": {
        **_all("tinygrad_jp.core", "as_array", "setup_variable"),
        "Dataset": "tinygrad_jp.datasets:Dataset",
        **{name: f"tinygrad_jp.{name}" for name in ("core_simple", "cuda", "dataloaders", "functions_conv", "utils")},
        "is_simple_core": "tinygrad_jp.core_simple:is_simple_core",
    },
    "tinygrad_jp.core": _all("tinygrad_jp.core_simple", "as_array", "setup_variable", *_ARITHMETIC),
    "tinygrad_jp.functions": {
        **_all("tinygrad_jp.core", "Function", "Variable", "as_array", "as_variable"),
        **_all("tinygrad_jp.core_simple", *_ARITHMETIC),
        **{f"{name}_simple": f"tinygrad_jp.functions:{name}" for name in _SIMPLE},
        "batch_nrom": "tinygrad_jp.functions:batch_norm",
        **{name: f"tinygrad_jp.{name}" for name in ("cuda", "utils")},
    },
    "tinygrad_jp.functions_conv": {
        **_all("tinygrad_jp.functions", "average_pooling", "col2im", "conv2d", "deconv2d", "im2col", "linear"),
        **_all("tinygrad_jp.functions", "broadcast_to", "conv2d_simple", "pooling", "pooling_simple"),
        **_all("tinygrad_jp.utils", "col2im_array", "im2col_array", *_SIZES),
        **_all("tinygrad_jp.core", "Function", "as_variable"),
        "cuda": "tinygrad_jp.cuda",
    },
    "tinygrad_jp.core_simple": _all("tinygrad_jp.core", *_CORE, "using_config"),
    "tinygrad_jp.layers": {
        "Parameter": "tinygrad_jp.core:Parameter",
        "pair": "tinygrad_jp.utils:pair",
        "cuda": "tinygrad_jp.cuda",
        "F": "tinygrad_jp.functions",
    },
    "tinygrad_jp.models": {
        "Layer": "tinygrad_jp.layers:Layer",
        "utils": "tinygrad_jp.utils",
        "F": "tinygrad_jp.functions",
        "L": "tinygrad_jp.layers",
    },
    "tinygrad_jp.optimizers": {"Parameter": "tinygrad_jp.core:Parameter", "cuda": "tinygrad_jp.cuda"},
    "tinygrad_jp.datasets": {
        "get_spiral": "tinygrad_jp.datasets.toys:get_spiral",
        "Shakespear": "tinygrad_jp.datasets.text:Shakespear",
        "ImageNet": "tinygrad_jp.datasets.images:ImageNet",
        **_all("tinygrad_jp.utils", "cache_dir", "get_file"),
        **_all("tinygrad_jp.transforms", "Compose", "Flatten", "Normalize", "ToFloat"),
    },
    "tinygrad_jp.transforms": {"pair": "tinygrad_jp.utils:pair"},
    "tinygrad_jp.utils": {
        **_all("tinygrad_jp.core", "Variable", "as_variable"),
        "cuda": "tinygrad_jp.cuda",
    },
}


def _mover(name: str) -> Callable[[Any], Any]:
    """A method that moves a Variable's data by the function `name` of the room `cuda`."""
    return lambda v: lambda: setattr(v, "data", getattr(import_module("tinygrad_jp.cuda"), name)(v))


def _depth(last: Any) -> int:
    """How many Functions the longest way from `last` back to a leaf has."""
    depth, waiting, found = {None: 0}, [last], set()
    while waiting:
        f = waiting.pop()
        if f is not None and f not in found:
            found.add(f)
            waiting += [x.creator for x in f.variables]
    for f in sorted(found, key=lambda f: f.sequence):
        depth[f] = 1 + max((depth[x.creator] for x in f.variables), default=0)
    return depth[last]


def _outputs(f: Any) -> list[Callable[[], Any]]:
    """What the Function f returned, as DeZero gives it: `f.outputs[0]()` is y.

    A recorded function does not know its y. It is looked for in memory, for those who walk through a graph by hand.
    """
    core = import_module("tinygrad_jp.core")
    known = getattr(f, "_results", None)
    if known is not None and all(result() is not None for result in known):
        return known
    if isinstance(f.y, core.Outputs):
        whole = f.whole()
        return [partial(core.apply, core.output, whole, i, len(f.y)) for i in range(len(f.y))]
    held = [] if known else [v for v in gc.get_referrers(f) if isinstance(v, core.Variable) and v.creator is f]
    y = held[0] if held else f.whole()
    return [lambda: y]


def _backward(f: Any) -> Callable[..., Any]:
    """DeZero's `f.backward(gy)`: what the rules of a recorded function give, as one Variable or a tuple."""

    def backward(*gys: Any) -> Any:
        core, shares = import_module("tinygrad_jp.core"), [None] * len(f.xs)
        if not f.xs or f.func is type(f):
            raise NotImplementedError(f"{f.name}: write backward(self, gy), which takes and returns Variables")

        class Shares(core.Observer):  # type: ignore[misc,name-defined]
            def passed(self, f: Any, i: int, key: Any, share: Any, before: Any, after: Any) -> None:
                shares[i] = share

        gy = core.Outputs(gys) if isinstance(f.y, core.Outputs) else core.as_variable(gys[0])
        core.propagate([f], {f: gy}, True, Shares())
        shares = shares[: len(f.pullbacks)]  # An index has no gradient, nor a place among DeZero's inputs.
        return tuple(shares) if len(shares) > 1 else shares[0]

    return backward


def _part(name: str) -> Callable[[Any], Any]:
    return lambda layer: layer._part(name)


# DeZero's members that are here for old scripts only, as functions of the object. `hinting` looks them up.
MEMBERS: dict[str, dict[str, Callable[[Any], Any]]] = {
    "Variable": {
        "matmul": lambda v: lambda W: v @ W,
        "to_cpu": _mover("as_numpy"),
        "to_gpu": _mover("as_cupy"),
        "set_creator": lambda v: lambda f: setattr(v, "creator", f),
        "generation": lambda v: _depth(v.creator),
    },
    "Function": {"outputs": _outputs, "backward": _backward, "generation": lambda f: _depth(f) - 1},
    "Layer": {
        "_params": lambda layer: layer._members(),
        "outputs": lambda layer: [*getattr(layer, "_outputs", ())],
        "in_size": lambda layer: layer._in_size(),
        "in_channels": lambda layer: None if layer.W.data is None else layer._in_channels(),
        **{name: _part(name) for name in ("x2h", "h2h", *(f"{a}2{b}" for a in "xh" for b in "fiou"))},
    },
}


def aliases(module: str, hints: Mapping[str, str] | None = None) -> Callable[[str], Any]:
    """The `__getattr__` of `module`: what a late name or one of DeZero's stands for, or an AttributeError.

    It is imported at its first use. The error says what to write where `hints` knows the name, one of another library.

    >>> look_up = aliases("tinygrad_jp.functions", {"cross_entropy": "F.softmax_cross_entropy(y, t)"})
    >>> look_up("softmax_simple").__name__
    'softmax'
    >>> look_up("cross_entropy")
    Traceback (most recent call last):
    ...
    AttributeError: tinygrad_jp.functions has no cross_entropy; write F.softmax_cross_entropy(y, t)
    """
    known = LATE.get(module, {}) | DEZERO.get(module, {})

    def look_up(name: str) -> Any:
        if name not in known:
            raise missing(module, name, hints or {})
        place, _, attribute = known[name].partition(":")
        found = import_module(place)
        found = getattr(found, attribute) if attribute else found
        if module in sys.modules:
            setattr(sys.modules[module], name, found)
        return found

    return look_up


def missing(owner: str, name: str, hints: Mapping[str, str]) -> AttributeError:
    """The error for a name that `owner` lacks: what to write instead if `hints` knows it.

    >>> missing("variable", "detach", {"detach": "v.data"})
    AttributeError('variable has no detach; write v.data')
    """
    if name in hints:
        return AttributeError(f"{owner} has no {name}; write {hints[name]}")
    return AttributeError(f"module {owner!r} has no attribute {name!r}")
