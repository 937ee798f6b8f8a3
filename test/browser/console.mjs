// What people do at the console, in a real browser. Started by browser_test.go.
import { test as run, before, after } from "node:test";
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { mkdtempSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const base = process.env.HADRON_URL;
const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const shots = process.env.HADRON_SCREENSHOTS; // a folder, to keep pictures in
const work = mkdtempSync(join(tmpdir(), "hadron-browser-"));
const root = { id: process.env.AWS_ACCESS_KEY_ID, secret: process.env.AWS_SECRET_ACCESS_KEY };

const hadron = (...args) => execFileSync(process.env.HADRON, args, { encoding: "utf8" });
const api = (operation, input) => JSON.parse(hadron("api", operation, "--output", "json", "--input-json", JSON.stringify(input)));

// test says where each page stood if its steps fail.
const open = new Set();
const test = (name, steps) => run(name, async () => {
  open.clear();
  try {
    await steps();
  } catch (e) {
    for (const page of open) {
      const text = await page.locator("main").innerText({ timeout: 1000 }).catch((e) => e.message);
      console.log(`"${name}" failed at ${page.url()}:\n${text.slice(0, 3000)}`);
      await page.context().close();
    }
    throw e;
  }
});

let browser;
before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
});
after(() => browser?.close());

// visitor opens a page that notes what must not happen: errors on the
// browser's console, and requests to other hosts.
async function visitor(options = {}) {
  const context = await browser.newContext({ baseURL: base, viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const wrong = [];
  page.on("pageerror", (e) => wrong.push(`error: ${e.message}`));
  page.on("console", (m) => {
    if (m.type() === "error" && !(options.refused && /status of 40|ERR_CONNECTION|ERR_INCOMPLETE|net::ERR/.test(m.text()))) wrong.push(`console: ${m.text()}`);
  });
  page.on("request", (r) => {
    if (!r.url().startsWith(options.baseURL ?? base) && !r.url().startsWith(options.elsewhere ?? "data:") && !r.url().startsWith("data:")) wrong.push(`request to ${r.url()}`);
  });
  open.add(page);
  page.done = async () => {
    open.delete(page);
    await context.close();
    assert.deepEqual(wrong, []);
  };
  return page;
}

async function signIn(page, { id, secret } = root) {
  await page.goto("/console/sign-in");
  await page.getByLabel("Access key ID").fill(id);
  await page.getByLabel("Secret access key").fill(secret);
  await page.getByRole("button", { name: "Sign in" }).click();
}

async function shot(page, name) {
  if (!shots) return;
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: join(shots, name + ".png"), fullPage: true });
}

async function accessible(page, what, rules) {
  await page.evaluate(() => window.scrollTo(0, 0));
  await page.evaluate(readFileSync(axe, "utf8")); // the page's policy forbids foreign script elements, as it should
  const found = await page.evaluate((only) => window.axe.run(document, { runOnly: only, resultTypes: ["violations"] }), rules);
  const serious = found.violations.map((v) => `${what}: ${v.id}: ${v.help}: ${v.nodes.map((n) => n.target).join(", ")}`);
  assert.deepEqual(serious, []);
}

test("a wrong secret is refused, the right one leads to where one wanted to go", async () => {
  const page = await visitor({ refused: true });
  await page.goto("/console/services/hello");
  await page.getByLabel("Access key ID").fill(root.id);
  await page.getByLabel("Secret access key").fill("not-it");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").getByText("is not right").waitFor();
  await page.getByLabel("Secret access key").fill(root.secret);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "hello", exact: true }).waitFor();
  await page.done();
});

