"""How the examples run as programs: what stops one is said in one line.

例をプログラムとして実行します。止まった理由は1行で伝えます。
"""

import argparse
import os
import sys
from pathlib import Path


def at_least_one(text):
    """A `type=` for argparse / argparse の `type=`"""
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got {text!r}")
    return int(text)


def run(main):
    """Call `main`; a reader who has seen enough, as `| head` has, ends it quietly, and a missing file is named."""
    try:
        main()
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")
    except KeyboardInterrupt:
        sys.exit(f"{Path(sys.argv[0]).name}: interrupted")
