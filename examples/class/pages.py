"""The pages of the class as HTML: each holds all that it needs, and asks the net for nothing."""

import re
from html import escape
from pathlib import Path

import numpy as np
from parts import PARTS

FOLDER = Path(__file__).parent
WORDS = {
    "class": ("Ninety minutes of backpropagation", "90 分で学ぶ誤差逆伝播法"),
    "screen": ("Projector", "投影用"),
    "learner": ("Learner", "学習者用"),
    "worksheet": ("Worksheet", "プリント"),
    "answers": ("Answers", "解答"),
    "part": ("Part {}", "第 {} 部"),
    "name": ("Name", "名前"),
    "date": ("Date", "日付"),
    "output": ("Output", "出力"),
    "minutes": ("min", "分"),
    "time": ("Time", "時間"),
    "theme": ("Part", "内容"),
    "pages": ("Pages", "ページ"),
    "aim": ("Afterwards you can", "この部の目標"),
    "ask": ("Ask, and wait", "問いかけて、待ちます"),
    "watch": ("What learners get wrong", "つまずきやすいところ"),
    "before": ("Back", "前へ"),
    "after": ("Next", "次へ"),
    "next part": ("On to part {}: {}", "第 {} 部「{}」へ"),
    "end": ("That was the class.", "授業はここまでです。"),
    "alone": ("Open this page on its own", "このページだけを開く"),
    "think": ("Check yourself", "確かめてみましょう"),
    "think text": (
        "The worksheet of this part has questions to work out by hand; its answers are on a page of their own.",
        "この部のプリントには、手で計算する問題があります。解答は別のページです。",
    ),
    "shape": ("shape", "形状"),
}
TEACHER = (
    (
        "Open the projector's page of part 1 and go through it with the arrow keys. Learners have their own pages on "
        "their laptops; nothing needs the net. Print the worksheets before: one sheet a part, with the answers apart.",
        "第 1 部の投影用ページを開き、矢印キーで進めます。学習者は、自分のノートパソコンで学習者用のページを開きます。"
        "ネットワークは要りません。プリントは前もって印刷しておきます。1 部につき 1 枚で、解答は別紙です。",
    ),
    (
        "Where a player or a film fills the screen, its own keys work after a click into it; a click on the bar at the "
        "bottom gives the arrow keys back to the pages. In each part, leave a third of the time to the worksheet.",
        "画面いっぱいにプレーヤーやフィルムが出ているときは、その中をクリックすると、プレーヤーのキー操作になります。"
        "下のバーをクリックすると、矢印キーはページ送りに戻ります。どの部でも、時間の三分の一はプリントにあててください。",
    ),
)


# Numbers and texts


def number(value):
    """A number as people read it: four digits, six if those are all, and a minus sign.

    >>> number(-0.61), number(2 / 3), number(4.1209), number((2, 3))
    ('−0.61', '0.6667', '4.1209', '(2, 3)')
    """
    if isinstance(value, tuple):
        return f"({', '.join(map(str, value))}{',' * (len(value) == 1)})"
    text = str(value)
    if isinstance(value, float):
        text = f"{value:.6g}" if abs(float(f"{value:.6g}") - value) < 1e-12 else f"{value:.4g}"
    text = re.sub(r"e-0?(\d+)", lambda m: f"·10^−{m[1]}", text)
    return text.replace("-", "−")


def fact(results, name):
    value = results.facts[name]
    text = re.sub(r"\^(−\d+)", r"<sup>\1</sup>", number(value))
    return f'<span class="n" data-fact="{name}">{text}</span>'


def filled(results, text):
    """A text as HTML: `code`, **bold**, ____ for a blank, {name} for the engine's number."""
    text = escape(text, quote=False)
    for pattern, tag in ((r"`([^`]+)`", "code"), (r"\*\*(.+?)\*\*", "b")):
        text = re.sub(pattern, rf"<{tag}>\1</{tag}>", text)
    text = text.replace("____", '<span class="blank"></span>')
    return re.sub(r"{(\w+)}", lambda m: fact(results, m[1]), text)


# Blocks: what a page is made of


def text(results, english, japanese):
    return f"<p>{filled(results, results.say((english, japanese)))}</p>"


def formula(results, *lines):
    return f'<p class="formula">{"<br>".join(filled(results, line) for line in lines)}</p>'