test("an environment and a service are made through forms and become active before one's eyes", async () => {
  const page = await visitor();
  await signIn(page);
  await page.goto("/console/environments/new?template=local-network");
  await page.getByLabel("Name").first().fill("staging");
  await page.getByLabel("State folder").fill(join(work, "staging"));
  await page.getByRole("button", { name: "Preview" }).click();
  await page.getByRole("heading", { name: "What would change" }).waitFor();
  await page.getByText("run 1 command to provision").waitFor();
  await accessible(page, "preview", ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]);
  await shot(page, "preview");
  assert.equal(api("list-environments", {}).environments.length, 1, "a preview makes nothing");
  await page.getByRole("button", { name: "Create environment" }).click();
  await page.getByRole("heading", { name: "staging" }).waitFor();
  await page.locator(".title .status.good").waitFor(); // without a reload

  await page.goto("/console/services/new?template=web-service");
  await page.locator("#name").fill("shop");
  await page.getByLabel("Repository").fill("acme/shop");
  await page.getByLabel("Branch").fill("main");
  await page.getByLabel("Connection ARN").fill("arn:aws:codestar-connections:us-east-1:123456789012:connection/11111111-2222-3333-4444-555555555555");
  await page.locator("#i-0-name").fill("shop-dev");
  await page.locator("#i-0-environment").selectOption("staging");
  // What is wrong is said at its field, as one types.
  const cache = page.getByLabel("Cache time");
  await cache.fill("-1");
  await cache.blur();
  await page.locator("#f-f-0-cache_seconds-problem").getByText("less than minimum 0").waitFor();
  await cache.fill("60");
  await cache.blur();
  await page.locator("#f-f-0-cache_seconds-problem").waitFor({ state: "detached" });
  // The form fills the YAML ...
  const yaml = page.locator("#spec");
  await page.waitForFunction(() => document.getElementById("spec").value.includes("cache_seconds: 60"));
  // ... and the YAML the form.
  await yaml.fill((await yaml.inputValue()).replace("cache_seconds: 60", "cache_seconds: 90\n      greeting: Hi there"));
  await yaml.blur();
  await page.waitForFunction(() => document.getElementById("f-f-0-greeting").value === "Hi there");
  assert.equal(await cache.inputValue(), "90");
  await page.getByLabel("Deploy folder").fill(join(work, "shop"));
  await page.getByRole("button", { name: "Add an instance" }).click();
  await page.locator("#i-1-name").fill("shop-prod");
  await page.locator("#i-1-environment").selectOption("staging");
  await page.locator("#i-1-name").blur();
  await page.getByText("The inputs fit the schema.").waitFor();
  await page.getByText("The same with the AWS CLI").click();
  await page.getByText("aws proton create-service").waitFor();
  // What one has opened stays open while the form is checked.
  await page.getByLabel("Description").fill("sells things");
  await page.getByLabel("Description").blur();
  await page.getByText("--description 'sells things'").waitFor();
  await shot(page, "create-service-filled");
  await page.getByRole("button", { name: "Create service" }).click();
  await page.getByRole("heading", { name: "shop", exact: true }).waitFor();
  await page.locator(".title .status.good").getByText("Active").waitFor();
  assert.equal(await page.locator(".flow .node.good").count(), 3);
  await page.getByRole("link", { name: "shop-dev", exact: true }).first().click();
  await page.getByRole("heading", { name: "Outputs" }).waitFor();
  await page.done();
});

test("a failed deployment says why, and is put right", async () => {
  const page = await visitor();
  await signIn(page);
  await page.goto("/console/services/hello/pipeline/update");
  writeFileSync(join(work, "in-the-way"), "a file, not a folder");
  await page.getByLabel("Deploy folder").fill(join(work, "in-the-way"));
  await page.getByRole("button", { name: "Update pipeline" }).click();
  await page.locator(".title .status.bad").waitFor();
  await page.locator(".problem").first().waitFor();
  await shot(page, "failed");
  await page.locator("table a[href*='/deployments/']").first().click();
  await page.locator("#log li").first().waitFor();
  await page.getByLabel("Search").fill("in-the-way");
  assert.ok((await page.locator("#log li:not([hidden])").count()) >= 1);
  await shot(page, "deployment-failed");
  await page.getByRole("heading", { name: "Timeline" }).waitFor();
  await page.getByRole("button", { name: "Try again" }).waitFor();
  await page.goto("/console/services/hello/pipeline/update");
  await page.getByLabel("Deploy folder").fill(join(work, "hello"));
  await page.getByRole("button", { name: "Update pipeline" }).click();
  await page.locator(".title .status.good").waitFor();
  await page.done();
});

