"""What deserves a look in a training run: where it begins, and in which layer. The bounds are in `BOUNDS`."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

BOUNDS = {
    "vanishing": 1e-3,  # The root mean square of a layer's gradient, relative to the largest layer's.
    "exploding": 100.0,  # The norm of a layer's gradient, relative to its median so far.
    "large": 0.3,  # ‖ΔW‖ / ‖W‖ of one update.
    "small": 1e-5,
    "rising": 2.0,  # The loss, relative to the lowest before it, for ten steps.
    "dead": 0.25,  # The share of units that are zero for every example.
}
IN_A_ROW = 3  # Frames for which it must last, so that one odd batch is no insight.


def insights(film: Any) -> list[dict[str, Any]]:
    """For each insight its step, kind, path and numbers, the first of each kind in a layer; and how many more layers.

    Vectors such as biases begin at zero, and are left out.
    """
    series = {kind: _series(film, kind) for kind in ("weights", "gradients", "updates", "activations")}
    found = [*_losses(film.losses), *_gradients(series["gradients"]), *_updates(series), *_dead(series["activations"])]
    grouped: dict[tuple[int, str], dict[str, Any]] = {}
    for insight in sorted(found, key=lambda insight: insight["step"]):
        first = grouped.setdefault((insight["step"], insight["kind"]), insight)
        first["more"] = first.get("more", -1) + 1
    return [*grouped.values()]


def _insight(step: int, kind: str, path: str = "", *numbers: float) -> dict[str, Any]:
    return {"step": step, "kind": kind, "path": path, "numbers": [float(f"{x:.3g}") for x in numbers]}


def _losses(losses: list[float]) -> Iterator[dict[str, Any]]:
    odd = next((i for i, loss in enumerate(losses) if not math.isfinite(loss)), None)
    if odd is not None:
        yield _insight(odd, "not finite")
    values = np.array(losses[:odd])
    if len(values) < 11:
        return
    lowest = np.minimum.accumulate(values)
    high = values > BOUNDS["rising"] * np.maximum(lowest, 1e-12)
    ten = np.convolve(high, np.ones(10), "valid") >= 10
    if ten.any():
        step = int(np.argmax(ten))
        yield _insight(step, "rising", "", values[step] / max(lowest[step], 1e-12))


Series = dict[str, list[tuple[int, Any]]]


def _series(film: Any, kind: str) -> Series:
    """For each path the shots of one kind, with their steps."""
    views = [view for view in film.plan.views.values() if view.kind == kind and len(view.shape) > 1]
    found = {view.path: [(f["step"], f["shots"].get(f"{kind} {view.path}")) for f in film.frames] for view in views}
    return {path: [(step, shot) for step, shot in shots if shot is not None] for path, shots in found.items()}


def _begins(steps: list[int], holds: list[bool]) -> int | None:
    """The step at which `holds` becomes true for IN_A_ROW frames, or None."""
    for i in range(len(holds) - IN_A_ROW + 1):
        if all(holds[i : i + IN_A_ROW]):
            return steps[i]
    return None


def _gradients(series: Series) -> Iterator[dict[str, Any]]:
    largest: dict[int, float] = {}
    for shots in series.values():
        for step, shot in shots:
            largest[step] = max(largest.get(step, 0.0), _mean_square(shot))
    for path, shots in series.items():
        steps = [step for step, _ in shots]
        odd = next((step for step, shot in shots if not shot.finite), None)
        if odd is not None:
            yield _insight(odd, "gradient not finite", path)
        ratios = [_mean_square(shot) / largest[step] if largest[step] else 1.0 for step, shot in shots]
        begin = _begins(steps, [ratio < BOUNDS["vanishing"] for ratio in ratios])
        if begin is not None:
            yield _insight(begin, "vanishing", path, ratios[steps.index(begin)])
        norms = np.array([shot.norm for _, shot in shots])
        for i in range(5, len(norms)):
            usual = float(np.median(norms[:i]))
            if usual > 0 and norms[i] > BOUNDS["exploding"] * usual:
                yield _insight(steps[i], "exploding", path, norms[i] / usual)
                break


def _mean_square(shot: Any) -> float:
    return math.hypot(shot.mean, shot.deviation)


def _updates(series: dict[str, Series]) -> Iterator[dict[str, Any]]:
    for path, shots in series["updates"].items():
        norms = {step: shot.norm for step, shot in series["weights"].get(path, [])}
        steps = [step for step, _ in shots if norms.get(step)]
        ratios = [shot.norm / norms[step] for step, shot in shots if norms.get(step)]
        for kind, holds in (
            ("large", [r > BOUNDS["large"] for r in ratios]),
            ("small", [r < BOUNDS["small"] for r in ratios]),
        ):
            begin = _begins(steps, holds)
            if begin is not None:
                yield _insight(begin, kind + " updates", path, ratios[steps.index(begin)])


def _dead(series: Series) -> Iterator[dict[str, Any]]:
    for path, shots in series.items():
        steps, shares = [step for step, _ in shots], [len(shot.dead) / max(shot.units, 1) for _, shot in shots]
        step = _begins(steps, [share >= BOUNDS["dead"] for share in shares])
        if step is not None:
            shot = shots[steps.index(step)][1]
            yield _insight(step, "dead", path, len(shot.dead), shot.units)
