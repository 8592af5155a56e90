// Builds a sample application into an image, with no Docker and no registry of images, starts it and asks it for a page.
// With --extensions it is one whose image extensions install packages in the build image and in the run image.
// Everything lies in dist/demo/; what was made there once, and did not change, is used again.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, chown, cp, mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { createServer as createWebServer } from "node:http";
import { createServer } from "node:net";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { SetupError } from "../../packages/setup/report.mjs";
import { makeDebianStack } from "../stack/debian.mjs";
import { writeNpmrcBinding } from "../stack/npmrc.mjs";
import { MOUNT_POINTS, NETWORK_FILES, USER } from "../stack/root.mjs";
import { makeStack } from "../stack/stack.mjs";
import { readArguments } from "./arguments.mjs";
import { readImage } from "./image.mjs";
import { checkSandbox, sandboxed } from "./sandbox.mjs";
import { unpackImage } from "./unpack.mjs";

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
const SAMPLES = join(REPOSITORY, "images/samples");
const HOME = join(REPOSITORY, "dist/demo");
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const RUN_IMAGE = "localhost/samples/run";
/** Milliseconds until the application has to answer. */
const PATIENCE = 20_000;

/**
 * What is built: its order, what is mounted beside the buildpacks, and `stack`, which gives the run image in OCI layout
 * and the build image's root file system.
 */
const SAMPLES_BUILT = {
  express: {
    order: "/cnb/buildpacks/order.toml",
    what: "a build image and a run image, from Debian packages",
    mounts: {},
    stack: () => makeStack(join(REPOSITORY, "dist/stack")),
  },
  lua: {
    order: "/cnb/extensions/order.toml",
    what: "a build image and a run image, a minimal Debian with apt",
    mounts: { "cnb/extensions": join(SAMPLES, "extensions") },
    stack: makeExtendableStack,
  },
};

/**
 * @param {string} lifecycle a directory with creator and launcher
 * @param {keyof typeof SAMPLES_BUILT} app
 * @throws SetupError, one line, when the machine lacks something or the build fails
 */
async function demo(lifecycle, app) {
  if (!existsSync(join(lifecycle, "creator"))) {
    throw new SetupError(`${relative(REPOSITORY, lifecycle)} holds no creator: npm run build makes it`);
  }
  checkSandbox();
  const sample = SAMPLES_BUILT[app];
  say(`the stack: ${sample.what}`);
  const stack = await sample.stack();

  const layout = join(HOME, "images", "localhost/samples", app, "latest");
  const known = new Set(existsSync(layout) ? (await readImage(layout)).layers.map(({ digest }) => digest) : []);
  say(`the build: creator turns images/samples/apps/${app} into an image`);
  const started = performance.now();
  await build(lifecycle, stack, app);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);

  say("the run: the image's launcher in its own root file system");
  const { digest, config, layers } = await readImage(layout);
  const answer = await ask(await rootOf(layout, digest), config);

  const rows = layers.map(({ digest, size, createdBy }) => {
    return `  ${digest}  ${`${size}`.padStart(10)} B  ${known.has(digest) ? "reused" : "new   "}  ${createdBy.slice(0, 80)}`;
  });
  console.log(
    [
      "",
      `answer   ${answer}`,
      `image    ${digest}`,
      "layers",
      ...rows,
      `lies in  ${relative(REPOSITORY, layout)} (OCI layout)`,
      `build    ${seconds} s, ${layers.filter(({ digest }) => known.has(digest)).length} of ${layers.length} layers reused`,
    ].join("\n"),
  );
}

