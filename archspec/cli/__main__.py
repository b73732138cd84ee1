"""python -m archspec.cli"""

import sys

from archspec.cli import main

sys.exit(main())
