"""The words of the player, in English and in Japanese."""

LANGUAGES = ("en", "ja")

WORDS = {
    "title": ("Backpropagation, step by step", "逆伝播を1歩ずつ"),
    "language": ("Language", "言語"),
    "graph": ("Computation graph", "計算グラフ"),
    "operations": ("No program to draw the graph was found; these are its operations", "計算グラフを描くプログラムが見つからないため、演算を並べています"),
    "value": ("value", "値"),
    "gradient": ("gradient ∇", "勾配 ∇"),
    "smaller": ("Smaller", "縮小"),
    "larger": ("Larger", "拡大"),
    "first": ("« First", "« 最初"),
    "back": ("‹ Back", "‹ 戻る"),
    "play": ("Play", "再生"),
    "pause": ("Pause", "停止"),
    "next": ("Next ›", "次へ ›"),
    "last": ("Last »", "最後 »"),
    "position": ("Position", "位置"),
    "speed": ("Speed", "速さ"),
    "keys": ("Keys: ← → one step, Home and End to the ends, Space plays.", "キー操作: ← → で1歩ずつ、Home と End で両端へ移動、Space で再生します。"),
    "predict": ("Predict first", "先に予想する"),
    "score": ("{} of {} right", "{1} 問中 {0} 問正解"),
    "question": ("What goes out to {}? Your number:", "{} へ出ていく勾配はいくつでしょうか。"),
    "check": ("Check", "答え合わせ"),
    "no number": ("Please enter a number, such as -1.5 or 1/3.", "-1.5 や 1/3 のような数を入力してください。"),
    "right": ("Right: it is {}.", "正解です。答えは {} です。"),
    "wrong": ("Not quite: it is {}.", "惜しいです。答えは {} です。"),
    "overview": ("Overview", "全体像"),
    "forward": ("Forward", "順伝播"),
    "seed": ("Backward: the start", "逆伝播のはじまり"),
    "backward": ("Backward", "逆伝播"),
    "end": ("The gradients are complete", "勾配がすべて求まりました"),
    "gap": ("Steps left out", "省略したステップ"),
    "say overview": ("The computation gave {} = {}. How much does this change when an input changes a little? The backward pass answers that for every input: it starts at {} and goes back through the operations, one after another, by the chain rule. The table holds what it finds.", "計算の結果は {} = {} でした。入力を少し動かすと、この値はどれだけ変わるでしょうか。逆伝播は {} から出発し、演算を1つずつ逆にたどりながら、連鎖律ですべての入力の勾配を求めます。結果は表のとおりです。"),
    "say forward": ("Forward, {} is computed: {}.", "順伝播で {} を計算します。値は {} です。"),
    "say seed": ("The backward pass starts at {}, whose gradient by itself is {}.", "逆伝播を {} から始めます。自分自身に関する勾配は {} です。"),
    "say 1": ("The backward pass reaches the operation that made {}.", "{} を作った演算に戻ってきました。"),
    "say 2": ("The gradient of {} is complete by now: {} comes in.", "{} の勾配はこれで揃いました。{} が伝わってきました。"),
    "say 3": ("What reaches {}: the gradient that came in, times the local slope.", "{} へ届く勾配を、連鎖律で求めます。伝わってきた勾配に局所的な傾きを掛けます。"),
    "say 4": ("{} goes out to {}.", "{} を {} へ渡します。"),
    "say end": ("Every input has its gradient. This is what the backward() of {} computes.", "すべての入力の勾配が求まりました。{} の backward() が計算するのは、この値です。"),
    "say gap": ("{} steps are left out here: the page shows the first and the last {}.", "ここで {} ステップを省略しています。表示するのは最初と最後の {} ステップずつです。"),
    "beat 1": ("The operation", "演算"),
    "beat 2": ("The gradient that comes in", "伝わってきた勾配"),
    "beat 3": ("The local rule", "局所的な規則"),
    "beat 4": ("What goes out", "出ていく勾配"),
    "about 1": ("Which computation does the pass go back through?", "どの計算を逆にたどるのかを見ます。"),
    "about 2": ("How much the final result changes with the output of this operation.", "この演算の出力が動くと、最終的な結果がどれだけ動くかを表します。"),
    "about 3": ("How much the output changes with each input: a derivative you know.", "それぞれの入力が動くと、出力がどれだけ動くか。おなじみの微分です。"),
    "about 4": ("The product of the two goes on to the input. What arrives along several paths adds up.", "2つの積を入力へ渡します。複数の経路から届いた勾配は足し合わせます。"),
    "summed": ("Broadcasting had copied {}: what came to its copies adds up,", "ブロードキャストで {} は複製されていました。複製それぞれに届いた分を合計します。"),
    "first share": ("the first share to arrive", "最初に届いた分です"),
    "inputs": ("Gradients with respect to the inputs", "入力についての勾配"),
    "name": ("Name", "名前"),
    "log": ("Log", "記録"),
    "log backward": ("back through {}, gradient {}", "{} を逆にたどる、勾配 {}"),
    "log seed": ("start: {}, gradient {}", "出発点 {}、勾配 {}"),
    "log gap": ("… {} steps left out", "… {} ステップを省略"),
    "summary": ("{} of {} ± {}", "{}、平均 {} ± {}"),
    "plain": ("This page plays with JavaScript; here is the same as text.", "JavaScript が有効なら、このページは1歩ずつ再生できます。以下は同じ内容のテキストです。"),
    "more": ("… {} more lines", "… 残り {} 行"),
    "more inputs": ("… {} more", "… ほか {} 個"),
}  # fmt: skip


def word(lang: str, key: str, *parts: object) -> str:
    """The words for `key`, with `parts` in their places.

    >>> word("ja", "forward")
    '順伝播'
    """
    return WORDS[key][LANGUAGES.index(lang)].format(*parts)