/** Runs creator in the build image, as a platform would. */
async function build(lifecycle, stack, app) {
  const directory = join(HOME, "build");
  await rm(directory, { recursive: true, force: true });
  const own = {};
  for (const name of ["workspace", "layers", "platform", "tmp", "home"]) own[name] = join(directory, name);
  own.cache = join(HOME, "cache", app);
  own.images = join(HOME, "images");
  for (const path of Object.values(own)) await mkdir(path, { recursive: true });
  await cp(stack.run, join(own.images, RUN_IMAGE, "latest"), { recursive: true });
  const source = join(SAMPLES, "apps", app);
  await cp(source, own.workspace, { recursive: true, filter: (path) => path !== join(source, "node_modules") });
  await writeNpmrcBinding(join(own.platform, "bindings/npmrc"), "/platform/bindings/npmrc");
  const documents = await serve({ author: "the demo", text: "fetched when the image was built" });
  await mkdir(join(own.platform, "env"));
  await writeFile(join(own.platform, "env/BP_FETCH_URL"), documents.url);
  await giveTo(USER, directory, own.images);
  await chmod(own.tmp, 0o1777);

  const { tmp, home, ...mounts } = own;
  const [program, args] = sandboxed(
    stack.build,
    {
      mounts: {
        ...mounts,
        tmp,
        "home/cnb": home,
        "cnb/lifecycle": lifecycle,
        "cnb/buildpacks": join(SAMPLES, "buildpacks"),
        ...SAMPLES_BUILT[app].mounts,
        "etc/hosts": "/etc/hosts",
        "etc/resolv.conf": "/etc/resolv.conf",
      },
      user: USER,
      privileged: true,
    },
    [
      "/cnb/lifecycle/creator",
      ...["-app", "/workspace", "-layers", "/layers", "-platform", "/platform", "-cache-dir", "/cache"],
      ...["-buildpacks", "/cnb/buildpacks", "-order", SAMPLES_BUILT[app].order],
      ...["-layout", "-layout-dir", "/images", "-run-image", RUN_IMAGE, `localhost/samples/${app}`],
    ],
  );
  const proxies = Object.entries(process.env).filter(([name]) => /^(https?|no)_proxy$/i.test(name));
  const env = {
    ...Object.fromEntries(proxies),
    PATH,
    HOME: "/home/cnb",
    CNB_PLATFORM_API: "0.15",
    CNB_EXPERIMENTAL_MODE: "quiet",
    CNB_USER_ID: `${USER.uid}`,
    CNB_GROUP_ID: `${USER.gid}`,
  };
  try {
    const creator = spawn(program, args, { env, stdio: "inherit" });
    const [code, signal] = await once(creator, "close");
    if (code !== 0) throw new SetupError(`creator failed with ${signal ?? `exit code ${code}`}; its output says why`);
  } finally {
    documents.close();
    // It may hold the user's credentials.
    await rm(own.platform, { recursive: true, force: true });
  }
}

/** A Debian whose build image is new each time, since extensions change it. */
async function makeExtendableStack() {
  const { run, build: layout } = await makeDebianStack(join(REPOSITORY, "dist/debian-stack"));
  const build = join(HOME, "build-root");
  await rm(build, { recursive: true, force: true });
  await unpackImage(layout, build);
  for (const name of [...MOUNT_POINTS, "cnb/extensions", "home/cnb"])
    await mkdir(join(build, name), { recursive: true });
  for (const name of NETWORK_FILES) await writeFile(join(build, name), "");
  return { run, build };
}

/** Serves a JSON document on this machine. */
async function serve(document) {
  const server = createWebServer((_, response) => response.end(JSON.stringify(document))).listen(0, "127.0.0.1");
  await once(server, "listening");
  return { url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() };
}

/** The root file system of an image, unpacked unless it lies there already. */
async function rootOf(layout, digest) {
  const roots = join(HOME, "roots");
  const root = join(roots, digest.replace(":", "-"));
  if (existsSync(root)) return root;
  await rm(roots, { recursive: true, force: true });
  await unpackImage(layout, `${root}.part`);
  await rename(`${root}.part`, root);
  return root;
}

/** Starts an image, asks its application for a page, and stops it. */
async function ask(root, config) {
  const port = await freePort();
  const [program, args] = sandboxed(root, { user: USER }, [...config.Entrypoint, ...(config.Cmd ?? [])]);
  const env = Object.fromEntries(
    config.Env.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
  const app = spawn(program, args, { env: { ...env, PORT: `${port}` }, stdio: ["ignore", "inherit", "inherit"] });
  const ended = once(app, "close");
  const url = `http://127.0.0.1:${port}/`;
  try {
    const deadline = Date.now() + PATIENCE;
    while (app.exitCode === null && app.signalCode === null && Date.now() < deadline) {
      const response = await fetch(url, { signal: AbortSignal.timeout(PATIENCE) }).catch(() => undefined);
      if (response?.ok === false) throw new SetupError(`the application answered with status ${response.status}`);
      if (response !== undefined) return `${response.status} ${(await response.text()).trim()}`;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new SetupError(
      app.exitCode === null
        ? `the application did not answer at ${url} within ${PATIENCE / 1000} s`
        : `the application ended with exit code ${app.exitCode}; its output says why`,
    );
  } finally {
    app.kill("SIGTERM");
    await ended;
  }
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** As root: makes directories and what they hold belong to the user of the build. */
async function giveTo({ uid, gid }, ...paths) {
  if (process.getuid() !== 0) return;
  for (const path of paths) {
    await chown(path, uid, gid);
    for (const entry of await readdir(path, { recursive: true })) await chown(join(path, entry), uid, gid);
  }
}

function say(line) {
  console.log(`demo: ${line}`);
}

try {
  const { lifecycle = join(REPOSITORY, "dist/linux-amd64/lifecycle"), extensions } = readArguments(
    process.argv.slice(2),
  );
  await demo(lifecycle, extensions ? "lua" : "express");
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`demo: ${error.message}`);
  process.exitCode = 1;
}
