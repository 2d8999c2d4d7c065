"""The phrases of a trace, and every rule in a sentence, in English and in Japanese."""

import operator
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from tinygrad_jp.core.errors import plain_name
from tinygrad_jp.formatting import LANGUAGES, Phrases, phrase

PHRASES: Phrases = {
    "forward": ("Forward", "順伝播"),
    "seed": ("Backward: start from the gradient of {0} with respect to itself, {1}", "逆伝播: {0} を {0} 自身で微分した値、{1} から始めます"),
    "incoming": ("{}, gradient {}", "{}、伝わってきた勾配 {}"),
    "to": ("to {}", "{} へ"),
    "total": ("{}'s gradient", "{} の勾配"),
    "value": (" = {}", " = {}"),
    "summed": (", summed over the broadcast axes: {}", "、ブロードキャストした軸について合計すると {}"),
    "its own rule": ("{} has a derivative of its own", "{} に定義された微分の規則を使います"),
    "slope": ("The gradient times the slope of {}", "勾配に {} の傾きを掛けます"),
    "held": ("Note: another gradient is already stored in {}; backward() adds to it, so call cleargrad() first", "注意: {} にはすでに別の勾配が入っていて、backward() はそれに足し込みます。先に cleargrad() を呼んでください"),
    "paths": ("The gradient reaches {} along {} path(s):", "{} の勾配は {} 本の経路を通って届きます:"),
    "many paths": ("The gradient reaches {} along more than {} paths; the first ones are:", "{} の勾配は {} 本より多くの経路を通って届きます。最初のものを示します:"),
    "through": ("through {} to {}: {}", "{} を通って {} へ: {}"),
    "not here": ("explain: the value {} is not part of this computation", "explain: 値 {} はこの計算に含まれていません"),
    "unknown": ("check: no Variable is called {}; the names are: {}", "check: {} という名前の変数はありません。使える名前: {}"),
    "shape": ("expected a gradient of shape {}, got {}", "勾配の形状は {} のはずですが、{} でした"),
    "equal": ("equal: yours {}, the engine's {}", "一致: あなたの値 {}、エンジンの値 {}"),
    "close": ("close: yours {}, the engine's {}, largest difference {}", "ほぼ一致: あなたの値 {}、エンジンの値 {}、差の最大 {}"),
    "different": ("different: yours {}, the engine's {}, largest difference {}", "不一致: あなたの値 {}、エンジンの値 {}、差の最大 {}"),
    "numerical": ("; numerically {}", "、数値微分 {}"),
    "parts": ("They first differ at {}, in the backward step of {}", "最初に食い違うのは {} で、{} の逆伝播のところです"),
    "missing": ("Yours lacks the share that {} gets in the backward step of {}", "{} の勾配には、{} の逆伝播から届く分が足りません"),
}  # fmt: skip

say = partial(phrase, PHRASES)

