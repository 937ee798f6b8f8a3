// The three calls of the Backstage plugin, as it makes them: a client that
// knows a Region, has a user agent of its own and no endpoint; CreateService
// by the scaffolder; GetService and all pages of ListServiceInstances by the
// entity card.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";

const require = createRequire(process.env.JAVASCRIPT_SDK + "/");
const { ProtonClient, CreateServiceCommand, GetServiceCommand, ListServiceInstancesCommand } = require("@aws-sdk/client-proton");

const scaffolder = new ProtonClient({ region: process.env.AWS_REGION, customUserAgent: "aws-proton-plugin-for-backstage" });
const created = await scaffolder.send(
  new CreateServiceCommand({
    name: "orders",
    templateName: "web",
    templateMajorVersion: "1",
    repositoryId: "acme/orders",
    repositoryConnectionArn: `arn:aws:codestar-connections:${process.env.AWS_REGION}:123456789012:connection/0f0e0d0c-1111-2222-3333-444455556666`,
    branchName: "main",
    spec: "proton: ServiceSpec\npipeline: {}\ninstances:\n- {name: one, environment: dev}\n- {name: two, environment: dev}\n",
  }),
);
const arn = created.service.arn; // what the catalog annotation holds
assert.match(arn, /^arn:aws:proton:[^:]+:\d{12}:service\/orders$/);

// The card takes Region and name from the annotation.
const [, , , region, , resource] = arn.split(":");
const name = resource.split("/")[1];
const card = new ProtonClient({ region, customUserAgent: "aws-proton-plugin-for-backstage" });
let service;
for (let n = 0; n < 300 && service?.status !== "ACTIVE"; n++) {
  await sleep(100);
  ({ service } = await card.send(new GetServiceCommand({ name })));
}
assert.equal(service.status, "ACTIVE");
assert.equal(service.templateName, "web");
assert.equal(service.pipeline.deploymentStatus, "SUCCEEDED");
assert.equal(`${service.pipeline.templateMajorVersion}.${service.pipeline.templateMinorVersion}`, "1.0");
assert.ok(service.pipeline.lastDeploymentSucceededAt instanceof Date);

const instances = [];
let nextToken;
do {
  const page = await card.send(new ListServiceInstancesCommand({ serviceName: name, nextToken }));
  instances.push(...page.serviceInstances);
  nextToken = page.nextToken;
} while (nextToken);
assert.deepEqual(
  instances.map((i) => [i.name, i.environmentName, i.templateMajorVersion, i.templateMinorVersion, i.deploymentStatus, i.lastDeploymentSucceededAt instanceof Date]),
  [
    ["one", "dev", "1", "0", "SUCCEEDED", true],
    ["two", "dev", "1", "0", "SUCCEEDED", true],
  ],
);
