"""boto3, unmodified, against a running Hadron: the variables of the
environment name the endpoint and the key, as they would for any user."""

import gzip
import hashlib
import io
import itertools
import os
import tarfile
import time
import unittest

import boto3
from botocore.exceptions import ClientError, ParamValidationError, WaiterError

# Versions before mid-2023 do not read AWS_ENDPOINT_URL themselves.
OLD = {"endpoint_url": os.environ["AWS_ENDPOINT_URL"]} if tuple(map(int, boto3.__version__.split(".")[:2])) < (1, 28) else {}
REGIONS = itertools.count(1)
FAST = {"Delay": 0.1, "MaxAttempts": 600}
CONNECTION = "arn:aws:codestar-connections:eu-west-1:111122223333:connection/0f0e0d0c-1111-2222-3333-444455556666"

ENVIRONMENT_SCHEMA = """schema:
  format: {openapi: "3.0.0"}
  environment_input_type: In
  types:
    In:
      type: object
      properties:
        size: {type: string, enum: [small, large], default: small}
"""
SERVICE_SCHEMA = """schema:
  format: {openapi: "3.0.0"}
  service_input_type: In
  pipeline_input_type: Pipe
  types:
    In:
      type: object
      required: [port]
      properties:
        port: {type: number, minimum: 1}
    Pipe:
      type: object
      properties:
        dockerfile: {type: string, default: Dockerfile}
"""


def manifest(provision, deprovision="true"):
    return f"""infrastructure:
  templates:
    - rendering_engine: codebuild
      settings:
        image: any
        provision:
          - {provision}
        deprovision:
          - {deprovision}
"""


def bundle(files):
    """Packs path: text into the bytes of a .tar.gz."""
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb") as z, tarfile.open(fileobj=z, mode="w") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


class Case(unittest.TestCase):
    """A test in a Region of its own, so that what tests make does not meet."""

    def setUp(self):
        self.region = f"eu-boto-{next(REGIONS)}"
        self.proton = boto3.client("proton", region_name=self.region, **OLD)
        self.s3 = boto3.client("s3", region_name=self.region, **OLD)

    def arn(self, resource):
        return f"arn:aws:proton:{self.region}:123456789012:{resource}"

    def refused(self, code, message, call, **arguments):
        with self.assertRaises(ClientError) as caught:
            call(**arguments)
        error = caught.exception.response["Error"]
        self.assertEqual((error["Code"], error["Message"]), (code, message))


