"""Build what is made from the steps: the engine after each of them, minitensor.py, and the notebooks, executed.

python examples/course/build.py        # everything
python examples/course/build.py 5 6    # the engine, and the notebooks of these steps
"""

import ast
import base64
import contextlib
import hashlib
import io
import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
LANGUAGES = ("en", "ja")
STEPS = sorted(int(path.name[4:6]) for path in HERE.glob("step*.en.py"))
INSTALL = """\
# Install the package where it is missing, from a clone of its repository: above this notebook, or beside it.
import pathlib
import subprocess
import sys

try:
    import tinygrad_jp.course
except ImportError:
    here = pathlib.Path().resolve()
    clones = [folder for folder in (*here.parents, *here.glob("*")) if (folder / "tinygrad_jp/course.py").exists()]
    assert clones, "git clone the repository of tinygrad_jp first"
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", f"{clones[0]}[examples]"], check=True)
"""
HEADER = '"""minitensor: plain NumPy differentiated, networks trained, graphs drawn. Built by the course."""\n'

# ---------------------------------------------------------------------------------------------------------------------
# Steps: cells that begin with "# %%". A cell of "# %% [markdown]" is prose, one of "# %% engine" changes the engine.


def source(step, lang="en"):
    return HERE / f"step{step:02}.{lang}.py"


def cells(step, lang="en"):
    """The cells of a step: (kind, text), where the kind is markdown, engine or code."""
    for cell in re.split(r"^# %%", source(step, lang).read_text(encoding="utf-8"), flags=re.M)[1:]:
        title, _, text = cell.partition("\n")
        kind = {"[markdown]": "markdown", "engine": "engine", "": "code"}[title.strip()]
        yield kind, re.sub(r"^# ?", "", text.strip("\n"), flags=re.M) if kind == "markdown" else text.strip("\n")


# ---------------------------------------------------------------------------------------------------------------------
# The engine after a step: the latest definition of every name, and every rule


def engine(step):
    """The text of the engine after `step`."""
    imports, definitions, rules = set(), {}, {}
    for number in [number for number in STEPS if number <= step]:
        for text in [text for kind, text in cells(number) if kind == "engine"]:
            for node in ast.parse(text).body:
                change(node, text, imports, definitions, rules)
    if rules:
        definitions["RULES"] = "\n".join([rules.pop("RULES"), *(f"    {entry}" for entry in rules.values()), "}"])
    plain = sorted(line for line in imports if "numpy" not in line)
    numpy = sorted((line for line in imports if "numpy" in line), key=lambda line: line.startswith("from"))
    opening = "\n\n".join("\n".join(lines) for lines in (plain, numpy) if lines)
    return opening + "\n\n\n" + "\n\n".join(definitions.values()) + "\n"


def change(node, text, imports, definitions, rules):
    """Take one statement of an engine cell into account."""
    lines = text.splitlines()
    segment = "\n".join(lines[node.lineno - 1 : node.end_lineno])
    match node:
        case ast.Import() | ast.ImportFrom():
            imports.add(segment)
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
            definitions[name] = segment
        case ast.Delete(targets=targets):
            for target in targets:
                definitions.pop(target.id, None)
        case ast.Assign(targets=[ast.Attribute(value=ast.Name(id=name), attr=method)]):  # Class.method = method
            definitions[name] = with_method(definitions[name], method, definitions.pop(method))
        case ast.Assign(value=ast.Dict() as table) | ast.AugAssign(value=ast.Dict() as table):
            if isinstance(node, ast.Assign):
                rules.clear()
                rules["RULES"] = lines[node.lineno - 1]
            for key, value in zip(table.keys, table.values, strict=True):
                start = f"{ast.get_source_segment(text, key)}: " if key else "**"
                rest = lines[value.end_lineno - 1].encode()[value.end_col_offset :].decode()
                comment = re.fullmatch(r",(  #.*)", rest)
                entry = start + ast.get_source_segment(text, value) + "," + (comment[1] if comment else "")
                rules[ast.unparse(key or value)] = entry
        case _:
            raise ValueError(f"an engine cell has imports, classes, functions, del and RULES, not {segment!r}")


