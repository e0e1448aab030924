"""Manual page, completion, schema and --help say the same: every command, option, key and variant is in all of them."""
import json
import shlex
from skl import *

try:
    import yaml
except ImportError:
    yaml = None


def options_of(command):
    """{option: (argument or '', help)} as --help prints them; long names have their help on the next line."""
    text = run(command, "--help").stdout.split("\nOptions:\n")[1]
    joined = re.sub(r"(?m)^(  --\S+(?: \S+)?)\n {20,}", r"\1   ", text)
    joined = re.sub(r"\n {20,}(?=\S)", " ", joined)          # a long help text goes on below itself
    found = re.findall(r"(?m)^  --(\S+)(?: (\S+))?  +(\S.*)$", joined)
    return {name: (argument, help_text) for name, argument, help_text in found}


def complete(*words):
    lines = run("help", "--complete", *words).stdout.splitlines()
    return dict(line.split("\t", 1) for line in lines)


def documented_keys():
    """Rows of the experiment file's page, which a unit test compares with the table of keys."""
    with open(os.path.join(SOURCE, "docs/experiment-file.md")) as f:
        return re.findall(r"(?m)^\| `([a-z_.]+)` \|", f.read())


def shortcuts():
    return json.loads(run("shortcuts", "--json").stdout)


def plain(roff):
    return roff.replace("\\-", "-").replace("\\&", "").replace("\\e", "\\")