class Story(Case):
    def source(self, key, files):
        self.s3.put_object(Bucket="boto-bundles", Key=key, Body=bundle(files))
        return {"s3": {"bucket": "boto-bundles", "key": key}}

    def make_templates(self):
        p = self.proton
        self.s3.create_bucket(Bucket="boto-bundles", CreateBucketConfiguration={"LocationConstraint": self.region})
        p.create_environment_template(name="vpc")
        version = p.create_environment_template_version(
            templateName="vpc",
            source=self.source("vpc.tar.gz", {
                "schema/schema.yaml": ENVIRONMENT_SCHEMA,
                "infrastructure/manifest.yaml": manifest("""'echo "{\\"VpcId\\": \\"vpc-1\\"}" > proton-outputs.json'"""),
            }),
        )["environmentTemplateVersion"]
        self.assertEqual((version["majorVersion"], version["minorVersion"], version["status"]), ("1", "0", "REGISTRATION_IN_PROGRESS"))
        of = {"templateName": "vpc", "majorVersion": "1", "minorVersion": "0"}
        p.get_waiter("environment_template_version_registered").wait(**of, WaiterConfig=FAST)
        p.update_environment_template_version(**of, status="PUBLISHED")
        p.create_service_template(name="web", tags=[{"key": "owner", "value": "platform"}])
        p.create_service_template_version(
            templateName="web",
            compatibleEnvironmentTemplates=[{"templateName": "vpc", "majorVersion": "1"}],
            source=self.source("web.tar.gz", {
                "schema/schema.yaml": SERVICE_SCHEMA,
                "instance_infrastructure/manifest.yaml": manifest(
                    "aws proton notify-resource-deployment-status-change --resource-arn $RESOURCE_ARN --status IN_PROGRESS"
                    " --outputs key=Url,valueString=http://${RESOURCE_ARN##*/}"),
                "pipeline_infrastructure/manifest.yaml": manifest("test -s proton-inputs.json"),
            }),
        )
        of["templateName"] = "web"
        p.get_waiter("service_template_version_registered").wait(**of, WaiterConfig=FAST)
        p.update_service_template_version(**of, status="PUBLISHED")

    def test_service_from_template_to_gone(self):
        p = self.proton
        self.make_templates()
        p.create_environment(name="dev", templateName="vpc", templateMajorVersion="1", spec="proton: EnvironmentSpec\nspec: {size: large}\n")
        p.get_waiter("environment_deployed").wait(name="dev", WaiterConfig=FAST)
        self.assertEqual(p.list_environment_outputs(environmentName="dev")["outputs"], [{"key": "VpcId", "valueString": "vpc-1"}])
        request = {
            "name": "orders", "templateName": "web", "templateMajorVersion": "1", "description": "Takes orders",
            "repositoryConnectionArn": CONNECTION, "repositoryId": "acme/orders", "branchName": "main",
            "tags": [{"key": "team", "value": "shop"}],
            "spec": "proton: ServiceSpec\npipeline: {dockerfile: D}\ninstances:\n"
                    "- {name: one, environment: dev, spec: {port: 80}}\n- {name: two, environment: dev, spec: {port: 81}}\n",
        }
        service = p.create_service(**request)["service"]
        self.assertEqual(service["status"], "CREATE_IN_PROGRESS")
        self.assertEqual(service["arn"], self.arn("service/orders"))
        for key in set(request) - {"tags", "templateMajorVersion"}:
            self.assertEqual(service[key], request[key], key)
        for name in "one", "two":
            p.get_waiter("service_instance_deployed").wait(serviceName="orders", name=name, WaiterConfig=FAST)
        p.get_waiter("service_pipeline_deployed").wait(name="orders", WaiterConfig=FAST)
        p.get_waiter("service_created").wait(name="orders", WaiterConfig=FAST)
        p.get_waiter("service_updated").wait(name="orders", WaiterConfig=FAST)  # also means: active
        # The stock AWS CLI in the job has reported this.
        self.assertEqual(
            p.list_service_instance_outputs(serviceName="orders", serviceInstanceName="two")["outputs"],
            [{"key": "Url", "valueString": "http://two"}])
        self.assertEqual(p.create_service(**request)["service"]["status"], "ACTIVE")
        self.refused("ValidationException", "Idempotent parameter mismatch", p.create_service, **(request | {"description": "other"}))
        self.check_paginators()
        self.refused(
            "ConflictException",
            f"Environment {self.arn('environment/dev')} can't be deleted because it has service instances: "
            f"[{self.arn('service/orders/service-instance/one')}, {self.arn('service/orders/service-instance/two')}]",
            p.delete_environment, name="dev")
        p.delete_service(name="orders")
        p.get_waiter("service_deleted").wait(name="orders", WaiterConfig=FAST)
        p.delete_environment(name="dev")
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                p.get_environment(name="dev")
            except p.exceptions.ResourceNotFoundException:
                break
            time.sleep(0.1)
        else:
            self.fail("the environment is still there")
        for kind in "environment", "service":
            name = {"environment": "vpc", "service": "web"}[kind]
            getattr(p, f"delete_{kind}_template_version")(templateName=name, majorVersion="1", minorVersion="0")
            getattr(p, f"delete_{kind}_template")(name=name)
            self.assertEqual(getattr(p, f"list_{kind}_templates")()["templates"], [])

    def check_paginators(self):
        p = self.proton
        p.create_service_template(name="other")
        p.create_environment_template(name="another")
        for operation, key, arguments, want in (
            ("list_environment_templates", "templates", {}, ["another", "vpc"]),
            ("list_service_templates", "templates", {}, ["other", "web"]),
            ("list_environments", "environments", {}, ["dev"]),
            ("list_services", "services", {}, ["orders"]),
            ("list_service_instances", "serviceInstances", {}, ["one", "two"]),
            ("list_service_instances", "serviceInstances", {"serviceName": "orders", "sortOrder": "DESCENDING"}, ["two", "one"]),
        ):
            pages = p.get_paginator(operation).paginate(**arguments, PaginationConfig={"PageSize": 1})
            self.assertEqual([item["name"] for page in pages for item in page[key]], want, operation)
        if not OLD:  # it was added later
            pages = p.get_paginator("list_deployments").paginate(PaginationConfig={"PageSize": 2})
            self.assertEqual(sum(len(page["deployments"]) for page in pages), 4)
        versions = p.get_paginator("list_service_template_versions").paginate(templateName="web", PaginationConfig={"PageSize": 1})
        self.assertEqual([v["minorVersion"] for page in versions for v in page["templateVersions"]], ["0"])
        tags = p.get_paginator("list_tags_for_resource").paginate(
            resourceArn=self.arn("service/orders/service-instance/one"), PaginationConfig={"PageSize": 2})
        keys = [tag["key"] for page in tags for tag in page["tags"]]
        self.assertEqual(keys, ["aws:proton:account", "aws:proton:template", "aws:proton:environment",
                                "aws:proton:service", "aws:proton:service-instance", "team"])
        for operation in "list_environment_outputs", "list_environment_provisioned_resources":
            list(p.get_paginator(operation).paginate(environmentName="dev"))
        p.delete_service_template(name="other")
        p.delete_environment_template(name="another")