test("two instances that are behind are updated together", async () => {
  const minor = api("create-service-template-version", {
    templateName: "web-service", majorVersion: "1", compatibleEnvironmentTemplates: [{ templateName: "local-network", majorVersion: "1" }],
    source: { s3: { bucket: "hadron-quickstart", key: "service-templates/web-service/v1.tar.gz" } },
  }).serviceTemplateVersion.minorVersion;
  const page = await visitor();
  await signIn(page);
  await page.goto(`/console/templates/service/web-service/1/${minor}`);
  await page.getByRole("button", { name: "Publish" }).click();
  await page.locator(".title .status.good").getByText("Published").waitFor();
  await page.goto("/console/behind");
  await page.getByLabel("Choose all").check();
  assert.ok(await page.getByLabel("Choose hello / hello-dev").isChecked());
  await page.getByLabel("At once").fill("1");
  await shot(page, "behind-chosen");
  await page.getByRole("button", { name: "Update to the newest minor version" }).click();
  await page.getByText("1 going on").waitFor();
  await accessible(page, "rollout", ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]);
  await shot(page, "rollout");
  await page.locator(".title .status.good").getByText("Done").waitFor(); // by itself, one after the other
  let posts = 0;
  page.on("request", (r) => (posts += r.method() === "POST" ? 1 : 0));
  await page.waitForTimeout(1500);
  assert.equal(posts, 0, "a page that has ended goes on asking");
  await shot(page, "rollout-ended");
  await page.goto("/console/services/hello");
  await page.waitForFunction((v) => [...document.querySelectorAll(".node.good")].filter((n) => n.textContent.includes("web-service 1." + v)).length === 2, minor);
  await page.done();
});

test("a reader is refused what a reader may not do, in the API's words", async () => {
  const policy = join(work, "reader.json");
  writeFileSync(policy, JSON.stringify({ Version: "2012-10-17", Statement: { Effect: "Allow", Action: ["proton:Get*", "proton:List*", "hadron:Get*", "hadron:List*"], Resource: "*" } }));
  const key = JSON.parse(hadron("user", "create", "reader", "--policy", policy, "--output", "json"));
  const page = await visitor({ refused: true });
  await signIn(page, { id: key.accessKeyId, secret: key.secretAccessKey });
  await page.goto("/console/environments/new?template=local-network");
  await page.getByLabel("Name").first().fill("mine");
  // To press the button leaves the field, whose check comes back with more
  // lines above the button before it is let go. It is a click all the same.
  const checked = page.waitForResponse((r) => r.request().method() === "POST");
  await page.getByRole("button", { name: "Create environment" }).hover();
  await page.mouse.down();
  await (await checked).finished();
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done))));
  await page.mouse.up();
  await page.getByRole("alert").getByText("is not authorized to perform: proton:CreateEnvironment").waitFor();
  assert.equal(await page.getByLabel("Name").first().inputValue(), "mine");
  await page.done();
});

