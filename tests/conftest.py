import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # Tests run in several processes: threads would get in their way.

import numpy as np
import pytest
from hypothesis import settings

from tinygrad_jp.core import table

settings.register_profile("default", deadline=None, max_examples=50, print_blob=True)
settings.register_profile("thorough", parent=settings.get_profile("default"), max_examples=150)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

TABLES = [entries for name, entries in vars(table).items() if name.isupper() and isinstance(entries, dict | set)]
NEEDED = ("Graphviz's program dot", "Chromium")  # On a machine that checks everything these must be there.


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    from tests.seeing.browser import PATH, Browser  # It speaks through pipes that not every system has.

    if PATH is None:
        pytest.skip("no Chromium is installed: apt install chromium")
    browser = Browser(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()


@pytest.fixture(autouse=True)
def _tables_are_restored():
    """What a test enters into the table of derivatives, or changes in it, is undone."""
    before = [entries.copy() for entries in TABLES]
    yield
    for entries, kept in zip(TABLES, before, strict=True):
        if entries != kept:
            entries.clear()
            entries.update(kept)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """With CI=true, nothing is skipped for want of a program."""
    report = yield
    if os.environ.get("CI") == "true" and report.skipped and any(name in str(report.longrepr) for name in NEEDED):
        report.outcome = "failed"
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config):
    """A single file is done before further processes would have started."""
    return 0 if all(arg.partition("::")[0].endswith(".py") for arg in config.args) else None