class Refusals(Case):
    def test_modelled_exceptions_have_classes(self):
        p = self.proton
        with self.assertRaises(p.exceptions.ResourceNotFoundException) as caught:
            p.get_service(name="nope")
        response = caught.exception.response
        self.assertEqual(response["Error"]["Message"], f"The requested service does not exist: {self.arn('service/nope')}")
        self.assertEqual(response["ResponseMetadata"]["HTTPStatusCode"], 400)
        self.assertRegex(response["ResponseMetadata"]["RequestId"], "^[0-9a-f-]{36}$")
        with self.assertRaises(p.exceptions.ValidationException):
            p.create_service_template(name="not.a.name")
        p.create_service_template(name="web")
        p.update_service_template(name="web", description="changed")
        with self.assertRaises(p.exceptions.ConflictException):
            p.create_service_template(name="web")
        with self.assertRaises(ParamValidationError):  # the client's own, nothing is sent
            p.create_service(name="x")

    def test_signature(self):
        wrong = boto3.client("proton", region_name=self.region, aws_secret_access_key="wrong", aws_access_key_id="AKIACONFORMANCE00002", **OLD)
        with self.assertRaises(ClientError) as caught:
            wrong.list_services()
        self.assertEqual(caught.exception.response["Error"]["Code"], "InvalidSignatureException")
        nobody = boto3.client("proton", region_name=self.region, aws_secret_access_key="x", aws_access_key_id="AKIANOBODY0000000001", **OLD)
        with self.assertRaises(ClientError) as caught:
            nobody.list_services()
        self.assertEqual(caught.exception.response["Error"]["Code"], "UnrecognizedClientException")

    def test_waiter_on_failure(self):
        p = self.proton
        p.create_environment_template(name="vpc")
        p.create_environment_template_version(templateName="vpc", source={"s3": {"bucket": "no-such-bucket", "key": "k"}})
        with self.assertRaises(WaiterError):
            p.get_waiter("environment_template_version_registered").wait(
                templateName="vpc", majorVersion="1", minorVersion="0", WaiterConfig=FAST)


