"""What to write here for the names that PyTorch and Keras use, and SciPy in Python: tables, of which errors are made.

There are no second names for one thing. A name from elsewhere raises AttributeError, which says what to write.
"""

import sys
from collections.abc import Callable
from typing import Any

from tinygrad_jp.names import MEMBERS, missing

__all__ = ["HINTS", "hinting"]

_LOOP = "tinygrad_jp.fit(model, loss, loader, optimizer, epochs), whose source is the loop to write"
_MODE = "nothing: layers train, except under `with tinygrad_jp.test_mode():`"
_TEST = "`with tinygrad_jp.test_mode():` around the calls"
_COMPILE = "nothing: give fit(model, loss, loader, optimizer, epochs) the loss and the optimizer"
_NO_DEVICE = "nothing: arrays are NumPy's, on the CPU"
_LEAF = "nothing: a Variable is differentiated; data that need no gradient stay plain arrays"
_DTYPE = "model.astype(np.float64)"

_ACTIVATIONS = {
    "ReLU": "F.relu",
    "LeakyReLU": "F.leaky_relu",
    "ELU": "F.elu",
    "GELU": "F.gelu",
    "SiLU": "F.silu",
    "Sigmoid": "F.sigmoid",
    "Tanh": "F.tanh",
    "Softmax": "F.softmax; no layer is needed before F.softmax_cross_entropy",
    "LogSoftmax": "F.log_softmax",
    "Softplus": "F.softplus",
    "Flatten": "F.flatten",
}
_LOSSES = {
    "CrossEntropyLoss": "F.softmax_cross_entropy(y, t)",
    "NLLLoss": "F.softmax_cross_entropy(y, t), of y before log_softmax",
    "MSELoss": "np.mean((y - t) ** 2); F.mean_squared_error(y, t) is DeZero's, summed over an example's elements",
    "L1Loss": "F.mean_absolute_error(y, t)",
    "HuberLoss": "F.huber_loss(y, t)",
    "SmoothL1Loss": "F.huber_loss(y, t)",
    "BCELoss": "F.binary_cross_entropy(y, t)",
    "BCEWithLogitsLoss": "F.sigmoid_cross_entropy(y, t)",
    "KLDivLoss": "F.kl_divergence",
}
_POOLS = {
    "MaxPool2d": "F.pooling(x, 2, 2), whose stride is 1 if it is not given",
    "MaxPooling2D": "F.pooling(x, 2, 2), whose stride is 1 if it is not given",
    "AvgPool2d": "F.average_pooling(x, 2, 2), whose stride is 1 if it is not given",
    "AveragePooling2D": "F.average_pooling(x, 2, 2), whose stride is 1 if it is not given",
    "AdaptiveAvgPool2d": "x.mean(axis=(2, 3))",
    "GlobalAveragePooling2D": "x.mean(axis=(2, 3))",
}

