#!/usr/bin/env python3
"""Every kernel in a simulator that looks at each access: no race, nothing out of bounds.  test_simulated.py OCLGRIND TEST_KERNELS"""
import subprocess
import sys
import tempfile

# Not optimized: what the simulator's compiler makes of inlined functions it does not know itself.
OPTIONS = ["--data-races", "--build-options", "-cl-opt-disable", "--local-mem-size", "49152", "--global-mem-size", "1000000000"]


def main():
    with tempfile.NamedTemporaryFile("r") as log:
        p = subprocess.run([sys.argv[1], *OPTIONS, "--log", log.name, sys.argv[2], "--simulated"])
        found = log.read()
    print(found[:8000], end="")
    return 1 if p.returncode or found.strip() else 0


if __name__ == "__main__":
    sys.exit(main())
