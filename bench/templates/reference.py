"""Measures Python's Jinja2 on templates, for bench/templates.

The first line of input is a list of {"t": template, "v": variables}; the answer
is {"version", "outputs"}. Each line after it asks for one pass over all of them;
the answer is the seconds it took to parse, to render what was parsed before,
and to do both.
"""
import json
import platform
import sys
import time

import jinja2
from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment


class Chainable(StrictUndefined):
    """Strict, but stays undefined through lookups."""

    __slots__ = ()

    def __getattr__(self, name):
        if name[:2] == "__":
            raise AttributeError(name)
        return self

    def __getitem__(self, key):
        return self


def answer(value):
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def main():
    env = SandboxedEnvironment(undefined=Chainable)
    cases = [(c["t"], c["v"]) for c in json.loads(sys.stdin.readline())]
    parsed = [(env.from_string(t), v) for t, v in cases]
    answer({
        "version": "Jinja2 %s on Python %s" % (jinja2.__version__, platform.python_version()),
        "outputs": [t.render(v) for t, v in parsed],
    })
    for _ in sys.stdin:
        start = time.perf_counter()
        for t, _ in cases:
            env.from_string(t)
        parse = time.perf_counter()
        for t, v in parsed:
            t.render(v)
        render = time.perf_counter()
        for t, v in cases:
            env.from_string(t).render(v)
        both = time.perf_counter()
        answer({"parse": parse - start, "render": render - parse, "both": both - render})


main()
