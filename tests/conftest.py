"""Hypothesis draws the same examples every time; ARCHSPEC_EXAMPLES=5000 asks for other, more."""

import os

from hypothesis import settings

settings.register_profile("same", deadline=None, derandomize=True, database=None)
if "ARCHSPEC_EXAMPLES" in os.environ:
    examples = int(os.environ["ARCHSPEC_EXAMPLES"])
    settings.register_profile("more", deadline=None, max_examples=examples, print_blob=True)
settings.load_profile("more" if "ARCHSPEC_EXAMPLES" in os.environ else "same")
