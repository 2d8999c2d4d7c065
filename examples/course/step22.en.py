# %% [markdown]
# # Step 22. The engine draws itself
#
# The pictures in these steps came from the library. What can our engine show of itself?

# %%
from build import engine
from tinygrad_jp.course import Check
from tinygrad_jp.graph import Graph

exec(engine(21))  # The engine after step 21.
check = Check(lang="en")

x, W, b = Variable(np.ones((4, 3))), Variable(np.ones((3, 2))), Variable(np.zeros(2))
y = np.sum(np.tanh(x @ W + b) ** 2)
print(y)

# %% [markdown]
# A number, again. But everything is there: `functions_behind` lists the Functions, and each knows its inputs.
#
# **The idea:** write the graph down as text, and leave the drawing to a program. *Graphviz* draws what its language,
# DOT, describes: `a -> b` is an arrow, `a [label="tanh"]` says what is written in a node. All we need is a name for
# each node. As in the backward pass, a result stands under the Function that made it, and a leaf under itself.


# %% engine
def dot(y):
    """The graph behind y in DOT, the language of Graphviz."""
    names, node = {}, lambda x: names.setdefault(x.creator or x, len(names))
    lines = ['digraph { rankdir=LR; size=8; node [label="", shape=box]; y [label=y]', f"{node(y)} -> y"]
    for f in functions_behind(y):
        lines += [f'{node(x)} -> {names[f]} [label="{x.shape}"]' for x in f.xs]
        lines += [f'{names[f]} [label="{f.func.__name__}", shape=ellipse]']
    return "\n".join([*lines, "}"])


# %%
print(dot(y))
Graph(dot(y), {}, "en")

# %% [markdown]
# The empty boxes are the leaves. On the arrows are the shapes: one looks there first when a program raises an error
# about shapes. And as a gradient is a Variable with a graph of its own, it can be drawn in the same way:

# %%
y.backward(create_graph=True)
Graph(dot(b.grad), {}, "en")

# %% [markdown]
# Count the Functions: a backward pass does about twice the work of the forward pass, and it holds that pass within it.
#
# ## Questions
#
# 1. How many arrows has the picture of x * x + x, with the one to y?
# 2. How many Functions are behind `cross_entropy` of a leaf? Count them in the formula, or ask the engine.

# %%
x = Variable(3.0)
check(1, ..., dot(x * x + x).count("->"))
check(2, ..., len(functions_behind(cross_entropy(Variable(np.zeros((2, 3))), np.array([0, 1])))))
