"""How long the generated tests look. ``CLEW_TESTING_PROFILE=long`` looks longer, and each time at other examples."""

import os
from typing import Any

from hypothesis import HealthCheck, settings

LONG = os.environ.get("CLEW_TESTING_PROFILE") == "long"
_LONGER = 25


def examples(count: int, **more: Any) -> settings:
    """Settings for `count` examples in the default profile, which takes the same ones in every run."""
    return settings(
        max_examples=count * _LONGER if LONG else count,
        derandomize=not LONG,
        database=None,
        deadline=None,
        print_blob=True,
        # One test method runs in several classes and keeps its store through all its examples: both are meant.
        suppress_health_check=[
            HealthCheck.differing_executors,
            HealthCheck.function_scoped_fixture,
            HealthCheck.too_slow,
        ],
        **more,
    )
