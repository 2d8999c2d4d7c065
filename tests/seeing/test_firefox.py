"""The player and the film in Firefox, too: one screen, nothing cut, nothing in the console."""

import itertools

import pytest

from tests.seeing import test_film as film
from tests.seeing import test_player as player

pytestmark = pytest.mark.slow
SIZES = [(1280, 720), (760, 720)]
FRAME = "($('slider').value = {}, $('slider').dispatchEvent(new Event('input')), 0)"


@pytest.fixture(scope="module")
def firefox(tmp_path_factory):
    from tests.seeing.firefox import PATH, Firefox

    if PATH is None:
        pytest.skip("no Firefox is installed: apt install firefox-esr")
    firefox = Firefox(tmp_path_factory.mktemp("firefox"))
    yield firefox
    errors = firefox.errors()
    firefox.close()
    assert errors == []


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("make", [player.scalar, player.mlp, player.broadcast, player.large_arrays, player.several])
def test_the_player(firefox, tmp_path, make, size):
    firefox.open(make().save(tmp_path / "backprop.html"), width=size[0], height=size[1])
    last = int(firefox.run("$('slider').max"))
    seen = set()
    for lang in ("ja", "en"):
        firefox.run(f"document.querySelector('[data-lang={lang}]').click()")
        for i in range(last + 1):
            firefox.run(FRAME.format(i))
            wrong = firefox.run(f"[!{player.INSIDE}, {player.CUT}, {player.SPILLED}, {player.SCROLLS}]")
            assert wrong == [False, [], [], False], (lang, i)
            marked = "$('program').querySelector('[aria-current]')?.textContent"
            seen.add(firefox.run(f"[$('say').textContent, $('beats').textContent, {marked}].join()"))
            assert (i in (0, last)) == (firefox.run(marked) is None), i
    assert len(seen) == 2 * (last + 1)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", ["one.html", "two.html"])
def test_the_film(firefox, tmp_path_factory, name, size):
    folder = tmp_path_factory.mktemp("films")
    one, other = film.mlp(steps=30, name="lr = 0.5"), film.mlp(lr=60.0, steps=30, name="lr = 60")
    one.save(folder / name, beside=other if name == "two.html" else None)
    firefox.open(folder / name, width=size[0], height=size[1])
    firefox.call("WebDriver:ExecuteAsyncScript", args=[], script=f"{film.READY}.then(arguments[0])")
    for lang, network, unit in itertools.product(("ja", "en"), ("true", "false"), ("null", "5")):
        firefox.run(f"document.querySelector('[data-lang={lang}]').click()")
        firefox.run(f"(film.showNetwork({network}), film.state.unit = {unit}, film.goTo(20))")
        assert firefox.run(film.CUT) == [], (lang, network, unit)
        assert firefox.run("document.documentElement.scrollWidth") <= size[0]
        if size[0] >= 1000:
            assert firefox.run("document.documentElement.scrollHeight") <= size[1]
    assert firefox.run("$('count').textContent").startswith("step 20")
    assert f"{one.losses[20]:.4g}" in firefox.run("$('count').textContent")
    assert firefox.run(film.CONTRASTS) == []
