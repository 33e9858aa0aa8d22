"""python -m engine.worker. This file alone must parse on any Python, however old, to say what is wrong with it."""

import json
import os
import sys

OLDEST = (3, 11)


def main(jobs=None):
    """Be a worker on this process's standard input and output. `jobs` replaces the table of jobs (for tests)."""
    # Libraries print to standard output whenever they like: it becomes standard error for them, and the messages go
    # through a private copy. Likewise nobody but the listener may eat standard input.
    messages = os.dup(1)
    os.dup2(2, 1)
    requests = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)

    if sys.version_info[:2] < OLDEST:
        found = {
            "say": "unfit",
            "python": ".".join(str(number) for number in sys.version_info[:3]),
            "executable": sys.executable,
            "needs": ".".join(str(number) for number in OLDEST),
        }
        os.write(messages, (json.dumps(found) + "\n").encode("ascii"))
        return 2

    from .jobs import JOBS
    from .server import serve

    with os.fdopen(requests, "rb") as reader, os.fdopen(messages, "wb") as writer:
        serve(reader, writer, jobs or JOBS, bundled="--bundled" in sys.argv[1:])
    return 0


if __name__ == "__main__":
    sys.exit(main())
