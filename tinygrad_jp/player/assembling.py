"""How a page is put together: its files, filled in, and a policy that lets it run its own scripts and load nothing."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from tinygrad_jp.formatting import showable
from tinygrad_jp.graph.looks import DARK, LIGHT


def read(folder: str, name: str) -> str:
    """The file `name` in the folder of the module `folder`."""
    return Path(folder).with_name(name).read_text(encoding="utf-8")


def filled(template: str, parts: Mapping[str, str]) -> str:
    """The page: `template` with its {{gaps}} filled."""
    return showable(re.sub(r"{{(\w+)}}", lambda m: parts[m[1]], template))


def policy(styles: Iterable[str], scripts: Iterable[str]) -> str:
    """The policy of a page with these styles and scripts, given by their hashes."""
    return (
        f"default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src {' '.join(styles)}; script-src {' '.join(scripts)}"
    )


def hash_of(text: str) -> str:
    """How a policy names a style or a script."""
    from base64 import b64encode
    from hashlib import sha256

    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def colors() -> str:
    """The colors of the pictures, and the few more that a page needs, as CSS variables for both grounds."""
    light = LIGHT | {"ground": "#f4f3ef", "line": "#d5d3cc", "now": "#eeece5"}
    dark = DARK | {"ground": "#16181c", "line": "#3a3f47", "now": "#282c33"}
    written = [
        ":root{" + "".join(f"--{key}:{color};" for key, color in colors.items()) + "}" for colors in (light, dark)
    ]
    return f"{written[0]}@media(prefers-color-scheme:dark){{{written[1]}}}"