HINTS: dict[str, dict[str, str]] = {
    "tinygrad_jp": {
        "tensor": "Variable(data)",
        "Tensor": "Variable(data)",
        "from_numpy": "Variable(array), or the array itself where it needs no gradient",
        "nn": "tinygrad_jp.layers and tinygrad_jp.functions",
        "optim": "tinygrad_jp.optimizers",
        "Module": "Model",
        "Sequential": "models.Sequential(…)",
        "manual_seed": "tinygrad_jp.seed(n)",
        "set_seed": "tinygrad_jp.seed(n)",
        "GradientTape": "y.backward(), or tinygrad_jp.grad(f)(x)",
        "inference_mode": "no_grad()",
        "load": "model.load_weights(path)",
        "save": "model.save_weights(path)",
        "device": _NO_DEVICE,
        "TensorDataset": "DataLoader((X, T), batch_size)",
        "random_split": "datasets.random_split(data, [0.8, 0.2])",
        "F": "from tinygrad_jp import functions as F",
        "L": "from tinygrad_jp import layers as L",
    },
    "tinygrad_jp.functions": {
        "cross_entropy": "F.softmax_cross_entropy(y, t)",
        "nll_loss": "F.softmax_cross_entropy(y, t), of y before log_softmax",
        "categorical_crossentropy": "F.softmax_cross_entropy(y, t), of y before softmax",
        "sparse_categorical_crossentropy": "F.softmax_cross_entropy(y, t), of y before softmax",
        "mse_loss": _LOSSES["MSELoss"],
        "mse": _LOSSES["MSELoss"],
        "l1_loss": "F.mean_absolute_error(y, t)",
        "smooth_l1_loss": "F.huber_loss(y, t)",
        "binary_crossentropy": "F.binary_cross_entropy(y, t)",
        "binary_cross_entropy_with_logits": "F.sigmoid_cross_entropy(y, t)",
        "kl_div": "F.kl_divergence",
        "max_pool2d": _POOLS["MaxPool2d"],
        "avg_pool2d": _POOLS["AvgPool2d"],
        "max_pooling_2d": _POOLS["MaxPool2d"],
        "average_pooling_2d": _POOLS["AvgPool2d"],
        "adaptive_avg_pool2d": "x.mean(axis=(2, 3))",
        "conv_transpose2d": "F.deconv2d",
        "conv1d": "F.conv2d, of x as (N, C, 1, L)",
        "embedding": "F.embed_id(x, W)",
        "swish": "F.silu",
        "pad": "np.pad(x, widths)",
        "unfold": "F.im2col",
        "fold": "F.col2im",
        "normalize": "x / np.linalg.norm(x, axis=-1, keepdims=True)",
        **{
            name: f"np.{name}(…), which works on Variables"
            for name in ("stack", "sqrt", "abs", "where", "maximum", "minimum", "square", "split", "concatenate")
        },
        "concat": "np.concatenate([x, y], axis=1)",
        "cat": "np.concatenate([x, y], axis=1)",
        "vstack": "np.vstack([x, y])",
        "hstack": "np.hstack([x, y])",
        "squeeze": "x.squeeze()",
        "unsqueeze": "F.expand_dims(x, axis)",
        "view": "x.reshape(…)",
        "permute": "x.transpose(…)",
        "mm": "x @ y",
        "bmm": "x @ y",
        "einsum": "np.einsum(…), which works on Variables",
        **_ACTIVATIONS,
        **_LOSSES,
        **_POOLS,
    },
    "tinygrad_jp.layers": {
        "Dense": "L.Linear(out_size); the input's size is found at the first call",
        "Module": "L.Layer",
        "Sequential": "models.Sequential(…)",
        "ModuleList": "a plain list: layers in lists, tuples and dicts are found",
        "ModuleDict": "a plain dict: layers in lists, tuples and dicts are found",
        "ParameterList": "a plain list: Parameters in lists, tuples and dicts are found",
        "Embedding": "L.EmbedID(in_size, out_size)",
        "Conv2D": "L.Conv2d(out_channels, kernel_size)",
        "Convolution2D": "L.Conv2d(out_channels, kernel_size)",
        "ConvTranspose2d": "L.Deconv2d(out_channels, kernel_size)",
        "Conv2DTranspose": "L.Deconv2d(out_channels, kernel_size)",
        "Deconvolution2D": "L.Deconv2d(out_channels, kernel_size)",
        "Conv1d": "L.Conv2d(out_channels, (1, k)), of x as (N, C, 1, L)",
        "BatchNorm1d": "L.BatchNorm()",
        "BatchNorm2d": "L.BatchNorm()",
        "BatchNormalization": "L.BatchNorm()",
        "LayerNormalization": "L.LayerNorm()",
        "Dropout2d": "L.Dropout(ratio)",
        "MultiheadAttention": "L.MultiHeadAttention(n_heads)",
        "TransformerEncoderLayer": "L.TransformerBlock(n_heads)",
        "Identity": "lambda x: x",
        "Lambda": "the function itself: models.Sequential takes functions",
        "Input": "nothing: the first call determines the sizes",
        **_ACTIVATIONS,
        **_LOSSES,
        **_POOLS,
    },
    "tinygrad_jp.models": {
        "Module": "models.Model",
        "Linear": "L.Linear(out_size), with `from tinygrad_jp import layers as L`",
        "Transformer": "models.GPT(…), or L.TransformerBlock(n_heads)",
        "resnet18": "models.ResNet18()",
        "resnet50": "models.ResNet50()",
        "vgg16": "models.VGG16()",
        "load_model": "model.load_weights(path)",
    },
    "tinygrad_jp.optimizers": {
        "Adagrad": "optimizers.AdaGrad",
        "Adadelta": "optimizers.AdaDelta",
        "Adamax": "optimizers.AdaMax",
        "NAdam": "optimizers.Nadam",
        "RMSProp": "optimizers.RMSprop",
        "Momentum": "optimizers.MomentumSGD",
        "NAG": "optimizers.Nesterov",
        "lr_scheduler": "lr=schedules.…, with optimizers.schedules",
        "clip_grad_norm_": "optimizer.add_hook(optimizers.ClipGrad(max_norm))",
        "GradientClipping": "optimizer.add_hook(optimizers.ClipGrad(max_norm))",
    },
    "tinygrad_jp.optimizers.schedules": {
        "StepLR": "schedules.by_epoch(schedules.step_decay(lr, every, gamma), len(loader))",
        "ExponentialLR": "schedules.by_epoch(schedules.exponential(lr, gamma), len(loader))",
        "CosineAnnealingLR": "schedules.cosine(lr, epochs * len(loader))",
        "ReduceLROnPlateau": "schedules.plateau(lr)",
    },
    "tinygrad_jp.datasets": {
        "TensorDataset": "DataLoader((X, T), batch_size), or datasets.TupleDataset(X, T)",
        "mnist": "datasets.MNIST(train=True)",
        "get_mnist": "datasets.MNIST(train=True)",
        "cifar10": "datasets.CIFAR10(train=True)",
        "load_digits": "datasets.Digits(train=True)",
        "make_moons": "datasets.TwoMoons()",
        "DataLoader": "tinygrad_jp.DataLoader",
        "train_test_split": "datasets.random_split((X, T), [0.8, 0.2])",
        "split": "datasets.random_split(data, [0.8, 0.2])",
    },
    "Variable": {
        "detach": "v.data, the plain array",
        "detach_": "v.unchain()",
        "numpy": "v.data, the plain array",
        "to_numpy": "v.data, the plain array",
        "array": "v.data, the plain array",
        "cpu": _NO_DEVICE,
        "cuda": _NO_DEVICE,
        "to": "v.astype(dtype); arrays are NumPy's, on the CPU",
        "device": _NO_DEVICE,
        "zero_grad": "v.cleargrad()",
        "requires_grad": _LEAF,
        "requires_grad_": _LEAF,
        "is_leaf": "v.creator is None",
        "grad_fn": "v.creator",
        "retain_grad": "y.backward(retain_grad=True)",
        "clone": "v.copy()",
        "view": "v.reshape(…)",
        "permute": "v.transpose(…)",
        "unsqueeze": "F.expand_dims(v, axis)",
        "expand": "F.broadcast_to(v, shape)",
        "mm": "v @ w",
        "t": "v.T",
        "numel": "v.size",
        "dim": "v.ndim",
        "float": "v.astype(np.float32)",
        "double": "v.astype(np.float64)",
        "half": "v.astype(np.float16)",
        "long": "v.astype(np.int64)",
        "assign": "v.data = array",
        **{name: f"np.{name}(v)" for name in ("exp", "log", "sqrt", "abs", "sin", "cos", "tanh", "square")},
        "pow": "v ** 2",
        # Of arrays, what writes into them, which a graph would not see, and what is not of the numbers.
        **{name: f"v = np.{name}(v, …), as {name} would write into v" for name in ("sort", "partition", "resize")},
        "fill": "v = np.full_like(v, value)",
        "put": "v = np.where(mask, values, v)",
        "ptp": "np.ptp(v)",
        "flat": "v.ravel()",
        **{name: f"v.data.{name}" for name in ("flags", "strides", "itemsize", "base", "tobytes", "setflags", "dump")},
        "add_": "v.data += …",
        "mul_": "v.data *= …",
        "relu": "F.relu(v)",
        "sigmoid": "F.sigmoid(v)",
        "softmax": "F.softmax(v)",
    },
    "Layer": {
        "train": _MODE,
        "eval": _TEST,
        "training": "tinygrad_jp.Config.train",
        "state_dict": "model.state(), or model.state(layout='torch') for PyTorch",
        "load_state_dict": "model.load_state(state), or with layout='torch' for PyTorch's",
        "parameters": "model.params()",
        "named_parameters": "model.named_params()",
        "trainable_weights": "model.params()",
        "trainable_variables": "model.params()",
        "weights": "model.params(), or layer.W",
        "weight": "layer.W",
        "bias": "layer.b",
        "get_weights": "model.state()",
        "set_weights": "model.load_state(state)",
        "children": "model.layers_by_path()",
        "modules": "model.layers_by_path()",
        "named_modules": "model.layers_by_path()",
        "zero_grad": "model.cleargrads()",
        "zerograds": "model.cleargrads()",
        "fit": _LOOP,
        "train_on_batch": _LOOP,
        "compile": _COMPILE,
        "predict": "`with test_mode(), no_grad(): y = model(x)`",
        "evaluate": "`with test_mode(), no_grad():` around a loop over the loader",
        "summary": "tinygrad_jp.summary(model, x)",
        "save": "model.save_weights(path)",
        "load": "model.load_weights(path)",
        "to": _DTYPE + "; arrays are NumPy's, on the CPU",
        "cuda": _NO_DEVICE,
        "cpu": _NO_DEVICE,
        "half": "model.astype(np.float16)",
        "float": "model.astype(np.float32)",
        "double": _DTYPE,
        "requires_grad_": "optimizer.setup(model, groups={layer: None}), which leaves a layer as it is",
        "trainable": "optimizer.setup(model, groups={layer: None}), which leaves a layer as it is",
        "apply": "a loop over model.layers_by_path()",
        "add": "models.Sequential(*layers)",
        "append": "models.Sequential(*layers)",
        "register_buffer": "L.Buffer(array), as an attribute",
        "add_module": "an attribute, self.name = layer",
        "reset_states": "model.reset_state()",
    },
    "Function": {
        "save_for_backward": "self.x = x in forward; in backward, self.inputs are the Variables that came in",
        "saved_tensors": "self.inputs, the Variables that came in",
        "next_functions": "f.variables, each of which knows its creator",
    },
    "Optimizer": {
        "zero_grad": "model.cleargrads()",
        "minimize": "loss.backward(), then optimizer.update()",
        "apply_gradients": "loss.backward(), then optimizer.update()",
        "param_groups": "optimizer.lr, or optimizer.setup(model, groups={layer: lr})",
        "state_dict": "optimizer.state()",
        "load_state_dict": "optimizer.load_state(state)",
        "learning_rate": "optimizer.lr",
        "use_cleargrads": "model.cleargrads()",
        "add_param_group": "optimizer.setup(model, groups={layer: lr})",
    },
    "DataLoader": {
        "map": "transform=… of the data set",
        "shuffle_": "shuffle=True",
        "batch": "DataLoader(data, batch_size)",
        "take": "datasets.Subset(data, range(n))",
        "sampler": "rng=, or datasets.Subset(data, indices)",
    },
}


