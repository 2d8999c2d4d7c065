"""The film of a training run: what it keeps, what it notices, and its page in a browser."""

import itertools
import json
import re
import zlib
from base64 import b64decode

import numpy as np
import pytest

import tinygrad_jp
import tinygrad_jp.functions as F
import tinygrad_jp.layers as L
from tests.seeing.test_player import CONTRASTS
from tinygrad_jp import DataLoader, Film, Model, Variable, datasets, fit, models, optimizers
from tinygrad_jp.film import film as film_module
from tinygrad_jp.film.latent import features
from tinygrad_jp.film.phrases import PHRASES
from tinygrad_jp.film.shots import Plan, shot

X, T = datasets.TwoMoons(rng=0)[:]


def train(film, optimizer, steps, x=X, t=T, loss=F.softmax_cross_entropy, **kept):
    for _ in range(steps):
        y = loss(film.model(x), t)
        film.model.cleargrads()
        y.backward()
        film.step(y, **kept)
        optimizer.update()
    return film


def mlp(lr=0.5, steps=30, activation=F.relu, sizes=(16, 2), name="", **settings):
    model = models.MLP(sizes, activation=activation, rng=0)
    return train(Film(model, name=name, lang="en", **settings), optimizers.SGD(lr).setup(model), steps)


def data(page):
    text = re.search(r'<script type="text/plain" id="data">([^<]+)<', page)[1]
    return json.loads(zlib.decompress(b64decode(text)))


def unpacked(raw, view):
    """The picture of a shot of the page, as numbers."""
    dtype = {127: np.int8, 32767: np.int16}[view["most"]]
    return np.frombuffer(b64decode(raw[0]), dtype).reshape(view["size"]) / view["most"] * raw[2]


@pytest.fixture(autouse=True)
def _numpys_global_state():
    tinygrad_jp.seed(None)


# ---- What it keeps ---------------------------------------------------------------------------------------------------


def test_every_number_is_the_engines():
    model = models.MLP((3, 2), activation=np.tanh, rng=0)
    optimizer, film = optimizers.MomentumSGD(0.1).setup(model), Film(model, lang="en")
    known = {"weights": [], "gradients": [], "updates": [], "activations": []}
    for _ in range(5):
        loss = F.softmax_cross_entropy(model(X), T)
        model.cleargrads()
        loss.backward()
        film.step(loss)
        before = model.l0.W.data.copy()
        known["weights"].append(before)
        known["gradients"].append(model.l0.W.grad.data.copy())
        known["activations"].append(np.tanh(X @ before + model.l0.b.data)[:32])
        optimizer.update()
        known["updates"].append(model.l0.W.data - before)
    (found,) = data(film.html())["films"]
    for i, view in enumerate(found["views"]):
        if view["path"] not in ("l0.W", "l0"):
            continue
        for frame, expected in zip(found["frames"], known[view["kind"]], strict=True):
            raw = frame["shots"][i]
            np.testing.assert_allclose(unpacked(raw, view), expected, atol=raw[2] / (1.8 * view["most"]) + 1e-12)
            if view["kind"] != "activations":
                assert raw[2] == pytest.approx(np.abs(expected).max(), rel=1e-3)
                assert raw[3:6] == pytest.approx([np.linalg.norm(expected), expected.mean(), expected.std()], rel=1e-3)


def test_long_runs_are_thinned_and_keep_every_loss():
    film = mlp(steps=100, frames=16)
    assert len(film.losses) == 100 and 8 <= len(film.frames) <= 16
    assert [frame["step"] for frame in film.frames] == list(range(0, 100, film.every))
    assert repr(film) == f"Film(MLP: 100 steps, {len(film.frames)} frames)"
    (found,) = data(film.html())["films"]
    assert found["losses"]["count"] == 100
    np.testing.assert_allclose(found["losses"]["values"], film.losses, rtol=1e-3)


def test_very_long_runs_show_means_of_losses():
    film = mlp(steps=1)
    film.losses = [float(i) for i in range(10_000)]
    (found,) = data(film.html())["films"]
    assert found["losses"]["block"] == 3 and found["losses"]["values"][:2] == [1, 4]


def test_two_hundred_steps_of_a_small_network_take_less_than_two_megabytes():
    assert len(mlp(steps=200, sizes=(16, 16, 2)).html()) < 2_000_000


