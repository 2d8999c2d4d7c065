"""What the lessons share: their language, their pictures, and one line of error for input that cannot be used.

Japanese in pictures takes one of the fonts in FONTS, installed where matplotlib looks: Noto Sans CJK JP (the package
fonts-noto-cjk of Debian and Ubuntu), IPAexGothic (fonts-ipaexfont), or what macOS and a Japanese Windows bring along.
Where there is none, the pictures alone are in English.

レッスンに共通する部品です。文章の言語、図の保存、使えない入力に対する1行のエラーを受け持ちます。
図の日本語には、FONTS にあるフォントのどれかが必要です。ひとつもなければ、図の中だけ英語になります。
"""

import argparse
import locale
import os
import re
import sys
import tempfile
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib import font_manager
from running import at_least_one

from tinygrad_jp import Optimizer, optimizers

OUTPUT = Path(__file__).parent / "output"
FONTS = ["Noto Sans CJK JP", "Noto Sans JP", "IPAexGothic", "IPAGothic", "Hiragino Sans", "Hiragino Kaku Gothic ProN"]
FONTS += ["Yu Gothic", "Meiryo", "MS Gothic", "BIZ UDGothic", "TakaoPGothic", "VL PGothic", "Noto Serif CJK JP"]
ALL = ["SGD", "MomentumSGD", "AdaGrad", "RMSprop", "AdaDelta", "Adam", "Nesterov", "AdamW", "AdaMax", "Nadam", "Ftrl"]
COLORS = dict(zip(ALL, [*(f"C{i}" for i in range(10)), "k"], strict=True))
count = at_least_one
chosen = {"say": "en", "label": "en"}  # The language of what is printed, and of what is drawn.


def say(english, japanese):
    """The text in the language of the lesson / レッスンの言語の文"""
    return japanese if chosen["say"] == "ja" else english


def label(english, japanese):
    """The same for pictures / 図の中の文"""
    return japanese if chosen["label"] == "ja" else english


class Parser(argparse.ArgumentParser):
    """The options of every lesson; what is wrong with one is said in one line, with exit status 2."""

    def __init__(self, description):
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="replace")  # A character that a console lacks must not end the lesson.
        super().__init__(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
        self.add_argument("--lang", choices=("ja", "en"), default=language(), help="language / 言語 (%(default)s)")
        help_out = "where the pictures go / 図の保存先 (%(default)s)"
        self.add_argument("--out", type=output_directory, default=str(OUTPUT), metavar="DIR", help=help_out)

    def parse_args(self, args=None, namespace=None):
        args = super().parse_args(args, namespace)
        choose(args.lang)
        return args

    def error(self, message):
        self.exit(2, f"{self.prog}: error: {message}\n")


def language():
    """The language of the locale: ja or en."""
    names = [os.environ.get(key) for key in ("LC_ALL", "LC_MESSAGES", "LANG")]  # Set, if perhaps not installed.
    name = next(filter(None, names), locale.getlocale()[0] or "")
    return "ja" if re.match(r"ja(panese)?(?![a-z])", name, re.IGNORECASE) else "en"


def choose(lang):
    """Print and draw in this language, where there is a font for it."""
    mpl.use("Agg")
    installed = {font.name for font in font_manager.fontManager.ttflist}
    fonts = [name for name in FONTS if name in installed][:1] if lang == "ja" else []
    if lang == "ja" and not fonts:
        print("日本語フォントが見つからないため、図の中は英語にします（fonts-noto-cjk などを入れてください）。")
    mpl.rcParams["font.family"] = [*fonts, "DejaVu Sans"]
    chosen.update(say=lang, label="ja" if fonts else "en")


def output_directory(path):
    """A directory that can be written into, made if need be: a `type=` for argparse, as are those that follow."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot write into a directory {path!r}: {error.strerror}") from None
    return Path(path)


def data_directory(path):
    if not Path(path).is_dir():
        raise argparse.ArgumentTypeError(f"no directory {path!r} to read data from")
    return Path(path)


def optimizer(name):
    things = {key: getattr(optimizers, key) for key in optimizers.__all__ if key != "Optimizer"}
    known = {key: thing for key, thing in things.items() if isinstance(thing, type) and issubclass(thing, Optimizer)}
    if name not in known:
        raise argparse.ArgumentTypeError(f"unknown optimizer {name!r} (choose from {', '.join(sorted(known))})")
    return known[name]


def several(names):
    """All, or names with commas between / all、またはコンマ区切りの名前"""
    return [optimizer(name.strip()).__name__ for name in (ALL if names == "all" else names.split(","))]


def save(figure, path):
    """Write the picture to `path`, and say where."""
    figure.savefig(path, dpi=120)
    plt.close(figure)
    print(say("picture: ", "図: ") + str(path))