_PYTHON_OF_SCIPY = {
    "logsumexp": "F.logsumexp(x, axis=None)",
    "softmax": "F.softmax(x, axis=axis)",
    "log_softmax": "F.log_softmax(x, axis=axis)",
    "softplus": "F.softplus(x)",
    "polygamma": "scipy.special.digamma or zeta: polygamma(n, x) is (−1)ⁿ⁺¹·n!·zeta(n + 1, x)",
    "multigammaln": "a sum of scipy.special.gammaln(a + (1 - j) / 2)",
}


_PYTHON_OF_NUMPY = {
    "full": "np.full_like(array, v) or np.broadcast_to(v, shape)",
    "AxisConcatenator": "np.concatenate for np.r_, np.column_stack for np.c_",
    "vectorize": "NumPy's own functions of whole arrays",
}


def array_error() -> TypeError:
    """An error for a Variable that would become an array, in the name of SciPy's function if that asked for one."""
    frame, name = sys._getframe(2), ""
    numpys = frame.f_globals.get("__name__", "").startswith("numpy.")
    remedy = _PYTHON_OF_NUMPY.get(frame.f_code.co_qualname.partition(".")[0]) if numpys else None
    while frame and frame.f_globals.get("__name__", "").startswith("scipy."):
        frame, name = frame.f_back, frame.f_code.co_name  # type: ignore[assignment]
    who = f"scipy's {name} is Python code that makes arrays; a" if name else "a"
    remedy = remedy or _PYTHON_OF_SCIPY.get(name, ".data, np.stack of a list or np.block of a nested one")
    return TypeError(f"{who} Variable does not turn into an array silently, its graph would be lost; use {remedy}")


def _has(thing: Any, name: str) -> bool:
    """Whether `thing` is of the kind of layer that has DeZero's member `name`."""
    needed = "_parts" if "2" in name else {"in_size": "_in_size", "in_channels": "_in_channels"}.get(name)
    return needed is None or (hasattr(type(thing), needed) and ("2" not in name or name in thing._parts))


def hinting(kind: str) -> Callable[[Any, str], Any]:
    """The `__getattr__` of a class, called for names that it lacks: what to write instead, or Python's own error.

    >>> class Sum:
    ...     __getattr__ = hinting("Optimizer")
    >>> Sum().zero_grad()
    Traceback (most recent call last):
    ...
    AttributeError: Sum has no zero_grad; write model.cleargrads()
    """
    hints, members = HINTS[kind], MEMBERS.get(kind, {})

    def look_up(self: Any, name: str) -> Any:
        if name in members and not hasattr(type(self), name) and _has(self, name):
            return members[name](self)
        if name in hints and not hasattr(type(self), name):
            raise missing(type(self).__name__, name, hints)
        return object.__getattribute__(self, name)  # Raises the error that there was, also that inside a property.

    return look_up
