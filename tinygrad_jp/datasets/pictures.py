"""Examples of a data set as pictures in a notebook."""

import struct
from typing import Any

import numpy as np

from tinygrad_jp.transforms import Array

COUNT = 10


def html(dataset: Any) -> str | None:
    """The `repr` of a data set above its first examples as pictures; None if they are not images.

    Images are (H, W), (C, H, W) with one or three channels, or flat ones that are square.
    """
    n, whole, places = min(COUNT, len(dataset)), dataset, np.arange(COUNT)
    while hasattr(whole, "indices"):  # A part of another data set.
        whole, places = whole.dataset, whole.indices[places[:n]]
    data, labels = getattr(whole, "data", None), getattr(whole, "label", None)
    images = [image_of(data[i]) for i in places[:n]] if isinstance(data, np.ndarray) else [None]
    found = [image for image in images if image is not None]
    if not n or len(found) < n:
        return None
    names = ["" if labels is None else str(labels[i])[:20] for i in places[:n]]
    figures = "".join(_figure(image, name) for image, name in zip(found, names, strict=True))
    return f"<div>{_escaped(repr(dataset))}</div><div>{figures}</div>"


def image_of(x: Array) -> Array | None:
    """An example as uint8 (H, W) or (H, W, 3), from its smallest to its largest number; None if it is no image."""
    if x.dtype.kind not in "fiu" or not x.size or not np.isfinite(x).all():
        return None
    side = int(x.size**0.5)
    if x.ndim == 1 and side >= 8 and side * side == x.size:
        x = x.reshape(side, side)
    if x.ndim == 3:
        x = x[0] if len(x) == 1 else x.transpose(1, 2, 0)
    if x.ndim not in (2, 3) or x.ndim == 3 and x.shape[2] != 3 or min(x.shape[:2]) < 4:
        return None
    if x.dtype == np.uint8:
        return x
    x = x.astype(float) - x.min()
    return (x * (255 / max(x.max(), 1e-12))).astype(np.uint8)


def png(image: Array) -> bytes:
    """A PNG file of an image of uint8, (H, W) or (H, W, 3)."""
    import zlib  # Late, as in `_figure`: pictures are rare, and every program imports this.

    H, W = image.shape[:2]
    rows = b"".join(b"\0" + row.tobytes() for row in image)
    head = struct.pack(">IIBBBBB", W, H, 8, 0 if image.ndim == 2 else 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _figure(image: Array, label: str) -> str:
    from base64 import b64encode

    source = b64encode(png(image)).decode()
    style = "height:56px;image-rendering:pixelated"
    return (
        f'<figure style="display:inline-block;margin:4px;text-align:center"><img style="{style}" '
        f'src="data:image/png;base64,{source}" alt=""><figcaption>{_escaped(label)}</figcaption></figure>'
    )


def _escaped(text: str) -> str:
    from html import escape

    return escape(text)
