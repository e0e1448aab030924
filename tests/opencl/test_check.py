#!/usr/bin/env python3
"""skiplab check of every built-in variant on an OpenCL device: opencl:0, where there is no GPU pocl.  Slow: pocl compiles."""
import json
import os
import subprocess
import sys

PROGRAM = os.environ["SKIPLAB"]
DEVICE = ("--device", os.environ.get("SKL_DEVICE", "opencl:0"))


def main():
    listed = subprocess.run([PROGRAM, "devices", "--json"], stdout=subprocess.PIPE, text=True, check=True)
    if not any(d["fit"] for d in json.loads(listed.stdout)["devices"][:1]):
        return 77
    failed = 0
    for s in json.loads(subprocess.run([PROGRAM, "shortcuts", "--json"], stdout=subprocess.PIPE, text=True, check=True).stdout):
        p = subprocess.run([PROGRAM, "check", s["name"], "--json", *DEVICE], stdout=subprocess.PIPE, text=True)
        rows = json.loads(p.stdout)["checks"] if p.stdout else []
        wrong = [f"{r['name']}: {r['text']}" for r in rows if r["verdict"] == "FAIL"]
        print(s["name"], "passes" if p.returncode == 0 else "FAILS", f"({sum(r['seconds'] for r in rows):.0f} s)", *wrong, flush=True)
        failed += p.returncode != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
