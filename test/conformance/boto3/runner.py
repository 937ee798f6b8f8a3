"""Carries out the steps of a story (see package story) with a client that is
written in Python; a subclass says how that client calls, waits and pages."""

import base64
import json
import re
import time


class Refused(Exception):
    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


def snake(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class Runner:
    """call(key, operation, input) answers the output or raises Refused;
    wait(waiter, input) raises an exception if the waiter fails;
    pages(operation, input, size, key) answers the items of all pages;
    put(bucket, key, content) uploads."""

    def __init__(self, file):
        with open(file) as f:
            story = json.load(f)
        self.keys, self.variables, self.steps = story["keys"], story["variables"], story["steps"]

    def fill(self, value):
        if isinstance(value, str):
            return re.sub(r"\$\{(\w+)\}", lambda m: self.variables[m[1]], value)
        if isinstance(value, list):
            return [self.fill(v) for v in value]
        if isinstance(value, dict):
            return {k: self.fill(v) for k, v in value.items()}
        return value

    def run(self):
        self.make_bucket(self.variables["bucket"])
        for step in self.steps:
            try:
                self.step(step)
            except Exception as e:
                shown = {k: v for k, v in step.items() if k != "content"}
                raise AssertionError(f"{json.dumps(shown)}\n{type(e).__name__}: {e}") from e

    def step(self, step):
        given = self.fill(step.get("in", {}))
        if "put" in step:
            self.put(self.variables["bucket"], step["put"], base64.b64decode(step["content"]))
        elif "wait" in step:
            self.waiter(step, given)
        elif "pages" in step:
            items = self.pages(step["pages"], given, step.get("size", 0), step["key"])
            got = [item[step["name"]] for item in items]
            if got != step["want"]:
                raise AssertionError(f"got {got}")
        else:
            deadline = time.monotonic() + (60 if "until" in step else 0)
            while problem := self.attempt(step, given):
                if time.monotonic() > deadline:
                    raise AssertionError(problem)
                time.sleep(0.03)

    def waiter(self, step, given):
        try:
            self.wait(step["wait"], given)
        except Exception:
            if not step.get("fails"):
                raise
            return
        if step.get("fails"):
            raise AssertionError("the waiter did not fail")

    def attempt(self, step, given):
        """Calls once; answers what is wrong with the outcome."""
        try:
            out = self.call(step.get("as", "root"), step.get("call") or step["until"], given)
        except Refused as e:
            if e.code != step.get("refused"):
                return str(e)
            if "message" in step and e.message != self.fill(step["message"]):
                return f"refused with {e.message}"
            return None
        if "refused" in step:
            return "it was not refused"
        for name, path in step.get("save", {}).items():
            value = out
            for part in path.split("."):
                value = value[int(part) if isinstance(value, list) else part]
            self.variables[name] = value
        return self.differs(self.fill(step.get("want", {})), out, "answer")

    def differs(self, want, got, path):
        """Answers what of want is not in got."""
        if isinstance(want, dict) and isinstance(got, dict):
            for key in want:
                if problem := self.differs(want[key], got.get(key), f"{path}.{key}"):
                    return problem
            return None
        if isinstance(want, list) and isinstance(got, list) and len(want) == len(got):
            for n, item in enumerate(want):
                if problem := self.differs(item, got[n], f"{path}[{n}]"):
                    return problem
            return None
        return None if want == got else f"{path} is {got!r}, want {want!r}"
