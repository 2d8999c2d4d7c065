"""What the engine computes for one part of the class: its code is run, its numbers are found and compared."""

import contextlib
import io

import numpy as np

import tinygrad_jp.functions as F
from tinygrad_jp import Variable, grad, trace


class Results:
    """A part of the class in one language: `names` of its code, `printed` by it, and its `facts`.

    Raises AssertionError where the engine's number is not the one that was worked out by hand.
    """

    def __init__(self, part, number, lang, out):
        self.part, self.number, self.lang = part, number, lang
        self.names = {"np": np, "F": F, "Variable": Variable, "grad": grad, "trace": trace}
        self.printed = {key: self._run(self.code(key)) for key in part.CODE}
        self.facts = {}
        for name, fact in part.FACTS.items():
            self.facts[name] = self._found(name, *fact) if isinstance(fact, list) else fact
        self.pages = {}
        for name, save in part.PAGES.items():
            path = out / f"{number}-{name}.html"
            save(self, path)
            self.pages[name] = path

    def code(self, key):
        """A piece of code, whose pictures and pages are in this language."""
        return self.part.CODE[key].strip("\n").replace('lang="en"', f'lang="{self.lang}"')

    def say(self, texts):
        return texts[self.lang == "ja"]

    def _run(self, code):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(code, self.names)
        return printed.getvalue().rstrip()

    def _found(self, name, how, by_hand):
        """The value of the expression `how`, which must be the one found by hand, or be within a bound."""
        value = eval(how, {**self.facts, **self.names})
        value = value.data if isinstance(value, Variable) else value
        value = np.asarray(value) if np.ndim(value) and not isinstance(value, tuple) else value
        if not self._agrees(value, by_hand):
            raise AssertionError(f"part {self.number}, {name}: by hand {by_hand}, by the engine {value}")
        return value if np.ndim(value) else np.asarray(value).item()

    def _agrees(self, value, by_hand):
        if callable(by_hand):
            return by_hand(value)
        tolerance = getattr(self.part, "TOLERANCE", 1e-9)
        return np.shape(value) == np.shape(by_hand) and np.allclose(value, by_hand, rtol=tolerance, atol=1e-12)
