# OpenCV's own stubs refuse calls that OpenCV documents (a single map in remap, a number as a colour), and lose dtypes.
from typing import Any

def __getattr__(name: str) -> Any: ...