test("a page outlives its server, and a form its session", async () => {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  const data = join(work, "restarted");
  const serve = async () => {
    const server = spawn(process.env.HADRON, ["serve", "--listen", `127.0.0.1:${port}`, "--data", data], { stdio: ["ignore", "pipe", "ignore"],
      env: { ...process.env, HADRON_ROOT_ACCESS_KEY_ID: root.id, HADRON_ROOT_SECRET_ACCESS_KEY: root.secret } });
    for await (const text of server.stdout) if (String(text).includes("Ctrl-C")) break;
    return server;
  };
  let server = await serve();
  try {
    const base = `http://127.0.0.1:${port}`;
    const other = (operation, input) => hadron("api", operation, "--endpoint-url", base, "--output", "json", "--input-json", JSON.stringify(input));
    const page = await visitor({ baseURL: base, refused: true });
    await signIn(page);
    await page.goto("/console/templates");
    other("create-service-template", { name: "before" });
    await page.getByRole("link", { name: "before" }).waitFor();
    server.kill("SIGKILL");
    await page.getByText("The connection to the server is lost").waitFor();
    await shot(page, "lost");
    server = await serve();
    await page.getByText("The connection to the server is lost").waitFor({ state: "hidden" });
    other("create-service-template", { name: "after" });
    await page.getByRole("link", { name: "after" }).waitFor(); // still signed in, and without a reload

    await page.goto("/console/components/new");
    await page.getByLabel("Name").fill("queue");
    await page.getByLabel("Template file").fill("Resources: {} # typed for long");
    await page.context().clearCookies();
    await page.getByRole("button", { name: "Create component" }).click();
    await page.getByText("what you typed is kept").waitFor();
    await shot(page, "signed-out");
    await page.getByLabel("Access key ID").fill(root.id);
    await page.getByLabel("Secret access key").fill(root.secret);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("You are signed in again").waitFor();
    assert.equal(new URL(page.url()).pathname, "/console/components/new");
    assert.equal(await page.getByLabel("Template file").inputValue(), "Resources: {} # typed for long");
    await page.done();
  } finally {
    server.kill("SIGKILL");
  }
});

test("two people edit the same, and a session ends while one types", async () => {
  const [ann, bob] = [await visitor({ refused: true }), await visitor()];
  for (const page of [ann, bob]) {
    await signIn(page);
    await page.goto("/console/services/hello/edit");
  }
  await ann.getByLabel("Description").fill("Ann's");
  await bob.getByLabel("Description").fill("Bob's");
  await bob.getByRole("button", { name: "Update service" }).click();
  await bob.getByRole("heading", { name: "hello", exact: true }).waitFor();
  await bob.done();
  await ann.getByRole("button", { name: "Update service" }).click();
  await ann.getByRole("alert").getByText("It was changed meanwhile.").waitFor();
  await accessible(ann, "changed meanwhile", ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]);
  await shot(ann, "changed-meanwhile");
  assert.equal(await ann.getByLabel("Description").inputValue(), "Ann's");
  assert.equal(api("get-service", { name: "hello" }).service.description, "Bob's");

  await ann.context().clearCookies();
  await ann.getByLabel("Description").fill("Ann's, of today");
  await ann.getByLabel("Description").blur();
  await ann.getByText("Your session has ended").waitFor();
  assert.equal(await ann.getByLabel("Description").inputValue(), "Ann's, of today");
  await ann.done();
});

test("everything can be reached by keyboard", async () => {
  const page = await visitor();
  await page.goto("/console/sign-in");
  await page.keyboard.type(root.id);
  await page.keyboard.press("Tab");
  await page.keyboard.type(root.secret);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Home" }).waitFor();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to content");
  const reached = new Set();
  for (let n = 0; n < 40; n++) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => {
      const e = document.activeElement;
      return { text: e === document.body ? "" : e.textContent.trim(), seen: getComputedStyle(e).outlineStyle !== "none" };
    });
    if (at.text) assert.ok(at.seen, `the focus on "${at.text}" cannot be seen`);
    reached.add(at.text);
  }
  for (const name of ["Services", "Environments", "Templates", "Deployments", "Sign out"]) assert.ok(reached.has(name), `${name} cannot be reached`);
  await page.done();
});

test("pages read without JavaScript, and so do the main forms", async () => {
  const page = await visitor({ javaScriptEnabled: false });
  await signIn(page);
  await page.getByRole("link", { name: "Environments" }).first().click();
  await page.getByRole("link", { name: "Create environment" }).click();
  await page.getByRole("link", { name: "local-network" }).click();
  await page.getByLabel("Name").first().fill("plain");
  await page.getByLabel("State folder").fill(join(work, "plain"));
  await page.getByRole("button", { name: "Create environment" }).click();
  await page.getByRole("heading", { name: "plain" }).waitFor();
  for (let n = 0; !(await page.locator(".title .status.good").count()); n++) {
    assert.ok(n < 100, "the environment was not deployed in time");
    await page.reload();
  }
  await page.done();
});

