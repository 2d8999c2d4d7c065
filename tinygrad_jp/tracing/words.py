"""The words of a trace, and of the rules, in English and in Japanese."""

import operator
from typing import Any

import numpy as np

from tinygrad_jp.core.errors import plain_name

LANGUAGES = ("en", "ja")

WORDS = {
    "forward": ("Forward", "順伝播"),
    "seed": ("Backward: start from the gradient of {} by itself, {}", "逆伝播: {} 自身に関する勾配 {} から始めます"),
    "incoming": ("{}, gradient {}", "{}、伝わってきた勾配 {}"),
    "to": ("to {}", "{} へ"),
    "total": ("{}'s gradient", "{} の勾配"),
    "value": (" = {}", " = {}"),
    "summed": (", summed over what was broadcast: {}", "、ブロードキャストした軸について合計すると {}"),
    "its own rule": ("{} has a derivative of its own", "{} 独自の微分の規則によります"),
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
    np.positive: ("The gradient passes as it is", "勾配をそのまま渡します"),
    np.reciprocal: ("The slope of 1/x is −y²", "1/x の傾きは −y² です"),
    np.cbrt: ("The slope of ∛x is 1/(3y²)", "∛x の傾きは 1/(3y²) です"),
    np.exp2: ("The slope of 2ˣ is y·log 2", "2ˣ の傾きは y·log 2 です"),
    np.expm1: ("The slope of eˣ − 1 is eˣ, which is y + 1", "eˣ − 1 の傾きは eˣ、つまり y + 1 です"),
    np.log2: ("The slope of log₂ x is 1/(x·log 2)", "log₂ x の傾きは 1/(x·log 2) です"),
    np.log10: ("The slope of log₁₀ x is 1/(x·log 10)", "log₁₀ x の傾きは 1/(x·log 10) です"),
    np.log1p: ("The slope of log(1 + x) is 1/(1 + x)", "log(1 + x) の傾きは 1/(1 + x) です"),
    np.tan: ("The slope of tan x is 1 + y²", "tan x の傾きは 1 + y² です"),
    np.arcsin: ("The slope of arcsin x is 1/√(1 − x²)", "arcsin x の傾きは 1/√(1 − x²) です"),
    np.arccos: ("The slope of arccos x is −1/√(1 − x²)", "arccos x の傾きは −1/√(1 − x²) です"),
    np.arctan: ("The slope of arctan x is 1/(1 + x²)", "arctan x の傾きは 1/(1 + x²) です"),
    np.arctan2: ("The angle of (a, b): a gets the gradient times b/(a² + b²), b that times −a/(a² + b²)", "点 (a, b) の角度です。a へは b/(a² + b²) 倍、b へは −a/(a² + b²) 倍の勾配を渡します"),
    np.hypot: ("The length of (a, b): a gets the gradient times a/y, b that times b/y", "点 (a, b) までの距離です。a へは a/y 倍、b へは b/y 倍の勾配を渡します"),
    np.sinh: ("The slope of sinh x is cosh x", "sinh x の傾きは cosh x です"),
    np.cosh: ("The slope of cosh x is sinh x", "cosh x の傾きは sinh x です"),
    np.arcsinh: ("The slope of arsinh x is 1/√(1 + x²)", "arsinh x の傾きは 1/√(1 + x²) です"),
    np.arccosh: ("The slope of arcosh x is 1/√(x² − 1)", "arcosh x の傾きは 1/√(x² − 1) です"),
    np.arctanh: ("The slope of artanh x is 1/(1 − x²)", "artanh x の傾きは 1/(1 − x²) です"),
    np.logaddexp: ("Each gets its share of eᵃ + eᵇ", "eᵃ + eᵇ に占める割合だけ、それぞれへ勾配を渡します"),
    np.clip: ("Where x was kept it gets the gradient, where it was cut the bound does", "範囲内の要素へはそのまま、切り取られたところでは境界の値へ勾配を渡します"),
    np.swapaxes: ("The axes are swapped back", "勾配の軸を元の並びに戻します"),
    np.moveaxis: ("The axes move back", "勾配の軸を元の並びに戻します"),
    np.flip: ("The elements go back to their places", "勾配を元の位置に戻します"),
    np.tril: ("What was kept gets the gradient, the rest zero", "残した要素へ勾配を渡し、ほかは 0 です"),
    np.linalg.det: ("The slope of the determinant is y·(x⁻¹)ᵀ", "行列式の傾きは y·(x⁻¹)ᵀ です"),
    np.linalg.solve: ("The transposed system, solved for the gradient", "転置した連立方程式を、勾配について解きます"),
}  # fmt: skip
RULES |= {np.fabs: RULES[np.absolute], np.roll: RULES[np.flip], np.triu: RULES[np.tril]}
RULES |= dict.fromkeys((np.expand_dims, np.squeeze), RULES[np.reshape])
# The same for functions of our own, by name: they live on floors above this one.
NAMED: dict[str, tuple[str, str]] = {
    "relu": ("ReLU lets the gradient pass where its output is positive", "ReLU は、出力が正のところだけ勾配を通します"),
    "sigmoid": ("The slope of the sigmoid is y(1 − y)", "シグモイドの傾きは y(1 − y) です"),
    "linear": ("An affine map: dx = gy·Wᵀ, dW = xᵀ·gy, db = the sum over the rows", "全結合: dx = gy·Wᵀ、dW = xᵀ·gy、db は行についての和です"),
    "mean_squared_error": ("The mean of squares: 2(a − b)/n", "2乗の平均なので、2(a − b)/n です"),
    "softmax_cross_entropy": ("What softmax says, less what is right, over the number of rows", "softmax の出力から正解を引き、行の数で割ったものです"),
    "softmax": ("Each probability pulls against the mean of all", "それぞれの確率が、全体の平均に対して引き合います"),
    "softmax_gradient": ("The gradient of a gradient: softmax differentiated twice", "勾配の勾配です。softmax を2回微分します"),
    "log_softmax": ("The gradient, less the probabilities times its sum", "勾配から、その合計に確率を掛けたものを引きます"),
    "normal": ("The slope of Φ(x), by which gelu multiplies x", "GELU が x に掛ける Φ(x) の傾きです"),
    "astype": ("Another dtype: the gradient takes that of the input again", "dtype を変えただけなので、勾配を元の dtype に戻します"),
    "output": ("One of several outputs: the gradient goes to its place among them", "いくつかある出力の1つです。勾配をその場所へ渡します"),
    "logabsdet": ("The slope of log |det x| is (x⁻¹)ᵀ", "log |det x| の傾きは (x⁻¹)ᵀ です"),
    "conv2d": ("A convolution: x gets gy laid down by the kernels, W what x and gy have in common, b the sum of gy", "畳み込み: x へは gy の転置畳み込み、W へは x と gy の相関、b へは gy の和を渡します"),
    "deconv2d": ("A transposed convolution: x gets the convolution of the gradient", "転置畳み込み: x へは勾配の畳み込みを渡します"),
    "correlate": ("A correlation is linear in both: each gets the gradient, folded with the other", "相関はどちらについても線形です。勾配ともう一方を畳み込んで渡します"),
    "im2col": ("A pixel gets what all of its copies get", "各画素へは、その複製すべての勾配を合計して渡します"),
    "col2im": ("Each copy gets what its pixel gets", "それぞれの複製へ、元の画素の勾配を渡します"),
    "pooling": ("The largest pixel under the kernel gets the gradient", "窓の中で最大の画素へ勾配を渡します"),
    "award": ("What a pixel won is taken from its place", "画素が受け取ったものを、その位置から取り出します"),
}  # fmt: skip
# What the docstrings of the other rules say in English.
JAPANESE: dict[str, str] = {
    **dict.fromkeys(("max", "amax"), "最大の要素だけが値を決めます。いくつかあるときは等しく分けます"),
    **dict.fromkeys(("min", "amin"), "最小の要素だけが値を決めます。いくつかあるときは等しく分けます"),
    "cumsum": "ある要素は、その位置から先のすべての和に入っています",
    "var": "平均からの偏差の2倍を、自由度で割ったものです。平均を通る分は打ち消し合います",
    "std": "分散の場合の半分を、標準偏差で割ったものです。値がすべて等しいところでは 0 です",
    "norm": "単位ベクトルです。0 では、劣勾配として 0 をとります",
    "inv": "x·y = 1 から、dy = −y·dx·y です",
    "einsum": "出力の勾配を、ほかのすべてのオペランドと縮約します",
    "concatenate": "つなぎ目で切り分けます",
    "stack": "積み重ねを元に戻します",
    "pad": "余白を切り落とします",
    "scatter_add": "置くことの随伴は、取り出すことです",
    "logsumexp": "softmax、つまり eˣ⁻ʸ です。x がすべて −∞ のところでは 0 です",
    "layer_norm": "gy·gamma から、その平均と z に沿った成分を除き、標準偏差で割ったものです",
    "normalized": "gy から、その平均と y に沿った成分を除き、標準偏差 √(分散 + eps) で割ったものです",
    "attention_weights": "softmax を通って、積であるスコアへ届きます。マスクされたところの重みは 0 なので、勾配もありません",
    "split_heads": "切り分けた部分とヘッドを、元のとおりに並べます",
    "rnn": "最後のステップから最初へ向かいます。状態に届いた勾配は tanh の傾きを通り、U によって前の状態へ進みます",
    "lstm": "最後のステップから最初へ向かいます。c と h に届いた勾配はゲートへ進み、ゲートを通って前のステップへ届きます",
    "gru": "最後のステップから最初へ向かいます。状態に届いた勾配はゲートへ進み、ゲートを通って前の状態へ届きます",
}


def word(lang: str, key: str, *parts: Any) -> str:
    """The words for `key`, with `parts` in their places."""
    return WORDS[key][LANGUAGES.index(lang)].format(*parts)


def rule_in_words(func: Any, lang: str) -> str:
    """The rule of a function of the library or of NumPy in a sentence; nothing where only its docstring says it.

    >>> rule_in_words(np.tanh, "ja")
    'tanh x の傾きは 1 − y² です'
    """
    if str(getattr(func, "__module__", None) or "numpy").partition(".")[0] not in ("numpy", "_operator", "tinygrad_jp"):
        return ""
    name = plain_name(func)
    words = RULES.get(func) or NAMED.get(name) or ("", JAPANESE.get(name, ""))
    return words[LANGUAGES.index(lang)]