class Man(Case):
    def setUp(self):
        super().setUp()
        self.page = self.ends(0, "help", "--man").stdout
        self.text = plain(self.page)

    def chapter(self, name):
        """With the line feed that ends it, so that its last line is like any other."""
        return self.text.split(f"\n.SH {name}\n")[1].split("\n.SH ")[0] + "\n"

    def section(self, command):
        return self.text.split(f"\n.SS {command}\n")[1].split("\n.SS ")[0].split("\n.SH ")[0] + "\n"

    def test_every_command_with_its_options(self):
        for command in commands():
            with self.subTest(command):
                part, help_text = self.section(command), self.ends(0, command, "--help").stdout
                usage = help_text.splitlines()[0].removeprefix(f"Usage: skiplab {command}").removesuffix(" [options]").strip()
                self.assertIn(f"\\fBskiplab {command}\\fR {usage}".rstrip(), part)
                options = options_of(command)
                self.assertEqual(set(re.findall(r"\.TP\n\\fB--([a-z-]+)\\fR", part)), set(options) - {"help", "version"})
                for name, (argument, about) in options.items():
                    if name not in ("help", "version"):
                        self.assertIn(f"\\fB--{name}\\fR{f' {chr(92)}fI{argument}{chr(92)}fR' if argument else ''}\n{about}\n", part)
                for line in help_text.split("\nExamples:\n")[1].split("\nOptions:\n")[0].strip().splitlines():
                    self.assertIn(line.strip(), part)

    def test_every_key(self):
        part = self.chapter("EXPERIMENT FILE")
        self.assertEqual(sorted(re.findall(r"\.TP\n\.B ([a-z_.]+)\n", part)), sorted(documented_keys()))

    def test_every_variant(self):
        part = self.chapter("SHORTCUTS")
        for s in shortcuts():
            self.assertIn(f"\n.B {s['name']}\n{s['summary']}: {s['formula']}.  {s['source']}.\n", part)
            for option in s["options"]:
                self.assertIn(f"\n.B {option['name']}\n{option['help']}", part)

    def test_no_formatter_complains(self):
        for tool in (["mandoc", "-T", "lint", "-W", "error"], ["groff", "-man", "-ww", "-z", "-Tutf8"]):
            if shutil.which(tool[0]):
                p = subprocess.run(tool, input=self.page, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                self.assertEqual((p.returncode, p.stdout), (0, ""), tool[0])


class Complete(Case):
    def test_every_command(self):
        self.assertEqual(set(complete("")), set(commands()) | {"help", "--version"})
        self.assertEqual(set(complete("help", "")), set(commands()))
        self.assertEqual(list(complete("swe")), ["sweep"])
        self.assertEqual(complete("no-such-command", ""), {})

    def test_every_option(self):
        for command in commands():
            self.assertEqual(set(complete(command, "--")), {"--" + o for o in options_of(command)}, command)

    def test_the_words_of_every_usage_line(self):
        for command in commands():
            usage = self.ends(0, command, "--help").stdout.splitlines()[0].removesuffix(" [options]")
            first = usage.removeprefix(f"Usage: skiplab {command}").strip().split(" ")[0]
            if first and not command.startswith("new-"):
                self.assertTrue(complete(command, ""), f"nothing completes '{first}' of {command}: core/cli/complete.c")

    def test_keys_and_their_values(self):
        keys = {k for k in documented_keys() if k.startswith(("model.", "data.", "train.", "give_up.", "probe.", "figure."))}
        options = {f"model.shortcut.{o['name']}" for s in shortcuts() for o in s["options"]}
        offered = {w[:-1] for w in complete("train", "x.yaml", "")}
        self.assertEqual(offered, keys | options | {"name", "seeds", "paper", "model.shortcut.type"})
        self.assertEqual(set(complete("train", "x.yaml", "a=b", "train.conv=wi")), {"train.conv=winograd4", "train.conv=winograd2"})
        self.assertEqual(set(complete("train", "x.yaml", "model.shortcut.type=")), {f"model.shortcut.type={s['name']}" for s in shortcuts()})
        self.assertEqual(set(complete("sweep", "x.yaml", "figure.width=")), {"figure.width=" + w for w in ("3.4in", "6.6in", "slide")})
        self.assertEqual(set(complete("sweep", "x.yaml", "data.shuffle=")), {"data.shuffle=true", "data.shuffle=false"})
        self.assertEqual(set(complete("sweep", "x.yaml", "model.shortcut.gate_init=")), {"model.shortcut.gate_init=he", "model.shortcut.gate_init=zero"})

    def test_values_of_options(self):
        config = os.path.join(SOURCE, "configs/figure3.yaml")
        self.assertIn("constant-scaling", complete("train", config, "--variant", ""))
        self.assertEqual(set(complete("train", config, "--variant=or")), {"--variant=original"})
        self.assertIn("original", complete("sweep", config, "--jobs", "2", "--only", ""))
        self.assertEqual(set(complete("step", "x.yaml", "--mode", "")), {"train", "eval"})
        self.assertEqual(set(complete("bench", "--conv", "d")), {"direct"})
        self.assertEqual(set(complete("bench", "--variant", "identi")), {"identity"})
        self.assertEqual(complete("sweep", config, "--results", ""), {":folders": ""})
        self.assertEqual(complete("step", config, "--weights", ""), {":files": "*"})
        self.assertEqual(complete("sweep", config, "--plugin", ""), {":files": "*.so"})

    def test_words(self):
        names = {s["name"] for s in shortcuts()}
        self.assertEqual(set(complete("shortcuts", "")), names)
        self.assertEqual(set(complete("check", "")) - {":files"}, names)
        self.assertEqual(set(complete("data", "")), {"fetch", "check", "export"})
        self.assertIn("cifar10", complete("data", "fetch", ""))
        self.assertEqual(complete("sweep", ""), {":files": "*.yaml"})
        self.assertEqual(complete("compare", "a", ""), {":folders": ""})
        self.assertEqual(set(complete("eval", "")), {":files", ":folders"})
        self.assertEqual(complete("export", "results/x", ""), {})                              # it takes one word
        self.assertEqual(complete("new-shortcut", ""), {})
        self.assertIn("train.conv=gemm", complete("bench", "train.conv=g"))        # a file may be left out
        self.assertEqual(set(complete("report", "r", "--select-by", "")), {"final", "validation"})
        self.assertIn("validation_loss", complete("plot", "r", "--metric", ""))
        self.assertEqual(complete("data", "--from", ""), {":files": "*"})

    def bash(self, typed):
        script = os.path.join(SOURCE, "core/cli/install/skiplab.bash")
        code = f'source "$1"; COMP_LINE=$2; COMP_POINT=${{#COMP_LINE}}; compopt() {{ :; }}; _skiplab; printf "%s\\n" "${{COMPREPLY[@]}}"'
        p = subprocess.run(["bash", "-c", code, "bash", script, f"{shlex.quote(PROGRAM)} {typed}"], cwd=self.dir, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual((p.returncode, p.stderr), (0, ""), typed)
        return set(p.stdout.splitlines()) - {""}

    def test_bash(self):
        self.write("one.yaml", "")
        self.write("two.txt", "")
        self.write("below/three.yaml", "")
        self.assertEqual(self.bash("swe"), {"sweep"})
        self.assertEqual(self.bash("sweep "), {"one.yaml", "below"})
        self.assertEqual(self.bash("sweep below/"), {"below/three.yaml"})
        self.assertEqual(self.bash("sweep one.yaml train.warm"), {"train.warmup.lr=", "train.warmup.iterations=", "train.warmup.shape="})
        self.assertEqual(self.bash("sweep one.yaml train.conv=d"), {"direct"})      # bash replaces what follows the '='
        self.assertEqual(self.bash("bench --conv=d"), {"direct"})
        self.assertEqual(self.bash("status "), {"below"})

    def test_bash_and_names_with_blanks(self):
        self.write("a  b/x \"y.yaml", "")
        for typed in ('a\\ \\ b/', '"a  b/', "'a  b/'", "'a  b'/"):
            self.assertEqual(self.bash("sweep " + typed), {'a  b/x "y.yaml'}, typed)
        for typed in ('a\\ \\ b/x\\ \\"y.yaml', "'a  b/x \"y.yaml'"):
            self.assertEqual(self.bash(f"sweep {typed} train.warmup.l"), {"train.warmup.lr="}, typed)

    def test_zsh(self):
        if not shutil.which("zsh"):
            self.skipTest("no zsh here")
        script = os.path.join(SOURCE, "core/cli/install/_skiplab")
        stubs = ('_describe() { print -rl -- "${(@P)4}" }; _files() { print -r -- "files $*" }; '
                 'words=("$2" "${(@s: :)3}"); CURRENT=$#words; PREFIX=${words[-1]}; source "$1"')
        for typed, expected in (("sweep x.yaml train.warmup.l", "train.warmup.lr=:learning rate of the first iterations (one_cycle: default lr / 25)\n"),
                                ("sweep x.yaml train.conv=d", "train.conv=direct\n"), ("sweep one", "files -g *.yaml\n")):
            p = subprocess.run(["zsh", "-f", "-c", stubs, "zsh", script, PROGRAM, typed], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            self.assertEqual((p.stdout, p.stderr), (expected, ""), typed)


# ---- the schema, by a validator of the words it uses ----

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}


def is_type(v, name):
    return isinstance(v, TYPES[name]) and (name == "boolean" or not isinstance(v, bool))


def faults(schema, v, root, at="file"):
    """What is wrong with v, a list of texts."""
    if "$ref" in schema:
        return faults(root["definitions"][schema["$ref"].split("/")[-1]], v, root, at)
    unknown = set(schema) - {"$schema", "title", "$comment", "definitions", "description", "type", "enum", "const", "minimum", "maximum",
                             "pattern", "required", "properties", "patternProperties", "additionalProperties", "items", "minItems",
                             "maxItems", "anyOf", "allOf", "not"}
    if unknown:
        raise AssertionError(f"the test does not know the schema's words {unknown}")
    bad = []
    types = schema.get("type", [])
    if types and not any(is_type(v, t) for t in ([types] if isinstance(types, str) else types)):
        return [f"{at} is no {types}"]
    if "enum" in schema and v not in schema["enum"] or "const" in schema and v != schema["const"]:
        bad.append(f"{at}: {v} is none of the choices")
    if is_type(v, "number") and not schema.get("minimum", v) <= v <= schema.get("maximum", v):
        bad.append(f"{at}: {v} is out of range")
    if isinstance(v, str) and not re.search(schema.get("pattern", ""), v):
        bad.append(f"{at}: {v} does not fit")
    if isinstance(v, list):
        if not schema.get("minItems", 0) <= len(v) <= schema.get("maxItems", len(v)):
            bad.append(f"{at} has {len(v)} items")
        for i, item in enumerate(v):
            bad += faults(schema.get("items", {}), item, root, f"{at}[{i}]")
    if isinstance(v, dict):
        bad += [f"{at} has no {name}" for name in schema.get("required", []) if name not in v]
        for name, item in v.items():
            matches = [s for p, s in schema.get("patternProperties", {}).items() if re.search(p, name)]
            if name in schema.get("properties", {}):
                matches.append(schema["properties"][name])
            extra = schema.get("additionalProperties", True)
            if not matches and extra is False:
                bad.append(f"{at}: unknown key {name}")
            if not matches and isinstance(extra, dict):
                matches = [extra]
            for s in matches:
                bad += faults(s, item, root, f"{at}.{name}")
    if "anyOf" in schema and all(faults(s, v, root, at) for s in schema["anyOf"]):
        bad.append(f"{at} fits none of the forms")
    for s in schema.get("allOf", []):
        bad += faults(s, v, root, at)
    if "not" in schema and not faults(schema["not"], v, root, at):
        bad.append(f"{at} is what it must not be")
    return bad


class Schema(Case):
    @classmethod
    def setUpClass(cls):
        cls.schema = json.loads(run("help", "--schema").stdout)

    def wrong(self, value):
        return faults(self.schema, value, self.schema)

    def at(self, path):
        node = self.schema
        for part in path.split("."):
            node = node["properties"][part]
        return node

    def test_every_key_nested_and_dotted(self):
        definitions = self.schema["definitions"]
        for path in documented_keys():
            if path.startswith("variants."):
                self.assertIn(path.split(".")[1], definitions["variant"]["properties"])
                continue
            self.assertTrue(self.at(path)["description"], path)
            if path.startswith(("model.", "data.", "train.", "give_up.", "probe.")):
                for where in (self.schema, definitions["settings"], definitions["lists"]):
                    self.assertIn(path, where["properties"])
        known = {"variants"} | {p.split(".")[0] for p in documented_keys()}
        self.assertEqual({p for p in self.schema["properties"] if "." not in p}, known)

    def test_every_variant_and_option(self):
        branches = {b["properties"]["type"].get("const"): b for b in self.schema["definitions"]["shortcut"]["anyOf"]}
        self.assertEqual(set(branches) - {None}, {s["name"] for s in shortcuts()})
        for s in shortcuts():
            self.assertEqual(set(branches[s["name"]]["properties"]) - {"type"}, {o["name"] for o in s["options"]})
            for option in s["options"]:
                value = option["default"]
                self.assertEqual(self.wrong({"model": {"shortcut": {"type": s["name"], option["name"]: value}}}), [])
                self.assertTrue(self.wrong({"model": {"shortcut": {"type": s["name"], option["name"]: [value]}}}))

    def test_shipped_experiments_fit(self):
        if not yaml:
            self.skipTest("no Python yaml here")
        for folder in ("configs", "tests/golden/cases"):
            for name in sorted(os.listdir(os.path.join(SOURCE, folder))):
                if name.endswith(".yaml"):
                    with open(os.path.join(SOURCE, folder, name)) as f:
                        self.assertEqual(self.wrong(yaml.safe_load(f)), [], name)

    def test_right(self):
        for value in ({}, {"model": {"depth": 20}, "train.lr": 0.1}, {"train": {"lr_drops": {"at": ["50%", 75]}}},
                      {"model.shortcut_at": [1, 2]}, {"seeds": 3}, {"seeds": [1, 5]}, {"model": {"shortcut": {"type": "of_a_plugin", "x": 1}}},
                      {"variants": [{"name": "a", "set": {"model.shortcut.gate_bias": -6, "train": {"lr": 1}, "paper.x": "y"},
                                     "grid": {"model.depth": [20, 32], "model.shortcut.of_a_plugin": [1]}, "paper": {"test_error": 6.61}}]}):
            self.assertEqual(self.wrong(value), [], value)

    def test_wrong(self):
        for value in ({"nmae": "x"}, {"model": {"dpeth": 20}}, {"model": {"depth": "20"}}, {"model": {"depth": 20.5}}, {"train": {"lr": -1}},
                      {"model": {"block": "bsic"}}, {"model": {"shortcut": {"type": "dropout", "rat": 0.5}}}, {"model": {"shortcut": {"rate": 0.5}}},
                      {"model": {"shortcut": {"type": "dropout", "rate": 2}}}, {"variants": [{"set": {}}]}, {"variants": [{"name": "a", "st": {}}]},
                      {"variants": [{"name": "a", "grid": {"model.depth": 20}}]}, {"grid": {"model.depth": [20, "x"]}}, {"seeds": []},
                      {"data": {"shuffle": 1}}, {"model.shortcut_at": [1]}, {"paper": {"test_error": [1]}}):
            self.assertTrue(self.wrong(value), value)


class Shipped(Case):
    def test_every_experiment_names_the_schema_and_is_installed(self):
        with open(os.path.join(SOURCE, "configs/meson.build")) as f:
            listed = re.findall(r"'([a-z0-9-]+)'", f.read().split("config_names = [")[1].split("]")[0])
        there = [name[:-5] for name in os.listdir(os.path.join(SOURCE, "configs")) if name.endswith(".yaml")]
        self.assertEqual(sorted(listed), sorted(there), "configs/meson.build and the files beside it")
        for name in there:
            with open(os.path.join(SOURCE, "configs", name + ".yaml")) as f:
                self.assertEqual(f.readline(), "# yaml-language-server: $schema=../build/configs/experiment.schema.json\n", name)


main()
