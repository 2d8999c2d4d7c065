"""The peers import libraries that may be missing, so pytest must not look for doctests in them."""

collect_ignore = ["peers"]
