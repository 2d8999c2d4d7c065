# %% [markdown]
# # Step 23. How do we know that it is right?
#
# Someone adds a rule, and checks it with the judge of step 1. It passes:

# %%
from build import engine
from tinygrad_jp import PULLBACKS, gradient_check
from tinygrad_jp.course import Check, fails

exec(engine(22))  # The engine after step 22.
check = Check(lang="en")

right = RULES[np.exp]
RULES[np.exp] = (lambda gy, y, x: y,)  # The rule forgets gy.
x, h = Variable([0.5, 1.0, 2.0]), 1e-5
np.exp(x).backward()
print(x.grad.data.round(6))
print(((np.exp(x.data + h) - np.exp(x.data - h)) / (2 * h)).round(6))

# %% [markdown]
# And yet every network with this exp in the middle learns nonsense. The check was weak: it begins with ones, and gy = 1
# is exactly where the mistake does not show.
#
# **The idea:** avoid special numbers. Weigh the outputs with *random* numbers w, so that gy is not 1. Move all inputs
# at once, in a *random* direction v. If the engine is right, the difference along v and the sum of v times the gradient
# agree, for whatever numbers we draw. A mistake would have to be lucky every time.


# %%
def agrees(f, *xs, h=1e-5):
    rng = np.random.default_rng(0)
    leaves = [Variable(x) for x in xs]
    y = f(*leaves)
    w, vs = rng.normal(size=y.shape), [rng.normal(size=x.shape) for x in xs]
    y.grad = Variable(w)
    y.backward()
    by_engine = sum(np.sum(v * x.grad.data) for v, x in zip(vs, leaves, strict=True))
    ahead, behind = (np.sum(w * f(*[x + step * v for x, v in zip(xs, vs, strict=True)])) for step in (h, -h))
    return bool(np.isclose((ahead - behind) / (2 * h), by_engine, rtol=1e-6))


print("wrong:", agrees(np.exp, x.data))
RULES[np.exp] = right
print("right:", agrees(np.exp, x.data))

# %% [markdown]
# A dozen lines, and they know nothing of exp. So they check every rule, at any shape, and whole programs. The library's
# `gradient_check` does the same, names the worst element, and goes on to the second order: it checks the gradient of
# the gradient. Its rules have the same form as ours, so we can put ours into its table:

# %%
a, b = np.array([[0.5, 1.5, 0.7], [1.1, 0.3, 2.0]]), np.array([0.8, 1.2, 0.4])
theirs = PULLBACKS.copy()
for func, rules in RULES.items():
    if isinstance(func, np.ufunc) and rules and func is not np.matmul:
        PULLBACKS[func] = rules
        print(func.__name__, gradient_check(func, *[a, b][: func.nin], order=2), end="; ")

PULLBACKS[np.tanh] = (lambda gy, y, x: gy * (1 - y),)
print()
with fails(AssertionError):
    gradient_check(np.tanh, a)
PULLBACKS.update(theirs)

# %% [markdown]
# The tests of the library do this for each of our rules, at numbers drawn by a program that looks for the worst ones
# (`tests/lessons/test_minitensor.py`). The engine is complete: `minitensor.py` is all of it, in one file to take away.
#
# ## Questions
#
# 1. Which of these wrong rules for a·b would the *weak* check let pass at a = b = 2? Enter 1, 2 or 3. (1) gy·a for a,
#    and gy·b for b. (2) gy·b for both, divided by 2. (3) −gy·b for a, and gy·a for b.
# 2. At which x > 0 can no check tell the rule gy·x² of x³/3 from the wrong rule gy·x? Enter a number.

# %%
x = Variable(2.0)
wrong_rules = {1: (x.data, x.data), 2: (x.data / 2, x.data / 2), 3: (-x.data, x.data)}
check(1, ..., next(n for n, rules in wrong_rules.items() if np.allclose(rules, 2.0)))
check(2, ..., np.max(np.roots([1, -1, 0])))
