"""Renders templates with Python's Jinja2, one JSON request a line.

Request: {"t": template, "v": {variables}}. Answer: {"o": output} or {"e": error}.
"""
import json
import signal
import sys

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


class TooSlow(Exception):
    pass


def too_slow(*_):
    raise TooSlow("too slow")


def main():
    env = SandboxedEnvironment(undefined=Chainable)
    signal.signal(signal.SIGALRM, too_slow)
    for line in sys.stdin:
        request = json.loads(line)
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
