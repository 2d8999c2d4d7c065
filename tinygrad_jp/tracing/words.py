"""The words of a trace, and of the rules, in English and in Japanese."""

import operator
from typing import Any

import numpy as np

from tinygrad_jp.table import plain_name

LANGUAGES = ("en", "ja")

WORDS = {
    "forward": ("Forward", "順伝播"),
    "seed": ("Backward: start from the gradient of {} by itself, {}", "逆伝播: {} 自身に関する勾配 {} から始めます"),
    "incoming": ("{}, gradient {}", "{}、伝わってきた勾配 {}"),
    "to": ("to {}", "{} へ"),
    "total": ("{}'s gradient", "{} の勾配"),
    "value": (" = {}", " = {}"),
    "summed": (", summed over what was broadcast: {}", "、ブロードキャストした軸について合計すると {}"),
    "its own rule": ("{} has a backward() of its own", "{} 自身の backward() によります"),
    "held": ("Note: {} already hold(s) another gradient; backward() adds to it: call cleargrad() first", "注意: {} にはすでに別の勾配が入っていて、backward() はそれに足し込みます。先に cleargrad() を呼んでください"),
    "paths": ("The gradient of {} comes along {} path(s):", "{} の勾配は {} 本の経路を通って届きます:"),
    "many paths": ("The gradient of {} comes along more than {} paths; the first:", "{} の勾配は {} 本より多い経路を通って届きます。はじめの経路:"),
    "through": ("through {} to {}: {}", "{} を通って {} へ: {}"),
    "not here": ("explain: the value {} is no part of this computation", "explain: 値 {} はこの計算に含まれていません"),
    "unknown": ("check: no Variable is called {}; there are: {}", "check: {} という名前の変数はありません。あるのは: {}"),
    "shape": ("expected a gradient of shape {}, got {}", "勾配の形状は {} のはずですが、{} でした"),
    "equal": ("equal: yours {}, the engine's {}", "一致: あなたの値 {}、エンジンの値 {}"),
    "close": ("close: yours {}, the engine's {}, largest difference {}", "ほぼ一致: あなたの値 {}、エンジンの値 {}、差の最大 {}"),
    "different": ("different: yours {}, the engine's {}, largest difference {}", "不一致: あなたの値 {}、エンジンの値 {}、差の最大 {}"),
    "numerical": ("; numerically {}", "、数値微分 {}"),
    "parts": ("The two part at {}, in the backward step of {}", "最初に食い違うのは {}、{} の逆伝播です"),
    "missing": ("Yours lacks what comes to {} in the backward step of {}", "{} の勾配には、{} の逆伝播から届く分が足りません"),
}  # fmt: skip

# The rules of the most usual functions, as a teacher would say them.
RULES: dict[Any, tuple[str, str]] = {
    np.add: ("A sum hands the gradient on to each summand", "足し算は、勾配をそのまま両方へ渡します"),
    np.subtract: ("A difference hands the gradient on, with its sign turned for what is subtracted", "引き算は、勾配をそのまま、引く側へは符号を変えて渡します"),
    np.multiply: ("A product gives each factor the gradient times the other factor", "掛け算は、勾配にもう一方の値を掛けて渡します"),
    np.divide: ("A quotient divides the gradient by the divisor, which gets it times −y/b", "割り算は、割られる側へ 1/b 倍、割る側へ −y/b 倍の勾配を渡します"),
    np.power: ("A power gives its base the gradient times b·a^(b−1)", "べき乗は、底へ b·a^(b−1) 倍の勾配を渡します"),
    np.negative: ("The sign of the gradient turns", "勾配の符号が変わります"),
    np.exp: ("The slope of eˣ is its value: the gradient times y", "eˣ の傾きは eˣ 自身です。勾配に y を掛けます"),
    np.log: ("The slope of log x is 1/x", "log x の傾きは 1/x です"),
    np.sqrt: ("The slope of √x is 1/(2√x)", "√x の傾きは 1/(2√x) です"),
    np.sin: ("The slope of sin x is cos x", "sin x の傾きは cos x です"),
    np.cos: ("The slope of cos x is −sin x", "cos x の傾きは −sin x です"),
    np.tanh: ("The slope of tanh x is 1 − y²", "tanh x の傾きは 1 − y² です"),
    np.absolute: ("The slope of |x| is the sign of x", "|x| の傾きは x の符号です"),
    np.square: ("The slope of x² is 2x", "x² の傾きは 2x です"),
    np.maximum: ("The larger gets the gradient", "大きいほうへ勾配を渡します"),
    np.minimum: ("The smaller gets the gradient", "小さいほうへ勾配を渡します"),
    np.sum: ("Every summand moves the sum by one: the gradient is spread over all", "どの要素も和を同じだけ動かします。勾配をすべての要素に配ります"),
    np.mean: ("Each of n elements moves the mean by 1/n", "n 個の要素はそれぞれ平均を 1/n だけ動かします"),
    np.matmul: ("A matrix product gives each factor the gradient times the other, transposed", "行列の積は、もう一方を転置したものを勾配に掛けて渡します"),
    np.reshape: ("A change of shape: the gradient takes the shape of the input again", "形状を変えただけなので、勾配を元の形状に戻します"),
    np.transpose: ("The gradient is transposed back", "勾配の軸を元の並びに戻します"),
    np.broadcast_to: ("What was copied adds up again", "複製された分の勾配を合計します"),
    np.where: ("Each element's gradient goes to the side that was chosen", "選ばれたほうへ、要素ごとに勾配を渡します"),
    operator.getitem: ("What was picked gets the gradient, the rest zero", "取り出した要素へ勾配を渡し、ほかは 0 です"),
}  # fmt: skip
# The same for functions of our own, by name: they live on floors above this one.
NAMED: dict[str, tuple[str, str]] = {
    "relu": ("ReLU lets the gradient pass where its output is positive", "ReLU は、出力が正のところだけ勾配を通します"),
    "sigmoid": ("The slope of the sigmoid is y(1 − y)", "シグモイドの傾きは y(1 − y) です"),
    "linear": ("An affine map: dx = gy·Wᵀ, dW = xᵀ·gy, db = the sum over the rows", "全結合: dx = gy·Wᵀ、dW = xᵀ·gy、db は行についての和です"),
    "mean_squared_error": ("The mean of squares: 2(a − b)/n", "2乗の平均なので、2(a − b)/n です"),
    "softmax_cross_entropy": ("What softmax says, less what is right, over the number of rows", "softmax の出力から正解を引き、行の数で割ったものです"),
    "softmax": ("Each probability pulls against the mean of all", "それぞれの確率が、全体の平均に対して引き合います"),
}  # fmt: skip


def word(lang: str, key: str, *parts: Any) -> str:
    """The words for `key`, with `parts` in their places."""
    return WORDS[key][LANGUAGES.index(lang)].format(*parts)


def rule_in_words(func: Any, lang: str) -> str:
    """The rule of a usual function in a sentence; of another, nothing.

    >>> rule_in_words(np.tanh, "ja")
    'tanh x の傾きは 1 − y² です'
    """
    try:
        words = RULES.get(func) or NAMED.get(plain_name(func))
    except TypeError:  # A function that cannot be hashed.
        words = None
    return words[LANGUAGES.index(lang)] if words else ""
