"""Runs the scenarios: python3 main.py --parts DIR --closing FILE [--only WORDS] -- PROGRAMS..."""

import argparse
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
    parser.add_argument("--only", default="")
    parser.add_argument("programs", type=Path, nargs="+")
    return parser.parse_args()


def main():
    asked = arguments()
    report = Report(asked.only)
    print(f"Kernel {(asked.parts / 'kernel/version').read_text().strip()}", flush=True)
    # As from a terminal: what was begun is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    with Rig(asked.parts, asked.programs, Path(__file__).parent / "guest") as rig:
        for group in GROUPS:
            report.run(group(rig))
            rig.kill_all()
    asked.closing.write_text(report.closing_line())
    sys.exit(1 if report.failed else 0)


if __name__ == "__main__":
    main()