class Buckets(Case):
    def test_objects(self):
        s3, bucket = self.s3, "boto-objects"
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": self.region})
        self.assertIn(bucket, [b["Name"] for b in s3.list_buckets()["Buckets"]])
        s3.head_bucket(Bucket=bucket)
        for key in "a.txt", "dir/ä b+c.txt", "dir/sub/d.txt", "z.txt":
            s3.put_object(Bucket=bucket, Key=key, Body=key.encode(), ContentType="text/plain", Metadata={"about": "x"})
        got = s3.get_object(Bucket=bucket, Key="dir/ä b+c.txt")
        self.assertEqual(got["Body"].read(), "dir/ä b+c.txt".encode())
        self.assertEqual((got["ContentType"], got["Metadata"]), ("text/plain", {"about": "x"}))
        part = s3.get_object(Bucket=bucket, Key="a.txt", Range="bytes=2-4")
        self.assertEqual((part["Body"].read(), part["ContentRange"]), (b"txt", "bytes 2-4/5"))
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 2})
        self.assertEqual([o["Key"] for page in pages for o in page.get("Contents", [])], ["a.txt", "dir/sub/d.txt", "dir/ä b+c.txt", "z.txt"])
        top = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
        self.assertEqual([o["Key"] for o in top["Contents"]], ["a.txt", "z.txt"])
        self.assertEqual([p["Prefix"] for p in top["CommonPrefixes"]], ["dir/"])
        s3.copy_object(Bucket=bucket, Key="copy.txt", CopySource={"Bucket": bucket, "Key": "a.txt"})
        self.assertEqual(s3.head_object(Bucket=bucket, Key="copy.txt")["ContentLength"], 5)
        with self.assertRaises(s3.exceptions.NoSuchKey):
            s3.get_object(Bucket=bucket, Key="nothing")
        with self.assertRaises(ClientError) as caught:
            s3.delete_bucket(Bucket=bucket)
        self.assertEqual(caught.exception.response["Error"]["Code"], "BucketNotEmpty")
        keys = [{"Key": o["Key"]} for o in s3.list_objects_v2(Bucket=bucket)["Contents"]]
        self.assertEqual(len(s3.delete_objects(Bucket=bucket, Delete={"Objects": keys})["Deleted"]), 5)
        s3.delete_bucket(Bucket=bucket)
        with self.assertRaises(s3.exceptions.NoSuchBucket):
            s3.list_objects_v2(Bucket=bucket)

    def test_multipart(self):
        s3, bucket = self.s3, "boto-multipart"
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": self.region})
        content = bytes(range(256)) * 4096 * 12  # 12 MiB: the transfer manager sends it in parts
        s3.upload_fileobj(io.BytesIO(content), bucket, "large")
        out = io.BytesIO()
        s3.download_fileobj(bucket, "large", out)
        self.assertEqual(out.getvalue(), content)
        # A tag without "-" is taken for the MD5 sum of the content by clients.
        tag = s3.head_object(Bucket=bucket, Key="large")["ETag"].strip('"')
        self.assertTrue(tag.endswith("-2") or tag == hashlib.md5(content).hexdigest(), tag)
        upload = s3.create_multipart_upload(Bucket=bucket, Key="given-up")["UploadId"]
        s3.upload_part(Bucket=bucket, Key="given-up", UploadId=upload, PartNumber=1, Body=b"x")
        s3.abort_multipart_upload(Bucket=bucket, Key="given-up", UploadId=upload)
        self.assertEqual([o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]], ["large"])

    def test_presigned(self):
        import urllib.request
        s3, bucket = self.s3, "boto-presigned"
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": self.region})
        s3.put_object(Bucket=bucket, Key="k", Body=b"hello")
        with urllib.request.urlopen(s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})) as answer:
            self.assertEqual(answer.read(), b"hello")


if __name__ == "__main__":
    unittest.main()