def test_the_same_film_gives_the_same_page_and_saving_changes_nothing(tmp_path):
    film = mlp(steps=4)
    film.save(tmp_path / "a.html")
    assert film.html() == film.html() == (tmp_path / "a.html").read_text(encoding="utf-8")
    train(film, optimizers.SGD(0.5).setup(film.model), 2)
    assert len(data(film.html())["films"][0]["frames"]) == 6


def test_the_model_is_left_as_it_was():
    model = models.MLP((8, 2), activation=lambda x: F.dropout(F.relu(x)), rng=0)
    model(X[:1])
    optimizer = optimizers.SGD(0.1).setup(model)
    alone = models.MLP((8, 2), activation=lambda x: F.dropout(F.relu(x)), rng=0)
    alone(X[:1])
    other = optimizers.SGD(0.1).setup(alone)
    np.random.seed(0)
    train(Film(model), optimizer, 12)
    np.random.seed(0)
    for _ in range(12):
        loss = F.softmax_cross_entropy(alone(X), T)
        alone.cleargrads()
        loss.backward()
        other.update()
    for p, q in zip(model.params(), alone.params(), strict=True):
        assert np.array_equal(p.data, q.data)


def test_fit_takes_a_film():
    model = models.MLP(8, 2)
    film = Film(model)
    fit(model, F.softmax_cross_entropy, DataLoader(X, T, batch_size=50), optimizers.SGD(0.1), 3, film=film, show=False)
    assert len(film.losses) == 12


class Recurrent(Model):
    def __init__(self, kind):
        self.cell, self.out = kind(5), L.Linear(2)

    def forward(self, x):
        self.cell.reset_state()
        for k in range(4):
            h = self.cell(x[:, k : k + 1])
        return self.out(h)


def image_network():
    return models.Sequential(
        *(L.Conv2d(4, 3, pad=1), F.relu, L.BatchNorm(), F.flatten, L.Linear(2)),
    )


WORKS = {  # The model, its input, and the shape of the activations of one of its layers.
    "MLP": (lambda: models.MLP(8, 2), X[:20], "l0", [20, 8]),
    "CNN": (image_network, np.random.default_rng(0).random((6, 1, 5, 5)), "l0", [6, 4, 5, 5]),
    "RNN": (lambda: Recurrent(L.RNN), np.random.default_rng(0).random((6, 4)), "cell", [6, 4, 5]),
    "LSTM": (lambda: Recurrent(L.LSTM), np.random.default_rng(0).random((6, 4)), "cell", [6, 4, 5]),
    "GRU": (lambda: Recurrent(L.GRU), np.random.default_rng(0).random((6, 4)), "cell", [6, 4, 5]),
}


@pytest.mark.parametrize("work", WORKS)
def test_any_model_is_filmed(work):
    make, x, path, shape = WORKS[work]
    model, t = make(), np.arange(len(x)) % 2
    film = train(Film(model), optimizers.SGD(0.01).setup(model), 4, x, t)
    (found,) = data(film.html())["films"]
    shapes = {(view["kind"], view["path"]): view["shape"] for view in found["views"]}
    assert shapes["activations", path] == shape
    for p, v in model.named_params().items():
        for kind in ("weights", "gradients", "updates"):
            assert shapes[kind, p] == list(v.shape)


def test_attention_is_seen():
    model = models.GPT(7, n_layers=2, width=8, n_heads=2, context=5)
    ids = np.arange(10).reshape(2, 5) % 7
    loss = lambda y, t: F.softmax_cross_entropy(y.reshape(-1, 7), t.ravel())  # noqa: E731
    film = train(Film(model), optimizers.SGD(0.1).setup(model), 2, ids, ids, loss)
    views = [view for view in data(film.html())["films"][0]["views"] if view["kind"] == "attention"]
    assert [view["shape"] for view in views] == [[2, 2, 5, 5]] * 2


