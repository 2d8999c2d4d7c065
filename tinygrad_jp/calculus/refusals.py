"""What has no rule on purpose, and why: the error says so."""

import numpy as np

from tinygrad_jp.core.table import REFUSED

_WRITES = "it writes into an array, which a graph would not see; build a new one with np.where or np.concatenate"
_SETS = "which elements are equal has no derivative; find indices in x.data, then take x[indices]"
_CALLS = "it calls a function of arrays part by part; write the loop, and join the parts with np.stack"
_COMPLEX = "it gives complex numbers, which are not differentiated; compute with real and imaginary parts"
_BITS = "it reads the bits of integers; call it on x.data"
_ARRAYS = "a Variable does not become a plain array; use x.data, np.stack of a list or np.block of a nested one"
_BINS = "which bin an element lies in has no derivative; np.histogram and np.bincount are differentiated by weights"

REASONS = {
    _WRITES: (np.copyto, np.put, np.place, np.putmask, np.put_along_axis, np.fill_diagonal),
    _SETS: (
        *(np.unique, np.unique_all, np.unique_counts, np.unique_inverse, np.unique_values),
        *(np.union1d, np.intersect1d, np.setdiff1d, np.setxor1d, np.trim_zeros),
    ),
    _CALLS: (np.apply_along_axis, np.apply_over_axes),
    _COMPLEX: (np.sort_complex, np.roots),
    _BITS: (
        *(np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.bitwise_count, np.invert, np.left_shift, np.right_shift),
        *(np.packbits, np.unpackbits),
    ),
    _ARRAYS: (
        *(np.asanyarray, np.ascontiguousarray, np.asfortranarray, np.asarray_chkfinite),
        *(np.asmatrix, np.bmat, np.require, np.save, np.savetxt, np.savez, np.savez_compressed),
    ),
    _BINS: (np.histogram2d, np.histogramdd, np.histogram_bin_edges),
    "its quotient is computed by a loop over the divisor; use np.polyval of both": (np.polydiv,),
}
REFUSED |= {func: reason for reason, functions in REASONS.items() for func in functions}
