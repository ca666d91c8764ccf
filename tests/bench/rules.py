"""The detectors beside each of their patterns alone and beside YARA, and how their time grows with rules, with events and with what is
hostile. Called by run.py."""
import json
import os
import random
import re
import subprocess
import tempfile

FIELD = {"tool_call": "args"} # of what is looked at; else text


def read_patterns(bench):
    lines = subprocess.run([bench, "--patterns"], capture_output=True, check=True).stdout.splitlines()
    return [p for p in map(json.loads, lines) if p["on"]]


def write_rules(path, patterns):
    """A rule for each pattern: the least that can be asked of it."""
    with open(path, "w") as out:
        for i, p in enumerate(patterns):
            flags = "".join(f", {f}: true" for f in ("nocase", "word") if p[f])
            text = ("{literal: [" if p["literal"] else "{regex: ") + json.dumps(p["text"]) + ("]" if p["literal"] else "") + flags + "}"
            kinds = [k for k in p["on"] if k not in FIELD] or p["on"]
            out.write(f"---\nid: r{i}\ntitle: t\nbehavior: gibberish\nevents: {{ e: {{ on: [{', '.join(kinds)}], {FIELD.get(kinds[0], 'text')}: {text} }} }}\nfind: e\n")


def over(bench, db, *more):
    return json.loads(subprocess.run([bench, db, "bench", *map(str, more)], capture_output=True, check=True).stdout)


# ---- beside YARA ----------------------------------------------------------------------------------------------------------

def as_yara(p):
    text = re.sub(r"[^\w]", lambda m: "\\" + m[0], p["text"]) if p["literal"] else re.sub(r"\(\?P?<\w+>", "(", p["text"])
    text = text.replace("(?:", "(")
    for flag in re.findall(r"^\(\?([is]+)\)", text):
        text = text[len(flag) + 3:]
        return text, "".join(sorted(set(flag) | ({"i"} if p["nocase"] else set())))
    return text, "i" if p["nocase"] else ""


def yara_takes(rule):
    with tempfile.NamedTemporaryFile("w", suffix=".yar") as f:
        f.write(rule)
        f.flush()
        return subprocess.run(["yarac", "-w", f.name, os.devnull], capture_output=True).returncode == 0


def yara_rules(patterns):
    """Those that YARA takes: it has no look-around, no back-references, no \\b beside some things."""
    rules = []
    for i, p in enumerate(patterns):
        text, flags = as_yara(p)
        text = text.replace("/", "\\/").replace("\\\\/", "\\/")
        rule = f"rule r{i} {{ strings: $a = /{text}/{flags} condition: $a }}\n"
        if not re.search(r"\(\?[=!<#imsx]", text) and text.isascii() and yara_takes(rule):
            rules.append((p, rule))
    return rules


LOOP = re.compile(r"[.\])][*+{]|\\\w[*+{]")


def beside_yara(bench, db, t, which, rules, every, texts, measure_process):
    """A file of texts a run; both are asked which patterns are in which run."""
    write_rules(t + "/yara.yaml", [p for p, _ in rules])
    with open(t + "/yara.yar", "w") as f:
        f.writelines(rule for _, rule in rules)
    subprocess.run(["yarac", "-w", t + "/yara.yar", t + "/yara.yarc"], check=True)
    ours = over(bench, db, t + "/yara.yaml", "--every", every, "--texts", texts)
    cpu = measure_process(["yara", "-C", "-r", "-f", "-w", "-p", "1", t + "/yara.yarc", texts])[0]
    print(f"  beside YARA, {len(rules)} patterns ({which}), {ours['bytes_paired'] / 1e6:.1f} MB: CPU {ours['seconds_paired']:.3f} s against {cpu:.2f} s: "
          f"{cpu / ours['seconds_paired']:.1f} x   (goal 3 x)", flush=True)


# ---- more rules ----------------------------------------------------------------------------------------------------------------

def words_of(texts):
    """The words of the corpus by length, each once."""
    words = {}
    for name in sorted(os.listdir(texts))[:400]:
        with open(os.path.join(texts, name), encoding="utf-8", errors="ignore") as f:
            for word in re.findall(r"[a-z]{3,}", f.read(200000).lower()):
                words.setdefault(len(word), set()).add(word)
    return {n: sorted(w) for n, w in words.items()}