def with_method(text, method, new):
    """The class `text` with its method replaced by `new`, or with that at its end."""
    lines, new = text.splitlines(), [line and f"    {line}" for line in new.splitlines()]
    for node in ast.parse(text).body[0].body:
        if isinstance(node, ast.FunctionDef) and node.name == method:
            return "\n".join([*lines[: node.lineno - 1], *new, *lines[node.end_lineno :]])
    return "\n".join([*lines, "", *new])


def engines():
    """What is built of the engine: a path and its text for each step that changes it, and minitensor.py."""
    changed = [step for step in STEPS if any(kind == "engine" for kind, _ in cells(step))]
    for step in changed[:-1]:
        yield (
            HERE / "engine" / f"step{step:02}.py",
            f'"""The engine after step {step} of the course."""\n{engine(step)}',
        )
    yield HERE / "minitensor.py", HEADER + engine(changed[-1])


# ---------------------------------------------------------------------------------------------------------------------
# Notebooks


def notebook(step, lang):
    """The notebook of a step, executed."""
    made, namespace = [], {"__name__": "__main__"}
    for kind, text in expanded(step, lang):
        cell = {"cell_type": kind, "id": hashlib.sha256(f"{len(made)}".encode()).hexdigest()[:8], "metadata": {}}
        if text.startswith("#@title"):  # Colab and JupyterLab fold it.
            cell["metadata"] = {"cellView": "form", "jupyter": {"source_hidden": True}}
        if kind == "code":
            count = sum(other["cell_type"] == "code" for other in made) + 1
            cell |= {"execution_count": count, "outputs": run(text, namespace, f"step{step:02}.{lang}.py", count)}
        made.append(cell | {"source": text.splitlines(keepends=True)})
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    whole = {"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"


def expanded(step, lang):
    """The cells of a step as a notebook has them: it installs the package, and holds the engine that it starts from."""
    (kind, title), *rest = cells(step, lang)
    yield kind, title
    yield "code", "#@title tinygrad_jp\n" + INSTALL.strip()
    for kind, text in rest:
        if start := re.search(r"^exec\(engine\((\d+)\)\).*\n", text, re.M):
            yield "code", f"#@title The engine after step {start[1]}\n" + engine(int(start[1])).strip()
            text = text.replace(start[0], "").replace("from build import engine\n", "")
        yield ("markdown" if kind == "markdown" else "code"), text.strip("\n")
    ways = [(step - 1, "← {}"), (step + 1, "{} →")]
    links = [f"[{arrow.format(other)}](step{other:02}.ipynb)" for other, arrow in ways if other in STEPS]
    yield "markdown", " · ".join(links)


def run(text, namespace, name, count):
    """Execute a cell, and return its outputs as a notebook writes them."""
    import matplotlib.pyplot as plt

    tree = ast.parse(text, name)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    value, outputs = None, []
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(tree, name, "exec"), namespace)
        if last:
            value = eval(compile(ast.Expression(last.value), name, "eval"), namespace)
    if printed.getvalue():
        lines = printed.getvalue().splitlines(keepends=True)
        outputs.append({"output_type": "stream", "name": "stdout", "text": lines})
    if value is not None and not plt.get_fignums():
        bundle = value._repr_mimebundle_() if hasattr(value, "_repr_mimebundle_") else {"text/plain": repr(value)}
        data = {kind: content.splitlines(keepends=True) for kind, content in bundle.items()}
        outputs.append({"output_type": "execute_result", "execution_count": count, "data": data, "metadata": {}})
    for figure in map(plt.figure, plt.get_fignums()):
        png = io.BytesIO()
        figure.savefig(png, dpi=80, bbox_inches="tight", metadata={"Software": None})
        data = {"image/png": base64.b64encode(png.getvalue()).decode()}
        outputs.append({"output_type": "display_data", "data": data, "metadata": {}})
    plt.close("all")
    return outputs


def main(steps):
    import matplotlib as mpl

    mpl.use("agg")
    (HERE / "engine").mkdir(exist_ok=True)
    for path, text in engines():
        path.write_text(text, encoding="utf-8")
    sys.path.insert(0, str(HERE))
    for lang in LANGUAGES:
        (HERE / lang).mkdir(exist_ok=True)
        for step in [step for step in steps or STEPS if source(step, lang).exists()]:
            path = HERE / lang / f"step{step:02}.ipynb"
            path.write_text(notebook(step, lang), encoding="utf-8")
            print(path)


if __name__ == "__main__":
    main([int(step) for step in sys.argv[1:]])