def test_the_plane():
    film = mlp(steps=5)
    side = film_module.FIELD
    left, right, bottom, top = film.field["corners"]
    assert left < X[:, 0].min() and right > X[:, 0].max() and bottom < X[:, 1].min() and top > X[:, 1].max()
    (found,) = data(film.html())["films"]
    assert [frame["field"] is not None for frame in found["frames"]] == [True, False, False, False, True]
    answers = film.frames[-1]["field"]
    y = answers.reshape(side, side, 2)[0, 0]  # The upper left corner: the grid is drawn from the top.
    np.testing.assert_allclose(film.field["grid"][0], [left, top], rtol=1e-5)
    classes = np.frombuffer(b64decode(found["frames"][-1]["field"]["classes"]), np.uint8)
    assert classes[0] == y.argmax() and set(found["plane"]["targets"]) == {0, 1}
    one = models.MLP(4, 1)
    film = train(Film(one), optimizers.SGD(0.1).setup(one), 1, X, X[:, :1] * 2, F.mean_squared_error)
    assert set(data(film.html())["films"][0]["frames"][0]["field"]) == {"values", "low", "high"}


@pytest.mark.parametrize("x", [np.ones((5, 3)), np.full((5, 2), np.nan)])
def test_there_is_no_plane_for_other_inputs(x):
    model = models.MLP(4, 2)
    film = train(Film(model), optimizers.SGD(0.0).setup(model), 1, x, np.zeros(5, int))
    assert film.field is None and data(film.html())["films"][0]["plane"] is None


def test_backward_passes_are_kept_at_some_steps_and_where_asked():
    film = mlp(steps=12)
    assert list(film.played) == [0, 10]
    train(film, optimizers.SGD(0.5).setup(film.model), 1, backward=True)
    packed = data(film.html())["films"][0]["players"]
    assert list(packed) == ["0", "10", "12"]
    assert zlib.decompress(b64decode(packed["12"])).decode() == film.played[12]


@pytest.mark.parametrize("shape", [(6, 5), (6, 3, 5), (6, 5, 4, 4), (40, 100)])
def test_each_unit_has_its_mean_and_how_often_it_is_active(shape):
    x = np.maximum(np.random.default_rng(0).normal(size=shape), 0)
    axis = 1 if x.ndim == 4 else -1
    np.moveaxis(x, axis, 0)[1] = 0
    units = np.moveaxis(x, axis, 0).reshape(x.shape[axis], -1)
    made = shot(Plan(1).of("activations", "l", x), x)
    means = np.frombuffer(made.means, np.int16) / 32767 * made.scale
    np.testing.assert_allclose(means, units.mean(axis=1), atol=made.scale / 60000)
    active = np.frombuffer(made.active, np.uint8) / 255
    np.testing.assert_allclose(active, (units != 0).mean(axis=1), atol=1 / 255)
    assert made.dead == (1,) and active[1] == 0 and (active[[0, 2]] > 0).all()


def latents(film):
    (found,) = data(film.html())["films"]
    points = {
        path: [
            None if p is None else np.frombuffer(b64decode(p), np.uint8).reshape(-1, 2) / 255 for p in kept["points"]
        ]
        for path, kept in found["latents"].items()
    }
    return found, points


