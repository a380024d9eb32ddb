"""The process as it was before the first cell; what differs from it later, a cell has changed.

What a restore changes counts as changed by a cell, so that it is in the next checkpoint too.
"""

from __future__ import annotations

import os
import sys

environment = dict(os.environ)
path = list(sys.path)
modules = frozenset(sys.modules)