def code(results, key):
    printed = results.printed[key]
    output = f'<pre class="output" aria-label="{word(results, "output")}">{escape(printed)}</pre>' if printed else ""
    return f'<div class="code"><pre><code>{escape(results.code(key))}</code></pre>{output}</div>'


def picture(results, key):
    """A picture; one of `draw`'s brings its own colours, and the paper for them where it knows one kind only."""
    svg = results.part.PICTURES[key](results)
    svg = _with_ids_of_its_own(svg[svg.index("<svg") :], f"{key}-")
    paper = "" if "prefers-color-scheme" in svg or 'class="own"' in svg else " paper"
    return f'<figure class="picture{paper}">{svg}</figure>'


def _with_ids_of_its_own(svg, own):
    return re.sub(r'((?:\bid|\bhref)="#?|url\(#)(?=[\w-])', rf"\1{own}", svg)


def page(results, key):
    path = results.pages[key]
    title = escape(results.say(PAGE_TITLES[key]))
    frame = f'<iframe title="{title}" sandbox="allow-scripts" data-page="{escape(path.read_text(encoding="utf-8"))}">'
    link = f'<a href="{path.name}">{word(results, "alone")}</a>'
    return f'<div class="page">{frame}</iframe><p class="alone">{link}</p></div>'


PAGE_TITLES = {
    "player": ("The player of this backward pass", "この逆伝播のプレーヤー"),
    "film": ("The film of this training", "この学習のフィルム"),
    "films": ("Two films side by side", "並べた2つのフィルム"),
}


def arrays(results, *names):
    """Matrices side by side, each with its name and its shape."""
    return f'<div class="arrays">{"".join(_array(results, name) for name in names)}</div>'


def _array(results, name):
    value = np.asarray(results.facts[name])
    rows = "".join(f"<tr>{''.join(f'<td>{number(float(x))}</td>' for x in row)}</tr>" for row in np.atleast_2d(value))
    shown = name.replace("g", "∂L/∂") if name.startswith("g") else name
    caption = f"<b>{shown}</b> {number(value.shape)}"
    kind = "g" if name.startswith("g") else "v"
    return f'<table class="matrix {kind}" data-fact="{name}"><caption>{caption}</caption>{rows}</table>'


def table(results, head, *rows):
    """Rows of cells; a cell is one text for both languages, or a pair."""
    texts = [[cell if isinstance(cell, str) else results.say(cell) for cell in row] for row in (head, *rows)]
    kind = " class='long'" if max(len(cell) for row in texts for cell in row) > 20 and len(texts[0]) > 2 else ""

    def cells(tag, row):
        return f"<tr>{''.join(f'<{tag}>{filled(results, cell)}</{tag}>' for cell in row)}</tr>"

    return f"<table{kind}>{cells('th', texts[0])}{''.join(cells('td', row) for row in texts[1:])}</table>"


BLOCKS = {f.__name__: f for f in (text, formula, code, picture, page, arrays, table)}


def blocks(results, given):
    return "\n".join(BLOCKS[kind](results, *rest) for kind, *rest in given)


# Pages


def word(results, key, *parts):
    return escape(results.say(WORDS[key]).format(*parts))


def title(results):
    return f"{word(results, 'part', results.number)} · {escape(results.say(results.part.TITLE))}"


def html(lang, kind, heading, body, script=""):
    style = (FOLDER / "class.css").read_text(encoding="utf-8")
    script = f"<script>{(FOLDER / script).read_text(encoding='utf-8')}</script>\n" if script else ""
    return (
        f'<!DOCTYPE html>\n<html lang="{lang}" class="{kind}">\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<link rel="icon" href="data:,">\n'
        f"<title>{heading}</title>\n<style>{style}</style>\n<body>\n{body}\n{script}</body>\n</html>\n"
    )


def screen(results):
    """Slides: one idea each."""
    slides = [_first(results)]
    for heading, given in results.part.SCREEN:
        kind = "wide" if any(block[0] == "page" for block in given) else "beside" if _beside(given) else ""
        head = f"<h2>{filled(results, results.say(heading))}</h2>"
        slides.append(f'<section class="{kind}">{head}<div class="body">{blocks(results, given)}</div></section>')
    slides.append(_last(results))
    bar = (
        f'<nav><a href="index.html">{title(results)}</a><span class="push"></span>'
        f'<button id="before">{word(results, "before")}</button><output id="at"></output>'
        f'<button id="after">{word(results, "after")}</button></nav>'
    )
    return html(results.lang, "screen", title(results), "\n".join(slides) + bar, "slides.js")


