#!/usr/bin/env python3
"""embed.py OUT.c TEXT ...: the kernels' texts as C strings, so that the program needs no files."""
import pathlib
import sys

out = ['#include "core/device/opencl/texts.h"', '', 'const struct skl_cl_text skl_cl_texts[] = {']
for path in map(pathlib.Path, sys.argv[2:]):
    out.append(f'    {{"{path.stem}",')
    for line in [f'#line 1 "{path.name}"'] + path.read_text(encoding='utf-8').splitlines():
        escaped = line.replace('\\', '\\\\').replace('"', '\\"')
        out.append(f'     "{escaped}\\n"')
    out[-1] += '},'
pathlib.Path(sys.argv[1]).write_text('\n'.join(out + ['    {0, 0},', '};', '']), encoding='utf-8')
