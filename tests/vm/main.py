"""Runs the scenarios: python3 main.py --parts DIR --closing FILE [--all] [--only WORDS] [--seed N] -- PROGRAMS..."""

import argparse
import random
import signal
import sys
from pathlib import Path

from rig.rig import Rig
from rig.suite import Report
from scenarios import GROUPS


def arguments():
    parser = argparse.ArgumentParser(prog="tests/vm/run")
    parser.add_argument("--parts", type=Path, required=True)
    parser.add_argument("--closing", type=Path, required=True, help="where the closing line is written")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("programs", type=Path, nargs="+")
    return parser.parse_args()


def main():
    asked = arguments()
    report = Report(asked.only)
    print(f"Kernel {(asked.parts / 'kernel/version').read_text().strip()}, seed {asked.seed}", flush=True)
    # As from a terminal: what was begun is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    with Rig(asked.parts, asked.programs, Path(__file__).parent / "guest", asked.seed) as rig:
        for group in GROUPS:
            if asked.all or group.core:
                report.run(group(rig, asked.all))
                rig.kill_all()
    asked.closing.write_text(report.closing_line())
    sys.exit(1 if report.failed else 0)


if __name__ == "__main__":
    main()