test("the first page is small and asks no other host", async () => {
  const page = await visitor();
  let bytes = 0;
  page.on("response", async (r) => {
    if (!r.url().includes("/live")) bytes += (await r.body().catch(() => "")).length;
  });
  await signIn(page);
  await page.getByRole("heading", { name: "Home" }).waitFor();
  await page.waitForTimeout(200);
  assert.ok(bytes > 0 && bytes < 100_000, `${bytes} bytes`);
  await page.done();
});

const pages = {
  home: "/", services: "/services", service: "/services/hello", instance: "/services/hello/instances/hello-dev", pipeline: "/services/hello/pipeline",
  form: "/services/new?template=web-service", environments: "/environments", environment: "/environments/local", templates: "/templates",
  template: "/templates/service/web-service", version: "/templates/service/web-service/1/0?file=schema/schema.yaml", deployments: "/deployments",
  behind: "/behind?show=all", pipelines: "/behind?kind=pipeline&show=all", settings: "/settings", connections: "/account-connections", components: "/components", component: "/components/new", repositories: "/repositories", audit: "/audit", access: "/access", user: "/access/users/reader",
};

test("the main pages have no accessibility problem, and good contrast in the dark too", async () => {
  const page = await visitor();
  await signIn(page);
  const deployment = `/deployments/${api("list-deployments", {}).deployments[0].id}`;
  for (const [name, path] of Object.entries({ ...pages, deployment })) {
    await page.goto("/console" + path);
    await accessible(page, name, ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]);
    await shot(page, name);
  }
  await page.emulateMedia({ colorScheme: "dark" });
  for (const [name, path] of Object.entries({ home: "/", service: pages.service, form: pages.form, deployment })) {
    await page.goto("/console" + path);
    await accessible(page, `${name} in the dark`, { type: "rule", values: ["color-contrast"] });
    await shot(page, `${name}-dark`);
  }
  await page.done();
});

test("narrow screens need no sideways scrolling", async () => {
  const page = await visitor({ viewport: { width: 390, height: 800 } });
  await signIn(page);
  const deployment = `/deployments/${api("list-deployments", {}).deployments[0].id}`;
  for (const path of ["/", "/services/hello", "/services/new?template=web-service", "/templates/service/web-service/1/0", "/behind?show=all", "/access/users/reader", deployment]) {
    await page.goto("/console" + path);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(wide <= 0, `${path} is ${wide} px too wide`);
    await shot(page, "narrow" + path.replace(/\W+/g, "-"));
  }
  await page.done();
});

test("one can sign in at an identity provider, as whom its roles trust", async () => {
  const provider = process.env.HADRON_PROVIDER;
  const host = new URL(provider).host;
  hadron("identity-provider", "create", provider, "--client-id", "hadron");
  const trust = join(work, "trust.json");
  writeFileSync(trust, JSON.stringify({ Version: "2012-10-17", Statement: {
    Effect: "Allow", Action: "sts:AssumeRoleWithWebIdentity", Principal: { Federated: `arn:aws:iam::000000000000:oidc-provider/${host}` },
    Condition: { StringLike: { [`${host}:email`]: "*@example.com" } },
  } }));
  hadron("role", "create", "acme", "--trust", trust, "--policy", "HadronReadOnlyAccess");
  const page = await visitor({ elsewhere: provider, ignoreHTTPSErrors: true, refused: true });
  await page.goto("/console/services/hello");
  await accessible(page, "sign-in with a provider", ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]);
  await page.getByRole("link", { name: "Sign in with Acme" }).click();
  await page.getByRole("link", { name: "Sign in as eve" }).click();
  await page.getByRole("alert").getByText("none of the roles for the console trusts you").waitFor();
  await page.getByRole("link", { name: "Sign in with Acme" }).click();
  await page.getByRole("link", { name: "Sign in as ann" }).click();
  await page.waitForURL("**/console/services/hello");
  await page.locator("h1").getByText("hello").waitFor();
  await page.done();
});
