# %% [markdown]
# # Step 1. A slope is a difference
#
# Learning means changing numbers until an error is small. The slope, that is the derivative of the error, says which
# way to change them. In twenty-four steps we build an engine that computes such derivatives for any program written in
# NumPy.
#
# Every step begins with what the last one could not do. Today there is nothing yet, so we begin with the definition:
# how much does y = x³ change when x changes by a little? At x = 2 the slope is 3·2² = 12.

# %%
import matplotlib.pyplot as plt
import numpy as np

from tinygrad_jp.course import Check

check = Check(lang="en")


def f(x):
    return x**3


def forward_difference(f, x, h):
    return (f(x + h) - f(x)) / h


print(forward_difference(f, 2.0, h=0.1))
print(forward_difference(f, 2.0, h=1e-15))

# %% [markdown]
# Both are wrong. With a large h the line through the two points is steeper than the curve; with a tiny h the two values
# agree in nearly all of their 16 digits, and what is left after the subtraction is noise.
#
# **The idea:** look to both sides. The error of the forward difference shrinks like h, that of the central difference
# like h²: it gets good before the noise gets loud.


# %%
def central_difference(f, x, h=1e-5):
    return (f(x + h) - f(x - h)) / (2 * h)


print(central_difference(f, 2.0))

# %%
steps = 10.0 ** np.arange(-15, 0)
for difference in (forward_difference, central_difference):
    plt.loglog(steps, [abs(difference(f, 2.0, h) - 12) for h in steps], "o-", label=difference.__name__)
plt.xlabel("h")
plt.ylabel("|error|")
_ = plt.legend()

# %% [markdown]
# From right to left both errors first fall, then rise again. The lowest point of the central difference lies near h =
# 1e-5, and there ten digits are right. This will be our judge for the rest of the course: however we compute a
# derivative, it must agree with a difference.
#
# ## Questions
#
# Put your answers in the place of the `...`, and run the cell.
#
# 1. What does the central difference of x² at 3 give with the large step h = 0.5? Think of the picture first.
# 2. An error depends on 1,000 numbers. How many times must it be evaluated to get all its slopes by central
#    differences?

# %%
check(1, ..., central_difference(lambda x: x**2, 3.0, h=0.5))
check(2, ..., 2 * 1000)
