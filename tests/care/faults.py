"""The library of tests/fault in front of the program: env(under, …) is an environment for it."""
import os
import re
import subprocess
import tempfile

from database import PROGRAM, ROOT

_built = []


def library():
    if not _built:
        folder = tempfile.TemporaryDirectory(prefix="telltale-fault-")
        path = os.path.join(folder.name, "fault.so")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-o", path,
                        os.path.join(ROOT, "tests", "fault", "fault.c"), "-ldl"], check=True)
        # A sanitizer's own library must come first.
        linked = subprocess.run(["ldd", PROGRAM], capture_output=True, text=True).stdout
        _built.append((folder, ":".join(re.findall(r"=> (\S*/lib[at]san\S*)", linked) + [path])))
    return _built[0][1]


def env(under, **faults):
    return {**os.environ, "LD_PRELOAD": library(), "FAULT_UNDER": under, **{"FAULT_" + k.upper(): str(v) for k, v in faults.items()}}
