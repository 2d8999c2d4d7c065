"""Adam's correction: the paper's, and the one that the lesson has.

    python examples/adam_correction.py --lang en

On a slope g, the paper's step is m/(1 − β₁ᵗ) / (√(v/(1 − β₂ᵗ)) + ε), which is 1 from the first step on. A common
mistake leaves out the power of t: m/(1 − β₁) / √(v/(1 − β₂) + ε). In ten steps that step doubles; in the end it is
10/√1000 = 0.32. Below the root, ε is as if √ε = 0.0003 stood beside it: small gradients count for less.

Adam の補正を、論文のものと、レッスンにあるものとで比べます。傾き g の坂で、論文の一歩は m/(1 − β₁ᵗ) / (√(v/(1 − β₂ᵗ))
+ ε) で、最初から 1 です。よくある間違いでは t 乗を忘れて m/(1 − β₁) / √(v/(1 − β₂) + ε) とします。この歩幅は 10 歩で二
倍になり、最後には 10/√1000 = 0.32 になります。根号の中の ε は、外に √ε = 0.0003 を足すようなものなので、小さな勾配の効
き目が弱まります。

    python examples/adam_correction.py --lang ja
"""

import lessons
import matplotlib.pyplot as plt
import numpy as np
from lessons import label, say
from optimizer_walk import walk

from tinygrad_jp import optimizers


class AdamOfTheLesson(optimizers.Adam):
    def step(self, x, g, m, v, work):
        m += (1 - self.beta1) * (g - m)
        v += (1 - self.beta2) * (g * g - v)
        x -= self.rate * m / (1 - self.beta1) / np.sqrt(v / (1 - self.beta2) + self.eps)


def slope(x, y):
    """The slope is 1 along x, and 0.0001 along y / 傾きは x 方向に 1、y 方向に 0.0001"""
    return x + 1e-4 * y


def main(argv=None):
    args = lessons.Parser(__doc__).parse_args(argv)
    rivals = optimizers.Adam(0.001, eps=1e-7), AdamOfTheLesson(0.001, eps=1e-7)
    paths = [walk(slope, (0.0, 0.0), rival, 10) for rival in rivals]
    (paper_1, paper_2), (lesson_1, lesson_2) = (-np.diff(path, axis=0).T / 0.001 for path in paths)
    found = np.stack([paper_1, lesson_1, paper_2, lesson_2], axis=1)
    print(say("The first ten steps, divided by lr", "最初の 10 歩（lr で割った値）"))
    print(
        say(
            "  t   paper  lesson (g = 1)   paper  lesson (g = 0.0001)",
            "  t    論文 レッスン (g = 1)   論文 レッスン (g = 0.0001)",
        )
    )
    for t, row in enumerate(found, 1):
        print("{:3} {:7.3f} {:7.3f}         {:7.3f} {:7.3f}".format(t, *row))
    lessons.save(draw(found), args.out / "adam_correction.png")
    return found


def draw(found):
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for column, style in enumerate(("C0o-", "C1o-", "C0x--", "C1x--")):
        who = label("the lesson", "レッスン") if column % 2 else label("the paper", "論文")
        axes.plot(range(1, 11), found[:, column], style, label=f"{who}, g = {(1, 1e-4)[column // 2]:g}")
    axes.set(title=label("Adam's first ten steps", "Adam の最初の 10 歩"), ylim=(0, 2.3))
    axes.set(xlabel=label("step", "ステップ"), ylabel=label("step / lr", "歩幅 / lr"))
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


if __name__ == "__main__":
    from running import run

    run(main)
