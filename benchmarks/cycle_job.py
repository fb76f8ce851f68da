"""One job of one shard in a process of its own, as the product runs it.

    python -m benchmarks.cycle_job train 2026-11-21T06:00:00 1/2 CONFIG_HASH [--profile FILE]

Settings come from the environment; the job's figures are printed as one JSON object, with the
processor time that went into the start of the process, imports for the most part.
"""

import argparse
import cProfile
import json
import time

from vitalcast.jobs.forecast import forecast
from vitalcast.jobs.train import train
from vitalcast.wiring import open_system

JOBS = {"train": train, "forecast": forecast}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("job", choices=JOBS)
    parser.add_argument("hour")
    parser.add_argument("shard")
    parser.add_argument("config_hash")
    parser.add_argument("--profile")
    given = parser.parse_args()
    start_ms = round(1000 * time.process_time())
    profile = cProfile.Profile() if given.profile else None
    if profile is not None:
        profile.enable()
    figures = JOBS[given.job](
        open_system(), cycle=given.hour, shard=given.shard, config_hash=given.config_hash)
    if profile is not None:
        profile.disable()
        profile.dump_stats(given.profile)
    print(json.dumps(figures | {"start_cpu_ms": start_ms}))


if __name__ == "__main__":
    main()
