#!/usr/bin/env python3
"""embed.py OUT.c STYLE.gp ...: the templates as C strings skl_template_STYLE[], so that the program needs no files."""
import pathlib
import sys

out = ['#include "core/report/templates.h"']
for path in map(pathlib.Path, sys.argv[2:]):
    lines = path.read_text(encoding='utf-8').splitlines()
    out.append(f'const char skl_template_{path.stem}[] =')
    for line in lines:
        escaped = line.replace('\\', '\\\\').replace('"', '\\"')
        out.append(f'    "{escaped}\\n"')
    out[-1] += ';'
pathlib.Path(sys.argv[1]).write_text('\n'.join(out) + '\n', encoding='utf-8')