def altered(text, words, seed):
    """The same pattern about other words, which the corpus has too: escapes, classes, groups' heads and counts stay as they are."""
    pick = random.Random(seed)
    def other(word):
        same = words.get(len(word))
        new = pick.choice(same) if same else word
        return "".join(b.upper() if a.isupper() else b for a, b in zip(word, new))
    kept = r"(\\x\{\w+\}|\\[pP]\{\w+\}|\\.|\[\^?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\]|\(\?(?:P?<\w+>|[imsx-]+[:)]|<?[=!:>|])|\{[\d,]+\})"
    parts = re.split(kept, text, flags=re.S)
    return "".join(p if i % 2 else re.sub(r"[A-Za-z]{3,}", lambda m: other(m[0]), p) for i, p in enumerate(parts))


def more_rules(patterns, words, n):
    """n patterns in which those without a literal have the share that they have in the catalogue."""
    free, bound = [p for p in patterns if p["literal_free"]], [p for p in patterns if not p["literal_free"]]
    out = []
    for i in range(n):
        from_free = (i + 1) * len(free) // len(patterns) > i * len(free) // len(patterns)
        base = random.Random(i).choice(free if from_free else bound)
        text = base["text"] if base["literal"] else altered(base["text"], words, i)
        out.append({**base, "text": (text or "x") + ("" if base["literal"] else f"(?:|{i}{{0}})" if from_free else "")})
    return out


# ---- all of it ----------------------------------------------------------------------------------------------------------------------

def measure(program, bench, files, peer_bytes, measure_process):
    with tempfile.TemporaryDirectory() as t:
        db = t + "/rules.db"
        subprocess.run([program, "--db", db, "-q", "import", *files, "-c", "bench", "--no-detect"], check=True, stdout=subprocess.DEVNULL)
        size = over(bench, db)["bytes"]
        every = max(1, round(size / peer_bytes))
        texts = t + "/texts"
        os.mkdir(texts)
        a = over(bench, db, "--every", every)
        print(f"rules: the whole catalogue ({a['detectors']} detectors, {a['patterns']} patterns, {a['literal_free']} without a literal) over "
              f"{a['bytes'] / 1e6:.0f} MB of text in {a['runs']} runs: CPU {a['seconds']:.2f} s, {a['bytes'] / 1e6 / a['seconds']:.0f} MB/s; {a['incomplete']} incomplete")
        print(f"  beside each pattern run alone by PCRE2 JIT, {a['bytes_paired'] / 1e6:.0f} MB: CPU {a['seconds_paired']:.2f} s against {a['peer_seconds']:.2f} s: "
              f"{a['peer_seconds'] / a['seconds_paired']:.1f} x   (goal 10 x)", flush=True)
        print(f"  without the costliest pattern of the peer: {(a['peer_seconds'] - a['peer_worst']) / a['seconds_paired']:.1f} x")

        patterns = read_patterns(bench)
        both = yara_rules(patterns)
        # YARA takes time by the square where a loop begins a match: a few such patterns are most of its time, so those without loops are shown too.
        beside_yara(bench, db, t, "those without loops", [b for b in both if not LOOP.search(b[0]["text"])], every, texts, measure_process)
        few = t + "/few"
        os.mkdir(few)
        beside_yara(bench, db, t, "all that it takes", both, 40 * every, few, measure_process)

        words, times = words_of(texts), {}
        small = t + "/small.db"
        subprocess.run([program, "--db", small, "-q", "import", *files[::every], "-c", "bench", "--no-detect"], check=True, stdout=subprocess.DEVNULL)
        for which, some in (("as many without a literal as the catalogue has", patterns), ("all with a literal", [p for p in patterns if not p["literal_free"]])):
            for n in (10, 100, 1000):
                write_rules(f"{t}/{n}.yaml", more_rules(some, words, n))
                x = over(bench, small, f"{t}/{n}.yaml")
                times[n] = x["seconds"]
                print(f"  {n} rules ({which}: {x['literal_free']} without) over {x['bytes'] / 1e6:.0f} MB: CPU {x['seconds']:.2f} s, {x['bytes'] / 1e6 / x['seconds']:.0f} MB/s", flush=True)
            print(f"  1,000 rules / 100 rules, {which}: {times[1000] / times[100]:.1f} x   (goal at most 3 x)")
        once, twice = (over(bench, small, "--times", n)["seconds"] for n in (4, 8))
        print(f"  runs twice as long: {twice / once:.2f} x the time   (goal at most 2.2 x)")
        d = json.loads(subprocess.run([bench, "--deadline", "5000000"], capture_output=True, check=True).stdout)
        print(f"  {d['looks']} looks of hostile patterns into 5 MB, {d['stopped']} stopped: the worst ends at {d['worst']:.2f} x its deadline of "
              f"{d['deadline_us'] / 1000:.0f} ms   (goal at most 1.2 x)", flush=True)
