"""The benchmark is worth something only while all peers compute the same."""

import pytest

from tests.benchmarks.peers import PEERS, load
from tests.benchmarks.works import WORKS, differences

QUICK = [work for work in WORKS if work != "mlp60000"]
BY_HAND = [work for work in QUICK if WORKS[work].steps in load("hand")]


@pytest.mark.parametrize("peer", PEERS)
def test_computes_what_is_computed_by_hand(peer):
    steps = load(peer) or pytest.skip(f"{peer} is not installed")
    assert not [d for work in BY_HAND for d in differences(work, {"hand": load("hand"), peer: steps})]


@pytest.mark.parametrize("work", ["cnn64", "gpt", "lstm"])
def test_what_nobody_writes_by_hand_is_that_of_torch(work):
    torch = load("torch") or pytest.skip("torch is not installed")
    assert not list(differences(work, {"torch": torch, "tinygrad_jp": load("tinygrad_jp")}))


@pytest.mark.parametrize("work", BY_HAND)
def test_a_wrong_gradient_is_seen(work):
    def slightly_wrong(**problem):
        for loss, (*arrays, last) in load("hand")[WORKS[work].steps](**problem):
            yield loss, [*arrays, last * 1.001]

    (message,) = differences(work, {"hand": load("hand"), "wrong": {WORKS[work].steps: slightly_wrong}})
    assert message.startswith(f"{work}: wrong differs from hand by")