# The rules of common functions, as a teacher would say them: {0} is the result, {1} and {2} are the arguments.
RULES: dict[Any, tuple[str, str]] = {
    np.add: ("A sum passes the gradient on to both summands", "足し算は、勾配をそのまま両方へ渡します"),
    np.subtract: ("A difference passes the gradient on, with its sign flipped for what is subtracted", "引き算は、勾配をそのまま、引く側へは符号を変えて渡します"),
    np.multiply: ("A product gives each factor the gradient times the other factor", "掛け算は、勾配にもう一方の値を掛けて渡します"),
    np.divide: ("A quotient gives the dividend the gradient times 1/{2}, and the divisor the gradient times −{0}/{2}", "割り算は、割られる側へ 1/{2} 倍、割る側へ −{0}/{2} 倍の勾配を渡します"),
    np.power: ("A power gives its base the gradient times {2}·{1}^({2}−1)", "べき乗は、底へ {2}·{1}^({2}−1) 倍の勾配を渡します"),
    np.negative: ("The gradient changes its sign", "勾配の符号が変わります"),
    np.exp: ("The slope of exp({1}) is its value: the gradient times {0}", "exp({1}) の傾きはその値自身です。勾配に {0} を掛けます"),
    np.log: ("The slope of log {1} is 1/{1}", "log {1} の傾きは 1/{1} です"),
    np.sqrt: ("The slope of √{1} is 1/(2√{1})", "√{1} の傾きは 1/(2√{1}) です"),
    np.sin: ("The slope of sin {1} is cos {1}", "sin {1} の傾きは cos {1} です"),
    np.cos: ("The slope of cos {1} is −sin {1}", "cos {1} の傾きは −sin {1} です"),
    np.tanh: ("The slope of tanh {1} is 1 − {0}²", "tanh {1} の傾きは 1 − {0}² です"),
    np.absolute: ("The slope of |{1}| is the sign of {1}", "|{1}| の傾きは {1} の符号です"),
    np.square: ("The slope of {1}² is 2·{1}", "{1}² の傾きは 2·{1} です"),
    np.maximum: ("The larger gets the gradient", "大きいほうへ勾配を渡します"),
    np.minimum: ("The smaller gets the gradient", "小さいほうへ勾配を渡します"),
    np.sum: ("The sum changes as much as any of its elements: each gets the whole gradient", "どの要素も和を同じだけ動かします。勾配をすべての要素に配ります"),
    np.mean: ("Each of n elements moves the mean by 1/n", "n 個の要素はそれぞれ平均を 1/n だけ動かします"),
    np.matmul: ("A matrix product gives each factor the gradient times the other factor, transposed", "行列の積は、もう一方を転置したものを勾配に掛けて渡します"),
    np.reshape: ("Only the shape changed: the gradient is reshaped back", "形状を変えただけなので、勾配を元の形状に戻します"),
    np.transpose: ("The gradient is transposed back", "勾配の軸を元の並びに戻します"),
    np.broadcast_to: ("The gradients of all copies add up", "複製された分の勾配を合計します"),
    np.where: ("The gradient of each element goes to the side that was chosen", "選ばれたほうへ、要素ごとに勾配を渡します"),
    operator.getitem: ("The selected elements get the gradient, the others zero", "取り出した要素へ勾配を渡し、ほかは 0 です"),
    np.positive: ("The gradient passes unchanged", "勾配をそのまま渡します"),
    np.reciprocal: ("The slope of 1/{1} is −{0}²", "1/{1} の傾きは −{0}² です"),
    np.cbrt: ("The slope of ∛{1} is 1/(3·{0}²)", "∛{1} の傾きは 1/(3·{0}²) です"),
    np.exp2: ("The slope of 2 to the {1} is {0}·log 2", "2 の {1} 乗の傾きは {0}·log 2 です"),
    np.expm1: ("The slope of e to the {1}, minus 1, is {0} + 1", "e の {1} 乗から 1 を引いたものの傾きは {0} + 1 です"),
    np.log2: ("The slope of log₂ {1} is 1/({1}·log 2)", "log₂ {1} の傾きは 1/({1}·log 2) です"),
    np.log10: ("The slope of log₁₀ {1} is 1/({1}·log 10)", "log₁₀ {1} の傾きは 1/({1}·log 10) です"),
    np.log1p: ("The slope of log(1 + {1}) is 1/(1 + {1})", "log(1 + {1}) の傾きは 1/(1 + {1}) です"),
    np.tan: ("The slope of tan {1} is 1 + {0}²", "tan {1} の傾きは 1 + {0}² です"),
    np.arcsin: ("The slope of arcsin {1} is 1/√(1 − {1}²)", "arcsin {1} の傾きは 1/√(1 − {1}²) です"),
    np.arccos: ("The slope of arccos {1} is −1/√(1 − {1}²)", "arccos {1} の傾きは −1/√(1 − {1}²) です"),
    np.arctan: ("The slope of arctan {1} is 1/(1 + {1}²)", "arctan {1} の傾きは 1/(1 + {1}²) です"),
    np.arctan2: ("The angle of the point ({1}, {2}): {1} gets the gradient times {2}/({1}² + {2}²), and {2} the gradient times −{1}/({1}² + {2}²)", "点 ({1}, {2}) の角度です。{1} へは {2}/({1}² + {2}²) 倍、{2} へは −{1}/({1}² + {2}²) 倍の勾配を渡します"),
    np.hypot: ("The distance of the point ({1}, {2}): {1} gets the gradient times {1}/{0}, and {2} the gradient times {2}/{0}", "点 ({1}, {2}) までの距離です。{1} へは {1}/{0} 倍、{2} へは {2}/{0} 倍の勾配を渡します"),
    np.sinh: ("The slope of sinh {1} is cosh {1}", "sinh {1} の傾きは cosh {1} です"),
    np.cosh: ("The slope of cosh {1} is sinh {1}", "cosh {1} の傾きは sinh {1} です"),
    np.arcsinh: ("The slope of arsinh {1} is 1/√(1 + {1}²)", "arsinh {1} の傾きは 1/√(1 + {1}²) です"),
    np.arccosh: ("The slope of arcosh {1} is 1/√({1}² − 1)", "arcosh {1} の傾きは 1/√({1}² − 1) です"),
    np.arctanh: ("The slope of artanh {1} is 1/(1 − {1}²)", "artanh {1} の傾きは 1/(1 − {1}²) です"),
    np.logaddexp: ("Each gets the gradient times its share of exp({1}) + exp({2})", "exp({1}) + exp({2}) に占める割合だけ、それぞれへ勾配を渡します"),
    np.clip: ("Within the bounds {1} gets the gradient; beyond a bound, that bound gets it", "{1} のうち範囲内の要素へはそのまま、切り取られたところでは境界の値へ勾配を渡します"),
    np.swapaxes: ("The axes of the gradient are swapped back", "勾配の軸を元の並びに戻します"),
    np.moveaxis: ("The axes of the gradient move back", "勾配の軸を元の並びに戻します"),
    np.flip: ("The elements of the gradient move back to their places", "勾配の要素を元の位置に戻します"),
    np.tril: ("The elements that were kept get the gradient, the others zero", "残した要素へ勾配を渡し、ほかは 0 です"),
    np.linalg.det: ("The slope of the determinant is {0}·({1}⁻¹)ᵀ", "行列式の傾きは {0}·({1}⁻¹)ᵀ です"),
    np.remainder: ("A remainder passes the gradient on to the dividend, and −⌊{1}/{2}⌋ times the gradient to the divisor", "余りは、割られる側へ勾配をそのまま、割る側へ −⌊{1}/{2}⌋ 倍して渡します"),
    np.fmod: ("A remainder passes the gradient on to the dividend, and minus the whole quotient times the gradient to the divisor", "余りは、割られる側へ勾配をそのまま、割る側へは商の整数部分に負号を付けて掛け、渡します"),
    np.deg2rad: ("A change of units: the gradient times π/180", "単位を変えるだけです。勾配に π/180 を掛けます"),
    np.rad2deg: ("A change of units: the gradient times 180/π", "単位を変えるだけです。勾配に 180/π を掛けます"),
    np.nan_to_num: ("Finite numbers pass the gradient on; what was replaced gets none", "有限の値は勾配をそのまま渡し、置き換えられたところは 0 です"),
    np.unwrap: ("Only whole periods were added: the gradient passes unchanged", "周期の整数倍を足しただけなので、勾配をそのまま渡します"),
    np.i0: ("The slope of I₀ is I₁", "I₀ の傾きは I₁ です"),
    np.logaddexp2: ("Each gets the gradient times its share of the sum, 2 to the {1} + 2 to the {2}", "2 の {1} 乗 + 2 の {2} 乗 に占める割合だけ、それぞれへ勾配を渡します"),
    np.nancumsum: ("An element adds to every sum from its own place on; NaN gets nothing", "ある要素は、その位置から先のすべての和に入っています。NaN のところは 0 です"),
    np.nancumprod: ("What stands before an element, times a recurrence over what follows; NaN gets nothing", "前にあるものの積に、後ろから進む漸化式の値を掛けたものです。NaN のところは 0 です"),
    np.ldexp: ("The gradient times the same power of two", "勾配に同じ 2 のべきを掛けます"),
    np.heaviside: ("Only where {1} is 0 is the value {2}: there {2} gets the gradient", "{1} が 0 のところだけ値は {2} です。そこでは勾配を {2} へ渡します"),
    np.copysign: ("The gradient keeps or changes its sign as the number did", "数の符号が変わったところでは、勾配の符号も変わります"),
    np.fmax: ("The larger gets the gradient, and a number rather than NaN", "大きいほうへ勾配を渡します。片方が NaN なら、もう片方へ渡します"),
    np.fmin: ("The smaller gets the gradient, and a number rather than NaN", "小さいほうへ勾配を渡します。片方が NaN なら、もう片方へ渡します"),
    np.vdot: ("An inner product gives each vector the gradient times the other vector", "内積は、勾配にもう一方のベクトルを掛けて渡します"),
    np.outer: ("An outer product gives each vector the gradient, multiplied by the other vector and summed", "外積（直積）は、勾配にもう一方のベクトルを掛け、合計して渡します"),
    np.tensordot: ("A sum of products gives each factor the gradient, contracted with the other factor", "積の和は、勾配をもう一方と縮約して渡します"),
    np.diagonal: ("The gradient goes onto the diagonal, the rest is zero", "勾配を対角線の上に置き、ほかは 0 です"),
    np.take_along_axis: ("The gradient goes back to the places that the elements were taken from", "勾配を、要素を取り出した元の位置へ戻します"),
    np.sort: ("The gradient of each element goes back to the place it had before sorting", "それぞれの要素の勾配を、並べ替える前の位置へ戻します"),
    np.linalg.solve: ("Solve the transposed system, with the gradient as its right-hand side", "勾配を右辺として、転置した連立方程式を解きます"),
}  # fmt: skip
RULES |= {
    np.copy: ("A copy passes the gradient on as it is", "コピーは、勾配をそのまま渡します"),
    np.rot90: ("The gradient is turned back", "勾配を逆向きに回して戻します"),
    np.delete: ("The gradient goes back to the elements that were kept, those left out get zero", "残した要素へ勾配を戻し、取り除いた要素は 0 です"),
    np.insert: ("Each element gets the gradient of the place that it went to", "それぞれの要素へ、入れられた位置の勾配を戻します"),
    np.linspace: ("Each number lies between the ends: an end gets its share of every gradient", "それぞれの数は両端の間にあります。端は、その数に占める割合だけ勾配を受け取ります"),
    np.convolve: ("A convolution is linear in both arguments: each gets the gradient correlated with the other", "畳み込みはどちらについても線形です。勾配ともう一方の相関を渡します"),
    np.bincount: ("Each weight gets the gradient of the bin that it was counted in", "それぞれの重みへ、数えられた区間の勾配を渡します"),
    np.fft.fft: ("The Fourier matrix is symmetric: the gradient is transformed in the same way", "フーリエ変換の行列は対称なので、勾配を同じように変換します"),
    np.fft.rfft: ("The gradient of the frequencies, transformed; the real part of it", "周波数の勾配を変換し、その実部をとります"),
    np.fft.irfft: ("The transform of the gradient, twice for each frequency that stands for its conjugate, too", "勾配を変換し、共役の分も担う周波数では2倍します"),
}  # fmt: skip
RULES |= {np.fabs: RULES[np.absolute], np.roll: RULES[np.flip], np.triu: RULES[np.tril]}
RULES |= dict.fromkeys((np.expand_dims, np.squeeze, np.ravel), RULES[np.reshape])
RULES |= dict.fromkeys((np.repeat, np.tile, np.resize), RULES[np.broadcast_to])
RULES |= dict.fromkeys((np.dot, np.inner), RULES[np.tensordot])
RULES |= dict.fromkeys((np.conjugate, np.real, np.real_if_close, np.nextafter), RULES[np.positive])
RULES |= {np.radians: RULES[np.deg2rad], np.degrees: RULES[np.rad2deg], np.float_power: RULES[np.power]}
RULES |= {np.take: RULES[np.take_along_axis], np.vecdot: RULES[np.vdot]}
RULES |= {getattr(np, name): RULES[np.matmul] for name in ("matvec", "vecmat") if hasattr(np, name)}  # Since NumPy 2.2
RULES |= {np.rollaxis: RULES[np.moveaxis]}
RULES[np.fft.ifft] = RULES[np.fft.fft]
RULES |= dict.fromkeys((np.extract, np.compress), RULES[np.delete])
RULES[np.diag] = RULES[np.diagflat] = RULES[np.take_along_axis]
# The same for functions of the library, by name: their rooms are not for this one to import.
NAMED: Phrases = {
    "relu": ("ReLU lets the gradient pass where its output is positive", "ReLU は、出力が正のところだけ勾配を通します"),
    "sigmoid": ("The slope of the sigmoid is {0}·(1 − {0})", "シグモイドの傾きは {0}·(1 − {0}) です"),
    "linear": ("A fully connected layer: {1} gets the gradient times {2}ᵀ, {2} gets {1}ᵀ times the gradient, a bias the gradient summed over the batch", "全結合: {1} へは勾配に {2}ᵀ を掛けて、{2} へは {1}ᵀ に勾配を掛けて、バイアスへは勾配のバッチ方向の和を渡します"),
    "mean_squared_error": ("The slope of the mean of squares is 2({1} − {2})/n", "2乗の平均の傾きは 2({1} − {2})/n です"),
    "softmax_cross_entropy": ("The output of softmax minus the one-hot target, divided by the number of rows", "softmax の出力から正解の one-hot ベクトルを引き、行数で割ったものです"),
    "softmax": ("The gradient, minus its mean weighted by the probabilities, times the probabilities", "勾配から、確率で重み付けした平均を引き、確率を掛けたものです"),
    "softmax_gradient": ("The second derivative of softmax", "softmax の2階微分です"),
    "log_softmax": ("The gradient, minus its sum times the probabilities", "勾配から、その合計に確率を掛けたものを引きます"),
    "normal": ("The slope of Φ({1}), the factor of {1} in gelu", "GELU が {1} に掛ける Φ({1}) の傾きです"),
    "astype": ("Only the dtype changed: the gradient is cast back", "dtype を変えただけなので、勾配を元の dtype に戻します"),
    "as_complex_numbers": ("Real numbers become complex: they get the real part of the gradient", "実数を複素数にしただけなので、勾配の実部を渡します"),
    "real": ("The gradient moves the real part alone", "勾配は実部だけを動かします"),
    "imag": ("The gradient moves the imaginary part alone: times −i", "勾配は虚部だけを動かします。−i 倍して渡します"),
    "conjugate": ("The gradient is conjugated, too", "勾配も共役にします"),
    "absolute": ("The gradient times the conjugate of {1} over {0}", "勾配に {1} の共役を掛け、{0} で割ったものです"),
    "angle": ("The gradient times −i/{1}", "勾配を −i/{1} 倍したものです"),
    "output": ("One of several outputs: the gradient goes to its place among them", "いくつかある出力の1つです。勾配をその場所へ渡します"),
    "i0_derivative": ("The slope of a derivative of I₀ is the one after it", "I₀ の導関数の傾きは、その次の導関数です"),
    "logabsdet": ("The slope of log |det {1}| is ({1}⁻¹)ᵀ", "log |det {1}| の傾きは ({1}⁻¹)ᵀ です"),
    "conv2d": ("A convolution: {1} gets the transposed convolution of the gradient, {2} the correlation of {1} and the gradient, a bias the sum of the gradient", "畳み込み: {1} へは勾配の転置畳み込み、{2} へは {1} と勾配の相関、バイアスへは勾配の和を渡します"),
    "deconv2d": ("A transposed convolution: {1} gets the convolution of the gradient", "転置畳み込み: {1} へは勾配の畳み込みを渡します"),
    "correlate": ("A correlation is linear in both arguments: each gets the gradient convolved with the other", "相関はどちらについても線形です。勾配ともう一方を畳み込んで渡します"),
    "im2col": ("A pixel gets the sum of what its copies get", "各画素へは、その複製すべての勾配を合計して渡します"),
    "col2im": ("Each copy gets what its pixel gets", "それぞれの複製へ、元の画素の勾配を渡します"),
    "pooling": ("The largest pixel of each window gets the gradient", "窓の中で最大の画素へ勾配を渡します"),
    "award": ("Each window takes the gradient at its largest pixel", "それぞれの窓へ、最大の画素の位置の勾配を渡します"),
    "cholesky": ("From {0}·{0}ᵀ = {1}: d{0} = {0}·h, where h is the lower triangle of {0}⁻¹·d{1}·{0}⁻ᵀ with half of its diagonal", "{0}·{0}ᵀ = {1} から、d{0} = {0}·h です。h は {0}⁻¹·d{1}·{0}⁻ᵀ の下三角で、対角成分は半分にします"),
    "cross": ("A vector product gives each factor the vector product of the gradient and the other factor: a triple product stays the same when its factors move on by one", "ベクトル積は、勾配ともう一方のベクトルとのベクトル積を渡します。スカラー三重積は、3つを順に入れ替えても変わりません"),
    "eigh": ("An eigenvalue wᵢ moves by vᵢᵀ·d{1}·vᵢ, with its eigenvector vᵢ, and vⱼ turns towards vᵢ by vᵢᵀ·d{1}·vⱼ / (wⱼ − wᵢ); by 0 where both are equal", "固有値 wᵢ は固有ベクトル vᵢ により vᵢᵀ·d{1}·vᵢ だけ動き、vⱼ は vᵢ のほうへ vᵢᵀ·d{1}·vⱼ / (wⱼ − wᵢ) だけ回ります。固有値が等しいときは 0 とします"),
    "eigvalsh": ("An eigenvalue moves by vᵀ·d{1}·v, with its eigenvector v", "固有値は、その固有ベクトル v により vᵀ·d{1}·v だけ動きます"),
    "interp": ("{1} gets the gradient times the slope of the line that it is on; the two ends of that line share the gradient, and the nearer one gets more of it", "{1} へは、いまいる線分の傾きを掛けて渡します。線分の両端は勾配を分け合い、近いほうが多く受け取ります"),
    "inv": ("From {1}·{0} = 1: {0} moves by −{0}·d{1}·{0}", "{1}·{0} = 1 から、{0} は −{0}·d{1}·{0} だけ動きます"),
    "layer_norm": ("The gradient times gamma, without its mean and its part along the normalized values, over the deviation", "勾配に重みを掛け、その平均と、正規化した値に沿った成分を除き、標準偏差で割ったものです"),
    "logsumexp": ("The softmax of {1}, exp({1} − {0}); zeros where all of {1} is −∞", "{1} の softmax、exp({1} − {0}) です。{1} がすべて −∞ のところでは 0 です"),
    "normalized": ("The gradient without its mean and its part along {0}, over the deviation √(variance + eps)", "勾配から、その平均と {0} に沿った成分を除き、標準偏差 √(分散 + eps) で割ったものです"),
    "nansum": ("The sum changes as much as any of its elements: each gets the whole gradient, and NaN gets none", "どの要素も和を同じだけ動かします。勾配を NaN 以外のすべての要素に配ります"),
    "partition": ("The gradient of each element goes back to the place it had before", "それぞれの要素の勾配を、並べ替える前の位置へ戻します"),
    "pinv": ("As of the inverse, −{0}ᵀ·∇{0}·{0}ᵀ, and two terms for what {1} does not reach and what it maps to 0", "逆行列と同じ −{0}ᵀ·∇{0}·{0}ᵀ に、{1} の像の外と核を通る2つの項を加えます"),
    "qr": ("From q·r = {1}: what turns the columns of q goes back by their antisymmetric products, the rest by r⁻¹", "q·r = {1} から導きます。q の列を回す分は反対称な積を通り、残りは r⁻¹ を通って届きます"),
    "recurrence": ("The same recurrence, backwards: from the last element to the first", "同じ漸化式を、最後の要素から最初へ進めます"),
    "sinc": ("(cos(π·{1}) − {0})/{1}; near 0, where that loses its digits, the power series", "(cos(π·{1}) − {0})/{1} です。0 の近くでは桁落ちするので、べき級数を使います"),
    "svd": ("With p = uᵀ·d{1}·v: sᵢ moves by pᵢᵢ, and u and v turn, together by (p + pᵀ)/(sⱼ − sᵢ), apart by (p − pᵀ)/(sⱼ + sᵢ)", "p = uᵀ·d{1}·v とすると、sᵢ は pᵢᵢ だけ動き、u と v は、同じ向きに (p + pᵀ)/(sⱼ − sᵢ)、逆向きに (p − pᵀ)/(sⱼ + sᵢ) だけ回ります"),
    "svdvals": ("A singular value moves by uᵀ·d{1}·v, with its singular vectors u and v", "特異値は、その特異ベクトル u、v により uᵀ·d{1}·v だけ動きます"),
    "vector_norm": ("(|{1}| / {0})^(ord − 1) with the sign of {1}, which for ord 2 is the unit vector; 0 where all elements are 0", "符号を付けた (|{1}| / {0})^(ord − 1) です。ord が 2 なら単位ベクトルです。要素がすべて 0 のところでは 0 です"),
    **dict.fromkeys(("quantile", "percentile", "nanquantile", "nanpercentile"), ("Two neighbours in order of size share the gradient, and the nearer one gets more of it; the fraction gets their distance times the number of elements", "順に並べたときに隣り合う2つの要素が勾配を分け合い、近いほうが多く受け取ります。割合へは2つの差に要素の数を掛けて渡します")),
}  # fmt: skip
# The other rules, whose docstrings are the English sentences.
JAPANESE: dict[str, str] = {
    **dict.fromkeys(("max", "amax"), "最大の要素だけが値を決めます。いくつかあるときは等しく分けます"),
    **dict.fromkeys(("min", "amin"), "最小の要素だけが値を決めます。いくつかあるときは等しく分けます"),
    "cumsum": "ある要素は、その位置から先のすべての和に入っています",
    "nanmean": "NaN でない n 個の要素は、それぞれ平均を 1/n だけ動かします",
    "nanmax": "最大の要素だけが値を決めます。いくつかあるときは等しく分けます",
    "nanmin": "最小の要素だけが値を決めます。いくつかあるときは等しく分けます",
    "nanvar": "NaN を除いた平均からの偏差の2倍を、自由度で割ったものです",
    "nanstd": "NaN を除いた分散の場合の半分を、標準偏差で割ったものです",
    "deviation": "分散の勾配を標準偏差の2倍で割ります。すべての要素が等しいところでは 0 です",
    "cumprod": "前にあるものの積に、後ろから進む漸化式の値を掛けたものです。割り算がないので、0 があってもかまいません",
    "running_max": "その時点までの最大を決めた要素へ勾配を渡します。いくつかあるときは最後のものへ渡します",
    "running_min": "その時点までの最小を決めた要素へ勾配を渡します。いくつかあるときは最後のものへ渡します",
    **dict.fromkeys(("median", "nanmedian"), "中央の要素へ勾配を渡します。2つあるときは半分ずつ分けます"),
    "rank": "順位は、割合が動くと要素の数だけ速く動きます",
    "fraction": "整数部分を除いた残りは、数と同じだけ動きます",
    "mantissa": "2 のべきで割っただけなので、勾配も同じ数で割ります",
    "log_sum": "和に占める割合 exp({1} − {0}) です。和が無限大のところでは 0 です",
    "var": "平均からの偏差の2倍を、自由度で割ったものです。平均を通る分は打ち消し合います",
    "std": "分散の場合の半分を、標準偏差で割ったものです。値がすべて等しいところでは 0 です",
    "cofactors": "行列式の2階微分です。もう一度微分するところでは、逆行列を使います",
    "eig": "eigh の vᵀ を v⁻¹ に替えたもので、ベクトルの長さ 1 を変える分は除きます",
    "einsum": "出力の勾配を、ほかのすべてのオペランドと縮約します",
    "concatenate": "勾配をつなぎ目で切り分けます",
    "stack": "勾配を、積み重ねる前のとおりに分けます",
    "pad": "勾配から余白を切り落とします",
    "scatter_add": "書き込んだ位置の勾配を取り出します",
    "attention_weights": "softmax を通って、積であるスコアへ届きます。マスクされたところの重みは 0 なので、勾配もありません",
    "split_heads": "切り分けた部分とヘッドを、元のとおりに並べます",
    "rnn": "最後のステップから最初へ向かいます。状態に届いた勾配は tanh の傾きを通り、U によって前の状態へ進みます",
    "lstm": "最後のステップから最初へ向かいます。c と h に届いた勾配はゲートへ進み、ゲートを通って前のステップへ届きます",
    "gru": "最後のステップから最初へ向かいます。状態に届いた勾配はゲートへ進み、ゲートを通って前の状態へ届きます",
}


def rule_in_words(func: Callable[..., Any], lang: str) -> str:
    """The rule of a function of the library or of NumPy in a sentence; empty if only its docstring has it.

    It has gaps for the names that are on the screen: {0} for the result, {1} and {2} for the arguments.

    >>> rule_in_words(np.tanh, "ja").format("z", "v1")
    'tanh v1 の傾きは 1 − z² です'
    """
    if str(getattr(func, "__module__", None) or "numpy").partition(".")[0] not in ("numpy", "_operator", "tinygrad_jp"):
        return ""
    name = plain_name(func)
    sentence = RULES.get(func) or NAMED.get(name) or ("", JAPANESE.get(name, ""))
    if sentence == ("", "") and isinstance(func, np.ufunc):  # SciPy's have formulas, and no docstrings.
        return say(lang, "slope", name)
    return sentence[LANGUAGES.index(lang)]
