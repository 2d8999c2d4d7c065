"""Which of NumPy's functions can be differentiated: `python -m tests.coverage_of_numpy`.

Every public function of numpy, numpy.linalg and numpy.fft is of one kind: it has a rule, or a composition of others, or
gives plain results, or is refused with a reason. The kinds are read from the tables of the package; only functions that
never meet a Variable are named here.

`python -m tests.coverage_of_numpy --peers` also tries the calls of `CALLS` with each library that is installed, and
counts those whose gradient agrees with central differences of NumPy.
"""

import importlib.util
import sys
import types
import warnings
from collections import Counter

import numpy as np

from tinygrad_jp import PULLBACKS
from tinygrad_jp.core.table import COMPOSITIONS, NONDIFFERENTIABLE, REFUSED

MODULES = (np, np.linalg, np.fft)
KINDS = ("rule", "composition", "plain", "refused")

# What never meets a Variable: it makes arrays of sizes and settings, asks about dtypes, reads files, or sets a mode.
APART = {
    "makes arrays": """arange bartlett blackman diag_indices empty eye fromfunction hamming hanning identity indices
        kaiser mask_indices ones tri tril_indices triu_indices zeros fftfreq rfftfreq""",
    "reads data": "from_dlpack frombuffer fromfile fromiter fromregex fromstring genfromtxt load loadtxt",
    "asks about shapes and dtypes": """broadcast_shapes datetime_data isdtype isfortran isscalar issubdtype iterable
        mintypecode promote_types typename""",
    "prints": """base_repr binary_repr format_float_positional format_float_scientific get_printoptions info
        printoptions set_printoptions show_config show_runtime""",
    "sets a mode, or is about NumPy itself": """frompyfunc get_include getbufsize geterr geterrcall nested_iters
        setbufsize seterr seterrcall test""",
    "computes with dates": "busday_count busday_offset datetime_as_string is_busday",
}
# Python code of NumPy's that calls functions of the table.
RUNS_THROUGH = {"row_stack"}
PLAIN = {name for names in APART.values() for name in names.split()}


GONE = {"in1d", "trapz"}  # In NumPy 2.1 still; np.isin and np.trapezoid are their names.


def functions(module):
    """The public functions of a module, under the first of their names, by function."""
    found = {}
    for name in sorted(dir(module)):
        f = getattr(module, name)
        if name.startswith("_") or name in GONE:
            continue
        if callable(f) and not isinstance(f, type | types.ModuleType):
            found.setdefault(f, name)
    return found


def kinds(f, name):
    """The kinds of a function, which should be one."""
    tables = {
        "rule": f in PULLBACKS and f not in COMPOSITIONS,
        "composition": f in COMPOSITIONS or name in RUNS_THROUGH,
        "plain": f in NONDIFFERENTIABLE or name in PLAIN,
        "refused": f in REFUSED,
    }
    return [kind for kind in KINDS if tables[kind]]


def known(name):
    """The function of NumPy that has this name, such as linalg.inv; None where this version has none."""
    module, _, last = name.rpartition(".")
    return getattr(getattr(np, module) if module else np, last, None)


# A call of each function that has numbers to differentiate: of a regular matrix M of positive numbers, and its row x.
ONE_BY_ONE = """negative positive absolute fabs square sqrt cbrt reciprocal exp exp2 expm1 log log2 log10 log1p sin
    cos tan sinh cosh tanh arcsinh arctan deg2rad rad2deg degrees radians sinc i0 nan_to_num real conj angle unwrap"""
SUMS = """sum mean max min amax amin prod var std ptp cumsum cumprod nansum nanmean
    nanmax nanmin nanprod nanvar nanstd nancumsum nancumprod median nanmedian average trace linalg.trace
    linalg.diagonal ravel transpose flip flipud fliplr rot90 squeeze tril triu diag diagflat atleast_1d atleast_2d
    atleast_3d copy matrix_transpose linalg.matrix_transpose diff ediff1d gradient trapezoid cov corrcoef
    linalg.inv linalg.det linalg.pinv linalg.norm linalg.matrix_norm linalg.vector_norm linalg.cond linalg.svdvals"""
TWO = """add subtract multiply divide true_divide power float_power maximum minimum fmax fmin logaddexp logaddexp2 hypot
    arctan2 copysign matmul dot inner kron tensordot linalg.matmul linalg.tensordot linalg.solve
    vecdot linalg.vecdot cross linalg.cross append remainder mod fmod"""
