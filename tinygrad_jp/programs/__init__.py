"""A recorded computation as a program in plain NumPy, to read and to run.

Whatever becomes a program is computed once on arrays that remember how (`recorded`, `recorder`, `recording`), and is
made of Values then (`values`), which `simplifying` reduces to what a person would write.

- To read, `source`: `replaying` computes a graph again, `writing` makes lines of it, `borrowing` brings the functions
  that they call, `colours` paints them.
- To run, `compiling`: `takes` records a call of a step with all that it can read and change (`arguments`, `watching`,
  `kept`, `dice`, `effects`); `plans` compares two recordings and checks the program that `fast` writes, in memory that
  `blocks` shares out, under `conditions` that are checked in each call; `interrupts` wait while it changes anything.
- In chunks, `rows`: `rehearsing` tries a step on some of the rows, `roles` prove that rows go through it apart from
  each other, `chunks` are the programs for so many rows each.
"""

from tinygrad_jp.programs.compiling import compiled
from tinygrad_jp.programs.source import Source, source

__all__ = ["Source", "compiled", "source"]
