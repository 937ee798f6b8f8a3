"""The steps of a story with boto3: story.py FILE"""

import os
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from runner import Refused, Runner, snake


class Boto3(Runner):
    def __init__(self, file):
        super().__init__(file)
        config = Config(retries={"total_max_attempts": 1})
        self.clients = {
            name: boto3.client("proton", config=config, **key) for name, key in (
                (name, {"aws_access_key_id": key["id"], "aws_secret_access_key": key["secret"]}) for name, key in self.keys.items())
        }
        self.s3 = boto3.client("s3")

    def make_bucket(self, bucket):
        self.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": os.environ["AWS_REGION"]})

    def put(self, bucket, key, content):
        self.s3.put_object(Bucket=bucket, Key=key, Body=content)

    def call(self, key, operation, given):
        try:
            return getattr(self.clients[key], snake(operation))(**given)
        except ClientError as e:
            raise Refused(e.response["Error"]["Code"], e.response["Error"]["Message"]) from None

    def wait(self, waiter, given):
        self.clients["root"].get_waiter(snake(waiter)).wait(**given, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})

    def pages(self, operation, given, size, key):
        config = {"PageSize": size} if size else {}
        return [item for page in self.clients["root"].get_paginator(snake(operation)).paginate(**given, PaginationConfig=config) for item in page[key]]


Boto3(sys.argv[1]).run()