SPECTRA = "fft ifft rfft fft2 ifft2 fftn ifftn rfft2 rfftn ihfft"
SIGNALS = "irfft irfft2 irfftn hfft"
OTHERS = {
    **{name: f"{name}(M / 9)" for name in ("arcsin", "arccos", "arctanh")},
    "arccosh": "arccosh(M + 1)",
    "cumulative_sum": "cumulative_sum(x)",
    "cumulative_prod": "cumulative_prod(x)",
    "sort": "sort(x)",
    "diagonal": "diagonal(M, 0, -1, -2)",
    "vdot": "vdot(x, M[1])",
    "outer": "outer(x, M[1])",
    "linalg.tensorsolve": "linalg.tensorsolve(M, x)",
    "nextafter": "nextafter(M, 9.0)",
    "modf": "modf(M)[0]",
    "divmod": "divmod(M, 0.7)[1]",
    "ldexp": "ldexp(M, 2)",
    "frexp": "frexp(M)[0]",
    "heaviside": "heaviside(-M, M)",
    "clip": "clip(M, 1, 2)",
    "where": "where(M > 1.5, M, M * M)",
    "select": "select([M > 2, M > 1], [M, M * M], 0.0)",
    "choose": "choose(numpy.array([0, 1, 0]), [x, x * x])",
    "piecewise": "piecewise(x, [x > 1.5, x <= 1.5], [lambda t: t * t, lambda t: t])",
    "interp": "interp(x, numpy.array([0.0, 1.0, 5.0]), M[1])",
    "quantile": "quantile(M, 0.3)",
    "percentile": "percentile(M, 30)",
    "nanquantile": "nanquantile(M, 0.3)",
    "nanpercentile": "nanpercentile(M, 30)",
    "partition": "partition(x, 1)",
    "real_if_close": "real_if_close(M)",
    "imag": "imag(fft.fft(M[:2, :2]))",
    "astype": "astype(M, float)",
    "einsum": "einsum('ij,kj->ik', M, M)",
    "matvec": "matvec(M, x)",
    "vecmat": "vecmat(x, M)",
    "linalg.outer": "linalg.outer(x, M[1])",
    "block": "block([[M, M], [M, M]])",
    "reshape": "reshape(M, 9)",
    "permute_dims": "permute_dims(M, (1, 0))",
    "swapaxes": "swapaxes(M, 0, 1)",
    "moveaxis": "moveaxis(M, 0, 1)",
    "rollaxis": "rollaxis(M, 1)",
    "expand_dims": "expand_dims(M, 0)",
    "broadcast_to": "broadcast_to(x, (2, 3))",
    "broadcast_arrays": "broadcast_arrays(x, M)",
    "concatenate": "concatenate([M, M])",
    "stack": "stack([M, M])",
    "vstack": "vstack([M, x])",
    "hstack": "hstack([M, M])",
    "dstack": "dstack([M, M])",
    "column_stack": "column_stack([x, M])",
    "split": "split(M, 3)",
    "array_split": "array_split(M, 2)",
    "hsplit": "hsplit(M, [1])",
    "vsplit": "vsplit(M, [1])",
    "dsplit": "dsplit(M[None], [1])",
    "unstack": "unstack(M)",
    "tile": "tile(M, (2, 1))",
    "repeat": "repeat(M, 2)",
    "resize": "resize(M, (2, 7))",
    "roll": "roll(M, 1)",
    "pad": "pad(M, 1, mode='constant')",
    "take": "take(M, numpy.array([0, 4, 4]))",
    "take_along_axis": "take_along_axis(M, numpy.array([[0], [1], [1]]), 1)",
    "compress": "compress(numpy.array([True, False, True]), M, axis=0)",
    "extract": "extract(numpy.eye(3) > 0, M)",
    "delete": "delete(M, 1, 0)",
    "insert": "insert(x, 1, x[0])",
    "meshgrid": "meshgrid(x, M[1])",
    "ix_": "ix_(x, M[1])[1] * x[0]",
    "linspace": "linspace(x[0], x[1], 5)",
    "logspace": "logspace(x[0], x[1], 5)",
    "geomspace": "geomspace(x[0], x[1], 5)",
    "full": "full((2, 3), x) if 'tinygrad' not in __name__ else full((2, 3), x, like=x)",
    "full_like": "full_like(M, x[0])",
    "asarray": "asarray([x[0], x[1]]) if 'tinygrad' not in __name__ else asarray([x[0], x[1]], like=x)",
    "array": "array([x[0], x[1]]) if 'tinygrad' not in __name__ else array([x[0], x[1]], like=x)",
    "convolve": "convolve(x, M[1])",
    "correlate": "correlate(x, M[1], mode='full')",
    "polyval": "polyval(x, M[1])",
    "polyadd": "polyadd(x, M[1])",
    "polysub": "polysub(x, M[1])",
    "polymul": "polymul(x, M[1])",
    "poly": "poly(x)",
    "polyder": "polyder(x)",
    "polyint": "polyint(x)",
    "polyfit": "polyfit(numpy.arange(3.0), x, 1)",
    "vander": "vander(x)",
    "histogram": "histogram(numpy.array([0.0, 1.0, 2.0]), 2, weights=x)[0]",
    "bincount": "bincount(numpy.array([0, 2, 2]), x)",
    "apply_along_axis": "apply_along_axis(lambda r: r * r, 0, M)",
    "linalg.cholesky": "linalg.cholesky(M @ M.T)",
    "linalg.eigh": "abs(linalg.eigh(M + M.T)[1])",
    "linalg.eigvalsh": "linalg.eigvalsh(M + M.T)",
    "linalg.eig": "real(linalg.eig(M @ M.T)[0])",
    "linalg.eigvals": "real(linalg.eigvals(M @ M.T))",
    "linalg.svd": "abs(linalg.svd(M)[0])",
    "linalg.qr": "linalg.qr(M)[1]",
    "linalg.slogdet": "linalg.slogdet(M)[1]",
    "linalg.lstsq": "linalg.lstsq(M[:, :2], x)[0] if 'tinygrad' in __name__ else linalg.lstsq(M[:, :2], x, None)[0]",
    "linalg.matrix_power": "linalg.matrix_power(M, 3)",
    "linalg.multi_dot": "linalg.multi_dot([M, M, x])",
    "linalg.tensorinv": "linalg.tensorinv(M, 1)",
    "fft.fftshift": "fft.fftshift(M)",
    "fft.ifftshift": "fft.ifftshift(M)",
    **{f"fft.{name}": f"abs(fft.{name}(M[:2, :2])) ** 2" for name in SPECTRA.split()},
    **{f"fft.{name}": f"fft.{name}(M[:2, :2])" for name in SIGNALS.split()},
}
CALLS = {
    **{name: f"{name}(M)" for name in [*ONE_BY_ONE.split(), *SUMS.split()]},
    **{name: f"{name}(M, M.T + 1)" for name in TWO.split()},
    **OTHERS,
}
CALLS = {name: call for name, call in CALLS.items() if known(name)}
POINT = np.array([[2.5, 0.6, 1.1], [0.4, 1.9, 0.75], [1.35, 0.85, 3.2]])