def test_the_latent_space_is_numpys_principal_components():
    film = mlp(steps=20, sizes=(16, 2))
    found, points = latents(film)
    assert list(points) == ["l0"] and found["ends"] == [0, 1]  # Two answers have no space to be projected from.
    rows = [frame["latents"]["l0"] for frame in film.frames]
    assert rows[0].shape == (100, 16)
    every = np.concatenate(rows).astype(float)
    _, s, vt = np.linalg.svd(every - every.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(found["latents"]["l0"]["shares"], (s**2 / (s**2).sum())[:2], rtol=1e-3)
    expected = (every - every.mean(axis=0)) @ vt[:2].T
    expected = (expected - (expected.max(axis=0) + expected.min(axis=0)) / 2) / np.ptp(expected, axis=0).max()
    shown = np.concatenate(points["l0"]) - 0.5
    for k in range(2):  # Up to its sign, and in one scale for both.
        assert min(np.abs(shown[:, k] - sign * expected[:, k]).max() for sign in (1, -1)) < 1 / 100
    for frame in found["frames"]:
        assert np.frombuffer(b64decode(frame["targets"]), np.uint8).tolist() == T[:100].tolist()


def test_of_a_deep_network_some_layers_have_a_latent_space():
    _, points = latents(mlp(steps=2, sizes=(4,) * 29 + (3,)))
    assert list(points) == [f"l{i}" for i in range(0, 30, 3)]


def test_distances_between_examples_stay_where_units_are_many():
    x = np.random.default_rng(0).normal(size=(50, 800)).astype(np.float32)
    few = features(x)
    assert few.shape == (50, 64)
    distances = [np.linalg.norm(a[:, None] - a, axis=-1)[np.triu_indices(50, 1)] for a in (x, few)]
    np.testing.assert_allclose(distances[1], distances[0], rtol=0.45)
    assert abs(distances[1] / distances[0] - 1).mean() < 0.1


@pytest.mark.parametrize("work", ["CNN", "RNN", "LSTM", "GRU"])
def test_maps_and_sequences_have_a_latent_space_too(work):
    make, x, path, _ = WORKS[work]
    model, t = make(), np.arange(len(x)) % 2
    film = train(Film(model), optimizers.SGD(0.01).setup(model), 4, x, t)
    found, points = latents(film)
    assert [p.shape for p in points[path]] == [(6, 2)] * 4 and found["ends"] == [0, 1]


@pytest.mark.parametrize("t", [np.arange(200) % 3 + 4, (np.arange(200) % 2).astype(bool)])
def test_the_classes_of_examples(t):
    model = models.MLP(8, 7)
    loss = lambda y, t: F.softmax_cross_entropy(y, t.astype(int))  # noqa: E731
    found, _ = latents(train(Film(model), optimizers.SGD(0.01).setup(model), 2, X, t, loss))
    assert found["ends"] == sorted({*t.tolist()})
    shown = np.frombuffer(b64decode(found["frames"][0]["targets"]), np.uint8)
    assert [found["ends"][k] for k in shown] == t[:100].tolist()


def test_numbers_that_examples_should_give():
    model, t = models.MLP(8, 1), np.linspace(-1, 2, 200)[:, None]
    found, _ = latents(train(Film(model), optimizers.SGD(0.01).setup(model), 2, X, t, F.mean_squared_error))
    low, high, last = found["ends"]
    assert [low, high] == pytest.approx([t[0, 0], t[99, 0]], rel=1e-3) and last is None
    shown = np.frombuffer(b64decode(found["frames"][0]["targets"]), np.uint8)
    np.testing.assert_allclose(shown / 255 * (high - low) + low, t[:100, 0], atol=0.01)


def test_what_is_not_finite_has_no_place():
    model = models.MLP(8, 2)
    film, optimizer = Film(model), optimizers.SGD(0.01).setup(model)
    train(film, optimizer, 2)
    model.l0.W.data[:] = np.nan
    with np.errstate(all="ignore"):
        train(film, optimizer, 1)
    _, points = latents(film)
    assert [p is None for p in points["l0"]] == [False, False, True]


@pytest.mark.parametrize(("shape", "kind", "size", "tile"), [
    ((3, 4), "weights", (3, 4), None), ((7,), "weights", (1, 7), None), ((), "weights", (1, 1), None),
    ((784, 100), "weights", (25, 25), None), ((4, 3, 5, 5), "weights", (15, 20), (5, 5)),
    ((40, 6), "activations", (32, 6), None), ((2, 6, 4, 4), "activations", (8, 12), (4, 4)),
    ((2, 3, 4), "activations", (3, 4), None), ((0, 3), "weights", (0, 3), None),
])  # fmt: skip
def test_pictures_of_any_shape(shape, kind, size, tile):
    x = np.arange(np.prod(shape, dtype=int), dtype=float).reshape(shape)
    view = Plan(1).of(kind, "W", x)
    assert (view.height, view.width) == size and view.tile == tile
    made = shot(view, x)
    assert len(made.picture) == view.height * view.width * (1 + (view.most > 127)) and len(made.histogram) == 32


def test_a_picture_of_a_large_array_shows_means():
    x = np.repeat(np.repeat(np.arange(16.0).reshape(4, 4), 32, 0), 32, 1)
    view = Plan(1).of("weights", "W", x)
    levels = np.frombuffer(shot(view, x).picture, np.int8).reshape(view.height, view.width).astype(float)
    np.testing.assert_allclose(levels[:: view.height // 4, :: view.width // 4] * 15 / 127, x[::32, ::32], atol=0.07)


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_said(odd):
    made = shot(Plan(1).of("weights", "W", np.ones(3)), np.array([1.0, odd, 2.0]))
    assert not made.finite and made.scale == 2


# ---- What it notices -------------------------------------------------------------------------------------------------


def kinds(film):
    return {insight["kind"]: insight for insight in data(film.html())["films"][0]["insights"]}


def test_a_good_run_has_no_insight():
    assert kinds(mlp(steps=40)) == {}


def test_too_large_a_rate():
    found = kinds(mlp(lr=60.0, steps=40))
    assert "large updates" in found and found["large updates"]["step"] == 0 and "dead" in found


def test_vanishing_gradients():
    film = mlp(steps=12, activation=F.sigmoid, sizes=(8,) * 10 + (2,))
    assert kinds(film)["vanishing"]["path"] == "l0.W" and kinds(film)["vanishing"]["step"] == 0


def test_dead_units_and_where_they_began():
    model = models.MLP((8, 2), activation=F.relu, rng=0)
    film, optimizer = Film(model), optimizers.SGD(0.01).setup(model)
    train(film, optimizer, 5)
    model.l0.b.data = model.l0.b.data - 100
    train(film, optimizer, 5)
    assert kinds(film)["dead"] == {"step": 5, "kind": "dead", "path": "l0", "numbers": [8, 8], "more": 0}


def test_exploding_gradients_rising_and_infinite_losses():
    model = models.MLP((4, 1), activation=F.relu, rng=0)
    film, optimizer = Film(model), optimizers.SGD(1e-4).setup(model)
    train(film, optimizer, 8, X, X[:, :1], F.mean_squared_error)
    train(film, optimizer, 12, X, 1000 * X[:, :1], F.mean_squared_error)
    found = kinds(film)
    assert found["exploding"]["step"] == 8 and found["rising"]["step"] == 8
    model.l0.W.data[:] = np.nan
    train(film, optimizer, 1, X, X[:, :1], F.mean_squared_error)
    found = kinds(film)
    assert found["not finite"]["step"] == 20 and found["gradient not finite"]["step"] == 20


def test_updates_too_small():
    assert kinds(mlp(lr=1e-7, steps=5))["small updates"]["step"] == 0


def test_every_insight_has_its_words():
    for kind in ("not finite", "rising", "gradient not finite", "vanishing", "exploding", "dead"):
        assert len(PHRASES[kind]) == 2
    for english, japanese in PHRASES.values():
        assert set(re.findall(r"{\w*}", english)) == set(re.findall(r"{\w*}", japanese))


# ---- Mistakes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mistake", "error", "message"), [
    (lambda: Film(3), TypeError, "Film: expected a model or a layer, got int"),
    (lambda: Film(models.MLP(2), frames=1), ValueError, "Film: expected at least 2 frames, got 1"),
    (lambda: Film(models.MLP(2)).step(1.0), TypeError, "step: expected the loss, a Variable, got float"),
    (lambda: Film(models.MLP(2)).step(Variable([1.0, 2.0])), ValueError, "step: expected a loss of one number"),
    (lambda: Film(models.MLP(2)).html(), RuntimeError, "the film has no step; call film.step(loss) after loss."),
    (lambda: mlp(steps=1).save("film.mp4"), ValueError, "expected a path that ends in .html, got 'film.mp4'"),
    (lambda: Film(models.MLP(2), lang="fr"), ValueError, "expected lang="),
])  # fmt: skip
def test_mistakes(mistake, error, message):
    with pytest.raises(error, match=re.escape(message)):
        mistake()


def test_names_cannot_end_the_page():
    page = mlp(steps=1, name="</script><b>").html()
    assert "</script><b>" not in page
    assert Film(models.MLP(2))._repr_html_().startswith("<pre>Film(") and "<iframe" in mlp(steps=1)._repr_html_()


# ---- In a browser ----------------------------------------------------------------------------------------------------

READY = "new Promise(done => { const wait = () => window.film ? done(1) : setTimeout(wait, 20); wait(); })"


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    one, other = mlp(steps=60, name="lr = 0.5"), mlp(lr=60.0, steps=60, name="lr = 60")
    one.save(folder / "one.html")
    one.save(folder / "two.html", beside=other)
    return folder


SCREENS = [(1280, 720), (1366, 768), (1920, 1080), (760, 700), (375, 700)]
# Elements whose text is cut: wider inside than their box.
CUT = """
[...document.querySelectorAll("h1, h2, h3, p, button, output, label, li, span")].filter(e =>
  e.checkVisibility() && e.id !== "said" && getComputedStyle(e).display !== "inline" &&
  e.scrollWidth > e.clientWidth + 1
).map(e => e.textContent)
"""


# The contrast of the colors of lines and marks with the ground that they are drawn on.
LINES = """(() => {
    const style = getComputedStyle(document.documentElement);
    const linear = c => (c /= 255) <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4;
    const hex = name => style.getPropertyValue("--" + name).trim();
    const light = name => [1, 3, 5].map(i => linear(parseInt(hex(name).slice(i, i + 2), 16)))
        .reduce((sum, c, i) => sum + [.2126, .7152, .0722][i] * c, 0);
    return ["value", "gradient", "local", "fourth", "fifth", "sixth", "warning", "positive", "negative"].map(name => {
        const [a, b] = [light(name), light("paper")].sort((x, y) => y - x);
        return (a + .05) / (b + .05);
    });
})()"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["one.html", "two.html"])
@pytest.mark.parametrize("size", SCREENS)
@pytest.mark.parametrize("lang", ["en", "ja"])
def test_every_screen(browser, pages, name, size, lang):
    width, height = size
    browser.open(pages / name, width=width, height=height, prefers_color_scheme="dark" if width == 1366 else "light")
    browser.run(READY)
    browser.run(f"document.querySelector('[data-lang={lang}]').click()")
    for network, unit in itertools.product(("true", "false"), ("null", "5")):
        browser.run(f"film.showNetwork({network}); film.state.unit = {unit}; film.goTo(30)")
        assert browser.run("film.state.network") == (network == "true")
        assert browser.run("document.documentElement.scrollWidth") <= width
        if width >= 1000:
            assert browser.run("document.documentElement.scrollHeight") <= height
        assert browser.run(CUT) == []
    assert browser.errors == [] and len(browser.requests) == 1


def test_keys_move_it_and_switch_pictures(browser, pages):
    browser.open(pages / "one.html")
    browser.run(READY)
    for key, at in (("End", 59), ("ArrowLeft", 58), ("Home", 0), ("ArrowRight", 1)):
        browser.press(key)
        assert browser.run("film.state.at") == at
    for key, kind in (("g", "gradients"), ("u", "updates"), ("w", "weights")):
        browser.press(key)
        assert browser.run("film.state.kind") == kind
        assert browser.run("document.querySelector('[data-kind][aria-pressed=true]').dataset.kind") == kind


def test_numbers_on_the_screen_are_the_films(browser, pages):
    film = mlp(steps=60, name="lr = 0.5")
    browser.open(pages / "one.html")
    browser.run(READY)
    browser.run("film.showNetwork(false); film.goTo(40)")
    assert browser.run("document.getElementById('count').textContent") == f"step 40  Loss {film.losses[40]:.4g}"
    film.html()
    norm = film.frames[40]["shots"]["weights l0.W"].norm
    assert f"norm {norm:.4g}" in browser.run("document.querySelector('.numbers').textContent")


def click(browser, canvas, across, down):
    """Click a canvas of the page at these parts of its width and height."""
    browser.run(f"""(() => {{
        const canvas = document.querySelector('{canvas}'), box = canvas.getBoundingClientRect();
        canvas.dispatchEvent(new MouseEvent("click", {{
            bubbles: true, clientX: box.left + {across} * box.width, clientY: box.top + {down} * box.height}}));
    }})()""")


def test_a_unit_is_inspected(browser, pages):
    film = mlp(steps=60, name="lr = 0.5")
    film.html()
    browser.open(pages / "one.html", width=1280, height=720)
    browser.run(READY)
    browser.run("film.showNetwork(false); film.goTo(40)")
    assert browser.run("document.querySelector('.unit').hidden")
    click(browser, ".pictures > div:nth-child(2) .big", (5 + 0.5) / 16, 0.5)
    assert browser.run("[film.state.unit, document.querySelector('.unit').hidden]") == [5, False]
    W, b = (film.frames[40]["shots"][f"weights l0.{name}"] for name in "Wb")
    weights = np.frombuffer(W.picture, np.int16).reshape(2, 16)[:, 5] / 32767 * W.scale
    text = browser.run("document.querySelector('.unit').textContent")
    assert "l0, unit 5" in text
    told = {i: float(v) for i, v in re.findall(r"\[(\d)\] (-?[\d.]+)", text)}
    assert told == pytest.approx({str(i): w for i, w in enumerate(weights)}, abs=1e-4)
    act = film.frames[40]["shots"]["activations l0"]
    mean, active = np.frombuffer(act.means, np.int16)[5] / 32767 * act.scale, act.active[5] / 255
    assert float(re.search(r"mean (-?[\d.]+)", text)[1]) == pytest.approx(mean, abs=1e-4)
    assert re.search(r"not 0 for (\d+) %", text)[1] == f"{100 * active:.0f}"
    bias = np.frombuffer(b.picture, np.int16)[5] / 32767 * b.scale
    assert float(re.search(r"b (-?[\d.]+)", text)[1]) == pytest.approx(bias, abs=1e-4)
    browser.press("ArrowDown")
    assert "unit 6" in browser.run("document.querySelector('.unit').textContent")
    browser.press("Escape")
    assert browser.run("document.querySelector('.unit').hidden")
    click(browser, ".pictures > div:nth-child(1) .big", 0.99, 0.01)
    assert browser.run("[film.state.unit, film.state.cell]") == [15, [0, 15]]


def test_a_small_network_is_drawn_and_its_units_can_be_pressed(browser, pages):
    browser.open(pages / "one.html", width=1280, height=720)
    browser.run(READY)
    browser.run("film.goTo(40)")
    places = browser.run("film.placesOf(film.films[0], 600, 300)")
    assert [len(column) for column in places] == [2, 16, 2]
    size = browser.run("[...document.querySelectorAll('.network canvas')].map(c => [c.clientWidth, c.clientHeight])[0]")
    places = browser.run(f"film.placesOf(film.films[0], {size[0]}, {size[1]})")
    for column, unit, path in ((1, 3, "l0"), (2, 1, "l1"), (1, 15, "l0")):
        x, y = places[column][unit]
        click(browser, ".network canvas", x / size[0], y / size[1])
        assert browser.run("[film.state.unit, film.state.layer.path]") == [unit, path]
        assert f"{path}, unit {unit}" in browser.run("document.querySelector('.unit').textContent")
        browser.press("Escape")
        assert browser.run("film.state.unit") is None
    click(browser, ".network canvas", places[0][0][0] / size[0], places[0][0][1] / size[1])
    assert browser.run("film.state.unit") is None  # An input has nothing coming in.
    browser.press("n")
    assert not browser.run("film.state.network") and browser.run("document.querySelector('.big').checkVisibility()")


@pytest.mark.slow
@pytest.mark.parametrize("work", WORKS)
def test_a_network_is_drawn_where_it_is_one(browser, tmp_path, work):
    make, x, _, _ = WORKS[work]
    model = make()
    train(Film(model), optimizers.SGD(0.01).setup(model), 2, x, np.arange(len(x)) % 2).save(tmp_path / "any.html")
    browser.open(tmp_path / "any.html", width=1280, height=720)
    browser.run(READY)
    assert browser.run("film.state.network") == (work == "MLP")
    assert browser.run("document.querySelector('#networks').hidden") == (work != "MLP")
    browser.press("n")
    assert not browser.run("film.state.network") and browser.errors == []


def test_a_dead_unit_is_told_from_where_it_died(browser, tmp_path):
    model = models.MLP((8, 2), activation=F.relu, rng=0)
    film, optimizer = Film(model, lang="en"), optimizers.SGD(0.01).setup(model)
    train(film, optimizer, 5)
    model.l0.b.data = model.l0.b.data - 100
    train(film, optimizer, 5)
    film.save(tmp_path / "dead.html")
    browser.open(tmp_path / "dead.html")
    browser.run(READY)
    dead = "document.querySelector('.unit .dead')?.textContent"
    browser.run("film.state.unit = 3; film.goTo(7)")
    assert browser.run(dead) == "0 for every example since step 5"
    browser.run("film.goTo(4)")
    assert browser.run(dead) is None and browser.errors == []


@pytest.mark.slow
@pytest.mark.parametrize("work", WORKS)
def test_every_unit_of_any_model_is_shown(browser, tmp_path, work):
    make, x, _, _ = WORKS[work]
    model = make()
    film = train(Film(model, lang="ja"), optimizers.SGD(0.01).setup(model), 4, x, np.arange(len(x)) % 2)
    film.save(tmp_path / "any.html")
    browser.open(tmp_path / "any.html", width=1280, height=720)
    browser.run(READY)
    browser.run("film.showNetwork(false)")
    for i in range(browser.run("film.films[0].layers.length")):
        browser.run(f"document.querySelectorAll('.layer')[{i}].click()")
        count = browser.run("film.unitsOf(film.films[0], film.state.layer)")
        for unit in range(count):
            browser.press("ArrowDown")
            assert browser.run("film.state.unit") == unit and browser.run(CUT) == []
            assert not browser.run("document.querySelector('.unit').hidden")
        assert count > 0
    assert browser.errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["one.html", "two.html"])
def test_text_stands_out(browser, pages, name, scheme):
    browser.open(pages / name, width=1280, height=720, prefers_color_scheme=scheme)
    browser.run(READY)
    browser.run("film.state.unit = 5; film.goTo(30)")
    for network in ("true", "false"):
        browser.run(f"film.showNetwork({network})")
        assert browser.run(CONTRASTS) == []
    lines = browser.run(LINES)
    assert len(lines) == 9 and min(lines) >= 3


def test_the_latent_space_is_that_of_the_chosen_layer(browser, pages):
    browser.open(pages / "one.html", width=1280, height=720)
    browser.run(READY)
    titles = []
    for i in range(2):
        browser.run(f"document.querySelectorAll('.layer')[{i}].click()")
        titles.append(browser.run("document.querySelectorAll('.field')[1].textContent"))
    assert titles == ["Latent space: l0● 0● 1", "Latent spaceChoose a layer of three units or more."]


def test_the_player_opens_inside(browser, pages):
    browser.open(pages / "one.html")
    browser.run(READY)
    browser.run("document.querySelector('.players button').click()")
    browser.run("new Promise(done => setTimeout(done, 1500))")
    assert browser.run("document.getElementById('player').open") is True
    inside = "document.querySelector('iframe').contentDocument.documentElement.classList.contains('live')"
    assert browser.run(inside) is True
    assert browser.errors == []


def test_in_a_sandboxed_frame(browser, tmp_path):
    path = tmp_path / "notebook.html"
    path.write_text(f"<!DOCTYPE html><meta charset=utf-8>{mlp(steps=5)._repr_html_()}", encoding="utf-8")
    browser.open(path)
    assert browser.run("document.querySelector('iframe').contentDocument") is None
    browser.run("new Promise((done) => setTimeout(done, 500))")
    frame = browser.contexts[-2]  # The innermost one is that of its player.
    said = "(film.goTo(4), [document.getElementById('count').textContent, origin])"
    answer = browser.call("Runtime.evaluate", expression=said, returnByValue=True, contextId=frame)["result"]["value"]
    assert answer[0].startswith("step 4") and answer[1] == "null"
    assert browser.errors == []


@pytest.mark.parametrize("network", ["true", "false"])
def test_ears_hear_what_the_pictures_are(browser, pages, network):
    browser.open(pages / "one.html", width=1280, height=720)
    browser.run(READY)
    browser.run(f"film.showNetwork({network}); film.state.unit = 5; film.goTo(30)")
    seen = "[...document.querySelectorAll('canvas')].filter(c => c.checkVisibility())"
    labels = browser.run(f"{seen}.map(c => c.ariaLabel ?? c.ariaHidden)")
    assert len(labels) >= 8 and all(labels) and len({*labels} - {"true"}) == len([x for x in labels if x != "true"])
    assert any("l0: 16" in label for label in labels) == (network == "true")


def test_an_insight_leads_to_its_step(browser, pages):
    browser.open(pages / "two.html")
    browser.run(READY)
    assert browser.run("document.querySelectorAll('.film').length") == 2
    browser.run("film.goTo(30); document.querySelector('.insights li button').click()")
    assert browser.run("film.state.at") == 0
