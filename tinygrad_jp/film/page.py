"""The page of a film: its data, as short as can be, and the script that plays them."""

import math
import re
from typing import Any

import numpy as np

from tinygrad_jp.film.insights import insights
from tinygrad_jp.film.latent import over_the_steps, projected
from tinygrad_jp.film.phrases import PHRASES
from tinygrad_jp.film.shots import Shot, View
from tinygrad_jp.formatting import LANGUAGES, escape, printable
from tinygrad_jp.player.assembling import colors, filled, hash_of, policy, read

SCRIPTS = ("network.js", "film.js", "latent.js", "unit.js", "controls.js")
MOST_LOSSES, MOST_CLASSES = 4000, 12


def page(films: list[Any], lang: str) -> str:
    """One page for one film, or for two side by side. The same films always give the same text."""
    style, script = colors() + read(__file__, "film.css"), "".join(read(__file__, name) for name in SCRIPTS)
    players = [text for film in films for text in film.played.values()]
    index = LANGUAGES.index(lang)
    parts = {
        "lang": lang,
        "title": escape(PHRASES["title"][index]),
        "csp": _policy(style, script, players),
        "style": style,
        "script": script,
        "noscript": escape(PHRASES["noscript"][index]),
        "data": _packed(_json({"films": [*map(_film, films)], "phrases": PHRASES})),
    }
    return filled(read(__file__, "film.html"), parts)


def _policy(style: str, script: str, players: list[str]) -> str:
    """What the page may run: its own script, and those of the players in it, which inherit this policy."""
    styles, scripts = {hash_of(style)}, {hash_of(script)}
    for text in players:
        styles.update(re.findall(r"style-src ([^;\"]+)", text))
        scripts.update(re.findall(r"script-src ([^;\"]+)", text))
    return policy(sorted(styles), sorted(scripts))


def _film(film: Any) -> dict[str, Any]:
    keys = [*film.plan.views]
    ends = _ends([frame["targets"] for frame in film.frames if frame["targets"] is not None])
    return {
        "name": printable(film.name or type(film.model).__name__),
        "losses": _losses(film.losses),
        "views": [_described(film.plan.views[key]) for key in keys],
        "frames": [
            {
                "step": frame["step"],
                "shots": [_shot(frame["shots"].get(key), film.plan.views[key]) for key in keys],
                "field": _field(frame["field"]),
                "targets": _targets(frame["targets"], ends),
            }
            for frame in film.frames
        ],
        "plane": _plane(film.field),
        "latents": {printable(path): _latent(found) for path, found in over_the_steps(film.frames)},
        "ends": ends,
        "insights": insights(film),
        "players": {step: _packed(text) for step, text in film.played.items()},
    }


def _losses(losses: list[float]) -> dict[str, Any]:
    """All losses, or of many the means of as many blocks as a screen can show."""
    block = -(-len(losses) // MOST_LOSSES)
    blocks = [losses[i : i + block] for i in range(0, len(losses), block)]
    return {"block": block, "count": len(losses), "values": [_short(sum(values) / len(values)) for values in blocks]}


def _described(view: View) -> dict[str, Any]:
    pooled = view.tile is None and view.height * view.width < math.prod(view.shape[-2:] or (1,))
    return {
        "kind": view.kind,
        "path": printable(view.path),
        "shape": view.shape,
        "size": [view.height, view.width],
        "tile": view.tile,
        "pooled": pooled and view.kind not in ("activations", "attention"),
        "note": printable(view.note),
        "most": view.most,
    }


def _shot(shot: Shot | None, view: View) -> Any:
    if shot is None:
        return None
    numbers = [_short(shot.scale, 6), *map(_short, (shot.norm, shot.mean, shot.deviation, shot.zeros))]
    dead = _text(np.array(shot.dead[:256], np.uint16).tobytes()) if shot.dead else ""
    units = [_text(shot.means), _text(shot.active)] if shot.means else []
    return [_text(shot.picture), _text(shot.histogram), *numbers, dead, int(shot.finite), *units]


def _field(y: Any) -> Any:
    """The answers over the grid: for one column its values in 255 levels, for several the largest and its share."""
    if y is None:
        return None
    y = np.nan_to_num(y)
    if y.shape[1] == 1:
        low, high = float(y.min()), float(y.max())
        levels = (y[:, 0] - low) * (255 / (high - low) if high > low else 0.0)
        return {"values": _text(levels.astype(np.uint8).tobytes()), "low": _short(low), "high": _short(high)}
    shares = np.exp(y - y.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    chosen, largest = y.argmax(axis=1).astype(np.uint8), (255 * shares.max(axis=1)).astype(np.uint8)
    return {"classes": _text(chosen.tobytes()), "shares": _text(largest.tobytes()), "count": y.shape[1]}


def _latent(found: list[Any]) -> dict[str, Any]:
    """The points of a layer at each frame, as pairs of bytes within one square for all, and the shares of the axes."""
    places, shares = projected(found)
    rows = np.concatenate([np.zeros((0, 2)), *(x for x in places if x is not None)])
    rows = rows if len(rows) else np.zeros((1, 2))
    middle = (rows.max(axis=0) + rows.min(axis=0)) / 2
    side = float(np.ptp(rows, axis=0).max()) or 1.0
    levels = [None if x is None else np.round(((x - middle) / side + 0.5) * 255) for x in places]
    return {
        "shares": [_short(share) for share in shares],
        "points": [None if x is None else _text(x.astype(np.uint8).tobytes()) for x in levels],
    }


def _ends(found: list[Any]) -> list[Any] | None:
    """What the examples should give: all values if they are few, else the least and the greatest, and None."""
    values = np.unique(np.concatenate(found)) if found else np.zeros(0)
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    return [_short(float(v)) for v in values] if len(values) <= MOST_CLASSES else [*map(_short, values[[0, -1]]), None]


def _targets(t: Any, ends: Any) -> str | None:
    """For each example the number of its class, or its level between the ends."""
    if t is None or ends is None:
        return None
    if ends[-1] is not None:
        return _text(np.abs(np.subtract.outer(t.astype(float), ends)).argmin(axis=1).astype(np.uint8).tobytes())
    low, high = ends[:2]
    levels = np.nan_to_num(255 * (t.astype(float) - low) / (high - low))
    return _text(np.clip(levels, 0, 255).astype(np.uint8).tobytes())


def _plane(plane: Any) -> Any:
    if plane is None:
        return None
    points = [[_short(float(v)) for v in point] for point in plane["points"]]
    return {"corners": plane["corners"], "points": points, "targets": [float(t) for t in plane["targets"]]}


def _json(data: Any) -> str:
    import json  # Here and below, as an import of the package need not wait for these.

    return json.dumps(data, separators=(",", ":"))


def _packed(text: str) -> str:
    from zlib import compress

    return _text(compress(text.encode(), 9))


def _text(data: bytes) -> str:
    from base64 import b64encode

    return b64encode(data).decode()


def _short(x: float, digits: int = 4) -> Any:
    """A number of four digits, or None for what JSON cannot say."""
    return float(f"{x:.{digits}g}") if math.isfinite(x) else None
