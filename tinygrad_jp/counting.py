"""Numbers with their nouns, as messages and descriptions have them."""

__all__ = ["counted"]


def counted(n: int, noun: str, plural: str = "") -> str:
    """n things.

    >>> counted(1, "channel"), counted(1200, "channel"), counted(2, "axis", "axes")
    ('1 channel', '1,200 channels', '2 axes')
    """
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"
