"""The phrases of a picture, in English and in Japanese."""

from functools import partial

from tinygrad_jp.formatting import Phrases, phrase

PHRASES: Phrases = {
    "title": ("Computation graph", "計算グラフ"),
    "gradient": ("∇: the gradient", "∇: 勾配"),
    "zero": ("the gradient is zero", "勾配が 0"),
    "not finite": ("NaN or infinity", "NaN か無限大"),
    "released": ("released", "解放済み"),
    "gradient not finite": ("gradient: NaN or infinity", "勾配が NaN か無限大"),
    "dead": ("dead: every output is 0", "ReLU の出力がすべて 0"),
    "saturated": ("saturated: {} of the outputs", "出力の {} が飽和"),
    "no path": ("no path to the output", "出力につながっていない"),
    "parameter": ("{:,} parameter", "パラメータ {:,} 個"),
    "parameters": ("{:,} parameters", "パラメータ {:,} 個"),
    "more": ("and {} more", "ほか {} 個"),
    "row": ("× {:,}, one after another", "{:,} 回の繰り返し"),
    "side": ("× {:,}, side by side", "並列に {:,} 個"),
    "rest": ("… {:,} operations before these", "… これより前の {:,} 個の演算"),
    "statistics": (
        "more than 9 elements: mean ± standard deviation, ‖·‖ is the norm",
        "要素が10個以上のとき: 平均 ± 標準偏差、‖·‖ はノルム",
    ),
    "range": ("repeated arrays: smallest norm … largest norm", "繰り返しの中の配列: 最小のノルム … 最大のノルム"),
    "flow": (
        "orange edges: the wider, the larger the gradient of their Variable",
        "オレンジの矢印: 変数の勾配が大きいほど太い",
    ),
    "loop": ("dashed edge: into the next repetition", "破線の矢印: 次の繰り返しへ"),
    "folded": (
        "{:,} nodes stand for {:,}: layers are closed, repetitions drawn once; draw(y, depth=-1) draws all",
        "{1:,} 個のノードを {0:,} 個で表しています（層は閉じ、繰り返しは1回だけ）。全体は draw(y, depth=-1) で描けます",
    ),
}
say = partial(phrase, PHRASES)
