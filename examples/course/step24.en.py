# %% [markdown]
# # Step 24. A program, written by the graph
#
# A graph is recorded anew in each step of a training, and walked through anew. The engine works hard to find out,
# again, what it found out a moment ago:

# %%
from build import engine
from tinygrad_jp.course import Check

exec(engine(23))  # The engine after step 23: minitensor.py.
check = Check(lang="en")

rng = np.random.default_rng(0)
x, t, W = (Variable(rng.normal(size=shape)) for shape in ((4, 3), (4, 2), (3, 2)))
b, gy = Variable(np.zeros(2)), Variable(1.0)


def graph_of_gradients():
    W.cleargrad(), b.cleargrad()
    loss = np.mean((np.tanh(x @ W + b) - t) ** 2)
    loss.grad = gy
    loss.backward(create_graph=True)
    return functions_behind(W.grad)


print([f.func.__name__ for f in graph_of_gradients()] == [f.func.__name__ for f in graph_of_gradients()])

# %% [markdown]
# The same Functions, in the same order, every time. So write them down once, as what they are: calls of NumPy.
#
# **The idea:** we have it already. Under `create_graph` the backward pass leaves a graph, and a graph is a program
# whose lines stand in order of depth. Each Function is one line: a name for its result, its function, the names of its
# arguments. That is all: no new rule, and no new idea but to read what is there.


# %%
def program(*results, **names):
    """NumPy source that computes `results` from the Variables and arrays in `names`."""
    text = {id(x): name for name, x in names.items()}

    def word(x):
        if isinstance(x, Variable):
            return text[id(x.creator or x)]
        return text.get(id(x)) or repr(x.tolist() if isinstance(x, np.ndarray | np.generic) else x)

    lines = []
    for f in sorted({f: True for y in results for f in functions_behind(y)}, key=lambda f: f.depth):
        text[id(f)] = f"v{len(lines) + 1}"
        arguments = [*map(word, f.args), *(f"{key}={value!r}" for key, value in f.settings.items())]
        lines.append(f"{text[id(f)]} = np.{f.func.__name__}({', '.join(arguments)})")
    return "\n".join([*lines, f"results = {', '.join(map(word, results))}"])


graph_of_gradients()
source = program(W.grad, b.grad, x=x, t=t, W=W, b=b, gy=gy)
print(source)

# %% [markdown]
# Read it. `v1`, `v4`, `v6` and `v9` are the forward pass. Between and below them stands the backward pass, which nobody
# wrote: `v11` is the slope of tanh, `v15` and `v18` are the results. It runs without our engine, on NumPy alone:

# %%
room = {"np": np, "x": x.data, "t": t.data, "W": W.data, "b": b.data, "gy": gy.data}
exec(source, room)
print([np.array_equal(g, p.grad.data) for g, p in zip(room["results"], (W, b), strict=True)])

# %% [markdown]
# Equal to the last bit. Here the way from an empty file ends: with a program that differentiates programs, and writes
# down the result as a program. The library goes on from here. Read `tinygrad_jp/core/`: you know what is in it.
#
# ## Questions
#
# 1. How many lines (with the last) has the program of the gradient of np.sin(x), for `program(x.grad, x=x, gy=gy)`?
# 2. Which function of NumPy is called most often in `source` above? Its name, as a text.

# %%
z = Variable(1.0)
y = np.sin(z)
y.grad = gy
y.backward(create_graph=True)
check(1, ..., len(program(z.grad, z=z, gy=gy).splitlines()))
calls = [line.split("np.")[1].split("(")[0] for line in source.splitlines() if "np." in line]
check(2, ..., max(dict.fromkeys(calls), key=calls.count))
