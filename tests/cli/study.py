"""study.py FOLDER [--settings N] [--seeds N] [--rows N] [--probes N]: results of a made-up sweep, as skiplab would have
written them.  Falling curves with noise, all from a fixed seed; for the tests of what reads results, and to look at."""
import argparse
import json
import math
import os
import random

UNITS = 9                        # of ResNet-20
CONFIG = """\
name: study
model: {{depth: 20, order: original, shortcut: {{type: exclusive_gating, gate_bias: {bias:g}}}}}
data: {{dataset: synthetic, synthetic: {{train: 2048, test: 512, size: 32, channels: 3, classes: 10}}}}
train: {{iterations: {iterations}, batch: 64, lr: 0.1}}
seeds: [{seed}]
"""


def put(folder, name, text):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "w") as f:
        f.write(text)


def final_error(setting, seed):
    """The test error at the last iteration: what a report's statistics are made of.  Below the 30 % of a failure."""
    return round(10 + 0.25 * (setting % 60) + random.Random(f"{setting} {seed}").gauss(0, 0.6), 2)


def put_run(folder, setting, seed, rows, probes):
    dice, iterations, error = random.Random(1000 * setting + seed), 100 * rows, final_error(setting, seed)
    loss = lambda t: 0.02 * (1 + setting) + 2.3 * math.exp(-6 * t) * (1 + dice.gauss(0, 0.05))
    put(folder, "config.yaml", CONFIG.format(bias=-setting, iterations=iterations, seed=seed))
    put(folder, "train.csv", "iteration,epoch,lr,loss,error\n" + "".join(
        f"{100 * i},{i},0.1,{loss(i / rows):.9g},{error + 80 * math.exp(-6 * i / rows):.9g}\n" for i in range(rows + 1)))
    put(folder, "test.csv", "iteration,epoch,loss,error,weights\n" + "".join(
        f"{100 * i},{i},{2 * loss(i / rows):.9g},{error if i == rows else error + 80 * math.exp(-5 * i / rows):.9g},00\n"
        for i in range(rows // 10, rows + 1, max(1, rows // 10))))
    if probes:
        put(folder, "probe.csv", probe_csv(setting, iterations, probes))
        put(folder, "sums.csv", "iteration,unit,sum_share\n" + "".join(
            f"{iterations * k // probes},{unit},{1 - 0.1 * unit:.9g}\n" for k in range(probes + 1) for unit in range(UNITS)))
        put(folder, "responses.csv", "iteration,layer,name,mean,std\n" + "".join(
            f"{iterations * k // probes},{layer},x,0,{response(layer):.9g}\n" for k in range(probes + 1) for layer in range(1, 20)))
    put(folder, "run.json", json.dumps({
        "state": "done", "cause": "", "iteration": iterations, "iterations": iterations, "test_error_final": error,
        "train_error_final": error / 2, "train_loss_final": 0.02 * (1 + setting), "seconds": 640.0, "images_per_second": 100.0 * seed,
        "parameters": 272474, "multiply_adds": 40551424, "host": "h", "version": "1", "commit": "c", "config_hash": "ab" * 32,
        "files": {name: {"bytes": os.path.getsize(os.path.join(folder, name)), "sha256": "00"} for name in ("train.csv", "test.csv")}}))


def direct_gain(setting, unit, part):
    """A direct term that falls toward the first units, the less the later; `part` of training is done."""
    return 0.0 if setting == 2 and unit < 4 else 10 ** (-(0.1 + setting * 0.2) * (UNITS - 1 - unit) / (1 + part))


def response(layer):
    return 1 + 0.5 * math.sin(layer)


def probe_csv(setting, iterations, probes):
    lines = ["iteration,unit,stage,signal_rms,branch_rms,gradient_rms,shortcut_gain,direct_gain,direct_share,direct_cosine,clipped,gate_mean"]
    for k in range(probes + 1):
        for unit in range(UNITS):
            direct = direct_gain(setting, unit, k / probes)
            lines.append(f"{iterations * k // probes},{unit},{unit // 3 + 1},{1 + 0.1 * unit},{0.5 / (1 + k)},{1e-4 * 1.5 ** -unit},"
                         f"{1 - 0.01 * setting},{direct:.9g},{direct / 2:.9g},0.5,0.1,nan")
    return "\n".join(lines) + "\n"


def make(folder, settings=2, seeds=3, rows=60, probes=0):
    runs = []
    for seed in range(1, seeds + 1):
        for setting in range(settings):
            name = f"gates/gate_bias={-setting}"
            put_run(os.path.join(folder, name, f"seed-{seed}"), setting, seed, rows, probes)
            runs.append({"run": f"{name}/seed-{seed}", "setting": name, "variant": "gates", "seed": seed, "hash": "ab" * 32,
                         "paper": None, "iterations": 100 * rows, "batch": 64})
    put(folder, "plan.json", json.dumps({"schema_version": 1, "name": os.path.basename(folder), "label": "A made-up study",
                                         "baseline": "gates", "hash": "00", "runs": runs}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    for option, value in (("settings", 2), ("seeds", 3), ("rows", 60), ("probes", 0)):
        parser.add_argument("--" + option, type=int, default=value)
    made = parser.parse_args()
    make(made.folder, made.settings, made.seeds, made.rows, made.probes)