def total(call, module, M):
    """The sum of the cubes of the results of a call, with `module` in NumPy's place."""
    names = {**vars(module), "abs": module.abs, "numpy": np, "M": M, "x": M[0], "__name__": type(M).__module__}
    y = eval(call, names)
    return sum(module.sum(part**3) for part in ([y] if hasattr(y, "shape") else y))


def differences(call, h=1e-6):
    slope = np.zeros_like(POINT)
    for i in np.ndindex(POINT.shape):
        step = np.zeros_like(POINT)
        step[i] = h
        slope[i] = (total(call, np, POINT + step) - total(call, np, POINT - step)).real / (2 * h)
    return slope


def gradient_by(peer):
    """The gradient of a function of an array, and the module in which the peer keeps NumPy's functions."""
    if peer == "tinygrad_jp":
        return importlib.import_module("tinygrad_jp").grad, np
    if peer == "jax":
        jax = importlib.import_module("jax")
        jax.config.update("jax_enable_x64", True)
        return jax.grad, importlib.import_module("jax.numpy")
    return importlib.import_module("autograd").grad, importlib.import_module("autograd.numpy")


def right(peer):
    """The names of the calls whose gradient by `peer` is that of NumPy's differences."""
    grad, module = gradient_by(peer)
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, call in CALLS.items():
            try:
                slope = np.asarray(grad(lambda M, call=call: total(call, module, M))(POINT))
                expected = differences(call)
                if np.allclose(slope, expected, rtol=0, atol=1e-5 * max(1, np.abs(expected).max())):
                    found.append(name)
            except Exception:  # Whatever a library says where it cannot.
                continue
    return found


def table():
    """For each module the count of its functions by kind."""
    return {m.__name__: Counter(k for f, name in functions(m).items() for k in kinds(f, name)) for m in MODULES}


def main(peers):
    print(f"{'':14}" + "".join(f"{kind:>13}" for kind in KINDS))
    for module, counts in table().items():
        print(f"{module:14}" + "".join(f"{counts[kind]:13}" for kind in KINDS))
    reasons = {}
    for module in MODULES:
        for f, name in functions(module).items():
            if f in REFUSED:
                reasons.setdefault(REFUSED[f], []).append(name)
    print(*(f"\nrefused, as {reason}: {', '.join(names)}" for reason, names in reasons.items()), sep="")
    for peer in peers:
        if importlib.util.find_spec(peer):
            found = right(peer)
            print(f"\n{peer} {importlib.import_module(peer).__dict__.get('__version__', '')}: ", end="")
            print(f"{len(found)} of {len(CALLS)} calls; not {' '.join(sorted(CALLS.keys() - set(found)))}")


if __name__ == "__main__":
    main(["tinygrad_jp", "autograd", "jax"] if "--peers" in sys.argv else [])
