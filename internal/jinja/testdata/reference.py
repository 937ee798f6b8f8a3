"""Renders templates with Python's Jinja2, one JSON request a line.

Request: {"t": template, "v": {variables}}. Answer: {"o": output} or {"e": error}. With "u": true
nothing is evaluated before the template runs: constant expressions are not folded.
"""
import decimal
import json
import math
import signal
import sys
import warnings

from jinja2 import StrictUndefined, pass_context
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


class Environment(SandboxedEnvironment):
    """Powers of floats are correctly rounded, which C libraries do not promise."""

    intercepted_binops = frozenset(["**"])

    def call_binop(self, context, operator, left, right):
        result = left**right
        if not isinstance(result, float) or not math.isfinite(result) or 0 in (left, right, result):
            return result
        return float(decimal.Decimal(float(left)) ** decimal.Decimal(float(right)))


class TooSlow(Exception):
    pass


def too_slow(*_):
    raise TooSlow("too slow")


def main():
    decimal.getcontext().prec = 60
    warnings.simplefilter("ignore")  # of Python's own compiler, about what templates say
    folding = Environment(undefined=Chainable)
    # Jinja's compiler does not evaluate what a function that knows the context is to see.
    plain = Environment(undefined=Chainable, optimized=False, finalize=pass_context(lambda _, value: value))
    signal.signal(signal.SIGALRM, too_slow)
    for line in sys.stdin:
        request = json.loads(line)
        env = plain if request.get("u") else folding
        signal.setitimer(signal.ITIMER_REAL, 2)
        try:
            answer = {"o": env.from_string(request["t"]).render(request["v"])}
            answer["o"].encode()
        except TooSlow:
            answer = {"s": True}
        except Exception as e:
            answer = {"e": type(e).__name__ + ": " + str(e)[:300]}
        except RecursionError as e:
            answer = {"e": "RecursionError"}
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


main()
