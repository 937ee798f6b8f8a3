// The steps of a story (see package story) with the AWS SDK for JavaScript v3:
// story.mjs FILE. What it uses is installed in .tools by the project's script.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";

const require = createRequire(process.env.JAVASCRIPT_SDK + "/");
const proton = require("@aws-sdk/client-proton");
const { S3Client, CreateBucketCommand, PutObjectCommand } = require("@aws-sdk/client-s3");

const { keys, variables, steps } = JSON.parse(await readFile(process.argv[2], "utf8"));
const clients = Object.fromEntries(
  Object.entries(keys).map(([name, key]) => [
    name,
    new proton.ProtonClient({ credentials: { accessKeyId: key.id, secretAccessKey: key.secret }, maxAttempts: 1 }),
  ]),
);
const s3 = new S3Client({ forcePathStyle: true });
const client = clients.root;

function fill(value) {
  if (typeof value === "string") return value.replace(/\$\{(\w+)\}/g, (_, name) => variables[name]);
  if (Array.isArray(value)) return value.map(fill);
  if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, fill(v)]));
  return value;
}

// differs says what of want is not in got.
function differs(want, got, path) {
  if (want && typeof want === "object") {
    if (!got || typeof got !== "object" || (Array.isArray(want) && want.length !== got.length)) {
      return `${path} is ${JSON.stringify(got)}, want ${JSON.stringify(want)}`;
    }
    for (const key of Object.keys(want)) {
      const problem = differs(want[key], got[key], `${path}.${key}`);
      if (problem) return problem;
    }
    return null;
  }
  return want === got ? null : `${path} is ${JSON.stringify(got)}, want ${JSON.stringify(want)}`;
}

// attempt calls once and says what is wrong with the outcome.
async function attempt(step, input) {
  const Command = proton[(step.call ?? step.until) + "Command"];
  let out;
  try {
    out = await clients[step.as ?? "root"].send(new Command(input));
  } catch (e) {
    if (e.name !== step.refused) return `${e.name}: ${e.message}`;
    // A modelled exception has a class of its own.
    if (!(e instanceof (proton[e.name] ?? Error)) || e.$metadata.httpStatusCode !== 400) return `${e.name} with ${e.$metadata.httpStatusCode}`;
    return step.message && e.message !== fill(step.message) ? `refused with ${e.message}` : null;
  }
  if (step.refused) return "it was not refused";
  for (const [name, path] of Object.entries(step.save ?? {})) {
    variables[name] = path.split(".").reduce((value, key) => value[key], out);
  }
  return differs(fill(step.want ?? {}), out, "answer");
}

async function perform(step) {
  const input = fill(step.in ?? {});
  if (step.put) {
    await s3.send(new PutObjectCommand({ Bucket: variables.bucket, Key: step.put, Body: Buffer.from(step.content, "base64") }));
  } else if (step.wait) {
    const wait = proton[`waitUntil${step.wait}`];
    let failed = false;
    try {
      await wait({ client, maxWaitTime: 60, minDelay: 1, maxDelay: 1 }, input);
    } catch (e) {
      if (!step.fails) throw e;
      failed = true;
    }
    if (step.fails && !failed) throw new Error("the waiter did not fail");
  } else if (step.pages) {
    const got = [];
    const paginate = proton[`paginate${step.pages}`];
    for await (const page of paginate({ client, pageSize: step.size || undefined }, input)) {
      got.push(...page[step.key].map((item) => item[step.name]));
    }
    const problem = differs(step.want, got, "names");
    if (problem) throw new Error(problem);
  } else {
    const deadline = Date.now() + (step.until ? 60_000 : 0);
    for (let problem; (problem = await attempt(step, input)); await sleep(30)) {
      if (Date.now() > deadline) throw new Error(problem);
    }
  }
}

await s3.send(new CreateBucketCommand({ Bucket: variables.bucket, CreateBucketConfiguration: { LocationConstraint: process.env.AWS_REGION } }));
for (const step of steps) {
  try {
    await perform(step);
  } catch (e) {
    console.error(JSON.stringify({ ...step, content: undefined }) + "\n" + e.stack);
    process.exit(1);
  }
}
