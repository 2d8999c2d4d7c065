"""The backward pass step by step: recorded, explained, checked, and played."""

from tinygrad_jp.tracing.trace import Event, Trace, trace

__all__ = ["Event", "Trace", "trace"]
