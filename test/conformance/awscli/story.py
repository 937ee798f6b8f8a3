"""The steps of a story with the AWS CLI: story.py FILE

It calls what the program "aws" calls, in one process: starting that program
some hundred times would take minutes. The shell scripts beside this one do
start it."""

import contextlib
import io
import json
import os
import re
import sys

from awscli.clidriver import create_clidriver

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "boto3"))
from runner import Refused, Runner, snake  # noqa: E402


def kebab(name):
    return snake(name).replace("_", "-")


class AWSCLI(Runner):
    def __init__(self, file):
        super().__init__(file)
        self.drivers = {}
        for name, key in self.keys.items():
            os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"] = key["id"], key["secret"]
            driver = create_clidriver()
            driver.session.get_credentials()  # kept from now on
            self.drivers[name] = driver

    def aws(self, key, *args):
        """Runs a command line; answers the JSON it prints."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = self.drivers[key].main(list(args))
        if code != 0:
            if m := re.search(r"An error occurred \((\w+)\) when calling the \w+ operation(?: \(reached max retries: \d+\))?: (.*)", err.getvalue(), re.DOTALL):
                raise Refused(m[1], m[2].rstrip("\n"))
            raise RuntimeError(f"aws {' '.join(args)} ended with {code}: {err.getvalue()}")
        return json.loads(out.getvalue() or "{}")

    def make_bucket(self, bucket):
        self.aws("root", "s3api", "create-bucket", "--bucket", bucket, "--create-bucket-configuration", f"LocationConstraint={self.variables['region']}")

    def put(self, bucket, key, content):
        with open(key, "wb") as f:
            f.write(content)
        self.aws("root", "s3api", "put-object", "--bucket", bucket, "--key", key, "--body", key)

    def call(self, key, operation, given):
        return self.aws(key, "proton", kebab(operation), "--no-paginate",
                        "--cli-input-json", json.dumps(given))

    def wait(self, waiter, given):
        flags = [word for name, value in given.items() for word in (f"--{kebab(name)}", value)]
        self.aws("root", "proton", "wait", kebab(waiter), *flags)

    def pages(self, operation, given, size, key):
        page = ["--page-size", str(size)] if size else []
        return self.aws("root", "proton", kebab(operation), "--cli-input-json", json.dumps(given), *page)[key]


file = os.path.abspath(sys.argv[1])
os.chdir(os.path.dirname(file))
AWSCLI(file).run()
