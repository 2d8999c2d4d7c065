"""A class of ninety minutes, built by one command: pages for the projector and for learners, worksheets, answers.

    python examples/class/build.py --out class

This writes class/en/index.html and class/ja/index.html, the teacher's pages, which lead to all others; `--lang` chooses
one language. The texts are in parts/, a module for each part. The code on the pages is run to build them, and each
number is the engine's; where it is not what was worked out by hand (FACTS in each part), nothing is built.

90 分の授業を、コマンド1つで作ります。投影用のページ、学習者用のページ、プリントとその解答が、日本語と英語でそろいます。
教師用のページ（ja/index.html）から、すべてのページを開けます。ページのコードは実際に動かしたもので、数はどれもエンジンが
計算したものです。手計算の値（各部の FACTS）と違っていれば、ページは作られません。

    python examples/class/build.py --lang ja --out class
"""

import argparse
from pathlib import Path

import pages
from parts import PARTS
from results import Results

OUTPUT = Path(__file__).parents[1] / "output" / "class"
KINDS = {"screen": pages.screen, "learner": pages.learner, "worksheet": pages.worksheet, "answers": pages.answers}


def build(lang, out):
    """Write the class in one language into the folder `out`, and return what was computed for it."""
    out.mkdir(parents=True, exist_ok=True)
    found = [Results(part, number, lang, out) for number, part in enumerate(PARTS, 1)]
    for results in found:
        for kind, page in KINDS.items():
            (out / f"{results.number}-{kind}.html").write_text(page(results), encoding="utf-8")
    (out / "index.html").write_text(pages.teacher(found), encoding="utf-8")
    return found


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lang", choices=("en", "ja"), help="one language only / 1つの言語だけ")
    parser.add_argument("--out", type=Path, default=OUTPUT, metavar="DIR", help="where to / 保存先 (%(default)s)")
    args = parser.parse_args(argv)
    for lang in (args.lang,) if args.lang else ("en", "ja"):
        try:
            build(lang, args.out / lang)
        except OSError as error:
            parser.exit(2, f"{parser.prog}: error: cannot write into {str(args.out)!r}: {error.strerror}\n")
        print(args.out / lang / "index.html")


if __name__ == "__main__":
    main()
