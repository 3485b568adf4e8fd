"""Imported first by every program: Ctrl-C is answered while the rest loads."""

import os
import sys

from avjax import interrupts

interrupts.answer(os.path.basename(sys.argv[0]))