def _beside(given):
    """Whether a slide has a picture beside its text."""
    return len(given) > 1 and any(block[0] == "picture" for block in given)


def _first(results):
    part = f"<p>{word(results, 'part', results.number)}</p>"
    return f'<section class="title">{part}<h1>{escape(results.say(results.part.TITLE))}</h1></section>'


def _last(results):
    n = results.number
    to = f'<a href="{n}-worksheet.html">{word(results, "worksheet")} {n}</a>'
    if n < len(PARTS):
        on = word(results, "next part", n + 1, results.say(PARTS[n].TITLE))
        after = f'<p><a href="{n + 1}-screen.html">{on}</a></p>'
    else:
        after = f"<p>{word(results, 'end')}</p>"
    return f'<section class="title"><h1>{to}</h1>{after}</section>'


def learner(results):
    n, kinds = results.number, ("screen", "worksheet", "answers")
    links = " · ".join(f'<a href="{n}-{kind}.html">{word(results, kind)}</a>' for kind in kinds)
    head = f'<header><a href="index.html">{word(results, "class")}</a><h1>{title(results)}</h1><p>{links}</p></header>'
    think = f"<h2>{word(results, 'think')}</h2><p>{word(results, 'think text')}</p>"
    body = f"{head}<main>{_aim(results)}{blocks(results, results.part.LEARNER)}{think}</main>"
    return html(results.lang, "learner", title(results), body, "slides.js")


def worksheet(results):
    rows = [f"<li>{_asked(results, q)}<div class='lines'></div></li>" for q, _ in results.part.QUESTIONS]
    fields = "".join(f"<span>{word(results, key)}</span>" for key in ("name", "date"))
    given = blocks(results, results.part.GIVEN)
    return _sheet(results, "worksheet", f'<div class="fields">{fields}</div>{given}<ol>{"".join(rows)}</ol>')


def answers(results):
    rows = [f"<li>{_asked(results, q)}{_answer(results, a)}</li>" for q, a in results.part.QUESTIONS]
    return _sheet(results, "answers", f"{blocks(results, results.part.SOLVED)}<ol>{''.join(rows)}</ol>")


def _asked(results, texts):
    return f"<p>{filled(results, results.say(texts))}</p>"


def _answer(results, texts):
    return f'<p class="answer">{filled(results, results.say(texts))}</p>'


def _sheet(results, kind, body):
    heading = f"{title(results)} · {word(results, kind)}"
    return html(results.lang, f"sheet {kind}", heading, f"<main><h1>{heading}</h1>{body}</main>")


def teacher(found):
    """The timetable, and for each part what to ask and what to watch."""
    first, start, rows, notes = found[0], 0, [], []
    for results in found:
        n, end = results.number, start + results.part.MINUTES
        links = " · ".join(f'<a href="{n}-{kind}.html">{word(results, kind)}</a>' for kind in WORDS_OF_PAGES)
        name = escape(results.say(results.part.TITLE))
        rows.append(f"<tr><td>{start}–{end} {word(results, 'minutes')}</td><td>{n}. {name}</td><td>{links}</td></tr>")
        notes.append(f"<h2>{title(results)}</h2>" + _notes(results))
        start = end
    head = "".join(f"<th>{word(first, key)}</th>" for key in ("time", "theme", "pages"))
    intro = "".join(f"<p>{escape(first.say(texts))}</p>" for texts in TEACHER)
    heading = word(first, "class")
    timetable = f'<div class="scroll"><table class="timetable"><tr>{head}</tr>{"".join(rows)}</table></div>'
    body = f"<main><h1>{heading}</h1>{intro}{timetable}{''.join(notes)}</main>"
    return html(first.lang, "learner", heading, body)


WORDS_OF_PAGES = ("screen", "learner", "worksheet", "answers")


def _aim(results):
    return f"<p><b>{word(results, 'aim')}:</b> {escape(results.say(results.part.AIM))}</p>"


def _notes(results):
    return _aim(results) + "".join(
        f"<p><b>{word(results, key)}:</b> {filled(results, results.say(texts))}</p>"
        for key, texts in zip(("ask", "watch"), results.part.NOTES, strict=True)
    )
