"""The film of a training run: one page that plays it, step after step."""

from tinygrad_jp.film.film import Film

__all__ = ["Film"]


def __dir__() -> list[str]:
    return __all__
