"""The DoFn that all of ours are."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from inspect import isfunction
from typing import Any

import apache_beam as beam
from apache_beam.transforms.core import get_function_args_defaults

_CALLED = ("process", "process_batch", "start_bundle", "finish_bundle", "setup", "teardown")
"""What Beam calls; and the public methods of a class, for its timers."""

Parameters = tuple[list[str], list[Any]]


class DoFn(beam.DoFn):
    """A DoFn that knows its signatures.

    The local runner looks for parameters of state and timers several times a bundle, in the
    signature of each method that `dir()` names, and most are Beam's own and have none. A bundle of
    two thousand plays takes less time than that. So `dir()` names what Beam may call, and for each
    of these a method `_inspect_…`, which Beam prefers to looking, gives what was found before.
    """

    _called: frozenset[str] = frozenset()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        public = {name for name, of in vars(cls).items() if isfunction(of) and name[0] != "_"}
        cls._called = cls._called | public.union(_CALLED)
        for name in cls._called:
            names, defaults = get_function_args_defaults(getattr(cls, name))
            setattr(cls, f"_inspect_{name}", staticmethod(partial(_copied, names[1:], defaults)))

    def __dir__(self) -> Iterable[str]:
        """The names of methods that Beam may call."""
        return self._called


def _copied(names: list[str], defaults: list[Any]) -> Parameters:
    """The names of a method's parameters without `self`, and the defaults of the last of them."""
    return list(names), list(defaults)
