"""Fresh clone to finished `make demo`, and the second time, when stored models forecast.

    python benchmarks/demo.py [--data DIR] [--json]

Clones this repository's HEAD into a temporary folder with an empty VITALCAST_HOME, so that nothing
of this checkout helps. Prints seconds and the ratio of the second run to the first.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def timed_demo(clone: Path, home: Path, data: Path | None) -> float:
    """Wall seconds of one `make demo`; raises when it fails."""
    command = ["make", "demo", *([f"DATA={data}"] if data else [])]
    start = time.monotonic()
    subprocess.run(command, cwd=clone, check=True, env={**os.environ, "VITALCAST_HOME": str(home)},
                   stdout=subprocess.DEVNULL)
    return time.monotonic() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of recordings to replay")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    data = arguments.data.resolve() if arguments.data else None
    with tempfile.TemporaryDirectory() as folder:
        clone, home = Path(folder) / "clone", Path(folder) / "home"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
        first = timed_demo(clone, home, data)
        second = timed_demo(clone, home, data)
    figures = {"first_seconds": round(first, 1), "second_seconds": round(second, 1),
               "second_to_first": round(second / first, 3), "cores": os.cpu_count()}
    if arguments.json:
        print(json.dumps(figures))
    else:
        print(f"fresh clone to finished demo  {first:6.1f} s\n"
              f"second time                   {second:6.1f} s  ({second / first:.2f} of the first)")


if __name__ == "__main__":
    main()
