import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LocalDaemon, startDaemon } from "./harness/local-daemon.ts";
import { PHASE_USER, PhaseRunner } from "./harness/phase-runner.ts";
import { type Registry, type RegistryOptions, startRegistry } from "./harness/registry.ts";
import { requireServer } from "./harness/require-server.ts";
import { mustRun, type Outcome } from "./harness/run.ts";
import { writeScratchImage } from "./harness/scratch-image.ts";
import { copyImage, type InspectedImage, inspectImage } from "./harness/skopeo.ts";
import { unpackImage } from "./harness/umoci.ts";

const canRun = requireServer("docker-registry", "skopeo", "umoci", "openssl");

const LABELS = {
  "io.buildpacks.stack.id": "small",
  "io.buildpacks.base.distro.name": "small",
  "io.buildpacks.base.distro.version": "1",
};

interface RunImage {
  name: string;
  /** What its layers hold, one file each, lowest first. */
  files: string[];
  labels?: Record<string, string>;
  architecture?: string;
}

/** Makes a run image for `put` to put somewhere, of an OCI layout. */
async function makeRunImage(
  { files, labels, architecture }: RunImage,
  put: (layout: string) => Promise<unknown>,
): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), "run-image-"));
  try {
    const layers = files.map((file) => join(work, "layers", file));
    for (const [index, layer] of layers.entries()) {
      await mkdir(join(layer, "etc"), { recursive: true });
      await writeFile(join(layer, "etc", files[index] ?? ""), "from the run image\n");
    }
    await writeScratchImage(join(work, "image"), {
      layers,
      config: { User: "1000:1000", Env: ["PATH=/bin"], Labels: { ...LABELS, ...labels } },
      ...(architecture && { architecture }),
    });
    await put(`oci:${join(work, "image")}`);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Puts a run image into a registry; returns its whole name. */
async function pushRunImage(registry: Registry, runImage: RunImage): Promise<string> {
  const image = `${registry.host}/${runImage.name}`;
  await makeRunImage(runImage, (layout) => copyImage(layout, `docker://${image}`, { to: registry }));
  return image;
}

const OLD = { name: "base/run:1", files: ["common", "old"] };
const NEW = { name: "base/run:1", files: ["common", "new", "newer"], labels: { "io.buildpacks.base.id": "new" } };

let runner: PhaseRunner;
let report: string;

beforeAll(async () => {
  if (!canRun) return;
  runner = await PhaseRunner.create("creator", "rebaser");
  report = join(runner.layersDir, "report.toml");
  await runner.writeBuildpack("test/app", {});
  await runner.writeOrder("test/app");
  await runner.write("app/main.txt", "main\n");
});

afterAll(() => runner?.remove());

/** Reads the registry's certificate, whose directory the phases' user may not pass through. */
const trust = async ({ ca }: Registry): Promise<Record<string, string>> =>
  ca === undefined ? {} : { SSL_CERT_FILE: await runner.write("ca.crt", readFileSync(ca, "utf8")) };

/** Runs an executable with the registry's credentials. */
async function phase(
  name: string,
  registry: Registry,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Outcome> {
  const access = { CNB_REGISTRY_AUTH: registry.registryAuth(), ...(await trust(registry)) };
  return runner.run(name, ["-no-color", ...args], { ...access, ...env });
}

/** Builds an app image on a run image, which it knows with its mirrors. */
async function build(registry: Registry, image: string, runImage: string, mirrors: string[] = [], api = "0.13") {
  await runner.reset();
  const known = `image = "${runImage}"\nmirrors = ${JSON.stringify(mirrors)}\n`;
  const files =
    Number(api.slice(2)) < 12
      ? ["-stack", await runner.write("stack.toml", `[run-image]\n${known}`)]
      : ["-run", await runner.write("run.toml", `[[images]]\n${known}`)];
  const args = [...runner.creatorFlags(), ...files, "-run-image", runImage, image];
  expect(await phase("creator", registry, args, { CNB_PLATFORM_API: api })).toMatchObject({ code: 0, stderr: "" });
}

function rebase(registry: Registry, args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
  const user = ["-uid", `${PHASE_USER.uid}`, "-gid", `${PHASE_USER.gid}`];
  return phase("rebaser", registry, [...user, "-report", report, ...args], env);
}

const diffIdsOf = ({ config }: InspectedImage) => config.rootfs.diff_ids;

/** The requests that a registry got since a length of its log. */
const requestsSince = (registry: Registry, mark: number) =>
  registry
    .log()
    .slice(mark)
    .split("\n")
    .flatMap((line) => /"([A-Z]+ \S+) HTTP\S+" (\d+)/.exec(line)?.slice(1, 3).join(" ") ?? []);

describe.runIf(canRun)("a rebase", () => {
  const kinds: [string, RegistryOptions][] = [
    ["open to all", {}],
    ["with a private authority and a password", { tls: true, auth: "basic" }],
    ["with tokens", { auth: "token" }],
  ];

  it.each(kinds)("in a registry %s moves no layers", async (_name, options) => {
    const registry = await startRegistry(options);
    try {
      const image = `${registry.host}/team/app:1`;
      const location = `docker://${image}`;
      const runImage = await pushRunImage(registry, OLD);
      await build(registry, image, runImage);
      const before = await inspectImage(location, registry);
      await pushRunImage(registry, NEW);
      const newRunImage = await inspectImage(`docker://${runImage}`, registry);

      let mark = registry.log().length;
      const outcome = await rebase(registry, [image]);
      expect(outcome, outcome.stdout).toMatchObject({ code: 0, stderr: "" });
      const after = await inspectImage(location, registry);
      expect(outcome.stdout).toBe(`Saving ${image}...\n*** Images (${after.digest}):\n      ${image}\n`);
      expect(readFileSync(report, "utf8")).toMatch(
        new RegExp(`^\\[image\\]\n  tags = \\["${image}"\\]\n  digest = "${after.digest}"\n  manifest-size = \\d+\n$`),
      );

      const appLayers = diffIdsOf(before).slice(OLD.files.length);
      expect(diffIdsOf(after)).toEqual([...diffIdsOf(newRunImage), ...appLayers]);
      expect(after.manifest.layers.slice(0, NEW.files.length)).toEqual(newRunImage.manifest.layers);
      expect(after.manifest.layers.slice(NEW.files.length)).toEqual(before.manifest.layers.slice(OLD.files.length));
      expect(after.manifest).toMatchObject({ mediaType: before.manifest.mediaType });
      const { Labels: labels = {}, ...config } = after.config.config;
      const { Labels: labelsBefore = {}, ...configBefore } = before.config.config;
      expect(config).toEqual(configBefore);
      const metadata = JSON.parse(labels["io.buildpacks.lifecycle.metadata"] ?? "");
      expect(metadata).toEqual({
        ...JSON.parse(labelsBefore["io.buildpacks.lifecycle.metadata"] ?? ""),
        runImage: {
          topLayer: diffIdsOf(newRunImage).at(-1),
          reference: `${registry.host}/base/run@${newRunImage.digest}`,
          image: runImage,
        },
      });
      expect(labels).toMatchObject({ ...NEW.labels, "io.buildpacks.build.metadata": expect.any(String) });

      const requests = requestsSince(registry, mark);
      const count = (pattern: RegExp) => requests.filter((request) => pattern.test(request)).length;
      // The one layer that the repository has stays where it is, and so does the config of the run image.
      expect(count(/^POST .*mount=.* 201$/)).toBe(NEW.files.length - 1);
      expect(count(/^PATCH /)).toBe(1);
      const layers = new Set([...after.manifest.layers, ...before.manifest.layers].map(({ digest }) => digest));
      const read = requests.filter((request) => request.startsWith("GET ")).map((request) => request.split(/[ /]/));
      expect(read.flat().filter((part) => layers.has(part))).toEqual([]);

      const root = await unpackImage(location, join(runner.dir, `unpacked-${_name.replaceAll(" ", "-")}`), registry);
      for (const file of NEW.files) expect(readFileSync(join(root, "etc", file), "utf8")).toBe("from the run image\n");
      expect(() => readFileSync(join(root, "etc/old"))).toThrow("ENOENT");
      expect(readFileSync(join(root, runner.appDir, "main.txt"), "utf8")).toBe("main\n");

      mark = registry.log().length;
      expect(await rebase(registry, [image])).toMatchObject({ code: 0 });
      expect(requestsSince(registry, mark).filter((request) => /^(POST|PATCH|PUT) /.test(request))).toEqual([]);
    } finally {
      await registry.stop();
    }
  });
});

describe.runIf(canRun)("rebaser", () => {
  let registry: Registry;
  let image: string;
  let before: InspectedImage;
  const named = (name: string) => `${registry.host}/${name}`;
  const inspect = (name: string) => inspectImage(`docker://${name}`, registry);

  beforeAll(async () => {
    registry = await startRegistry();
    image = named("team/app:1");
    const runImage = await pushRunImage(registry, OLD);
    await build(registry, image, runImage, [named("mirror/run:1")]);
    before = await inspect(image);
    await pushRunImage(registry, { ...NEW, name: "mirror/run:1" });
    await pushRunImage(registry, { ...NEW, name: "other/run:1" });
    await pushRunImage(registry, { ...NEW, name: "other/arm:1", architecture: "arm64" });
    await pushRunImage(registry, { ...NEW, name: "other/stack:1", labels: { "io.buildpacks.stack.id": "other" } });
  });

  afterAll(() => registry?.stop());

  it("leaves the image that -previous-image names, and writes all others", async () => {
    const outputs = ["team/rebased:1", "team/app:rebased", "elsewhere/app:1"].map(named);
    const args = ["-previous-image", image, "-run-image", named("mirror/run:1"), ...outputs];
    expect(await rebase(registry, args)).toMatchObject({ code: 0 });
    const digests = await Promise.all(outputs.map(async (output) => (await inspect(output)).digest));
    expect(new Set(digests).size).toBe(1);
    expect(readFileSync(report, "utf8")).toContain(`  tags = ${JSON.stringify(outputs).replaceAll(",", ", ")}\n`);
    expect((await inspect(image)).digest).toBe(before.digest);
  });

  it("takes over the layers of a run image from another registry", async () => {
    const far = await startRegistry();
    try {
      const runImage = await pushRunImage(far, { name: "far/run:1", files: ["far"] });
      const args = ["-force", "-previous-image", image, "-run-image", runImage, named("far/app:1")];
      expect(await rebase(registry, args)).toMatchObject({ code: 0 });
    } finally {
      await far.stop();
    }
    const root = await unpackImage(`docker://${named("far/app:1")}`, join(runner.dir, "unpacked-far"), registry);
    expect(readFileSync(join(root, "etc/far"), "utf8")).toBe("from the run image\n");
  });

  it("takes -image for -run-image", async () => {
    const args = ["-previous-image", image, "-image", named("mirror/run:1"), named("deprecated/app:1")];
    expect(await rebase(registry, args)).toMatchObject({ code: 0 });
    expect(diffIdsOf(await inspect(named("deprecated/app:1")))).toEqual(
      expect.arrayContaining(diffIdsOf(await inspect(named("mirror/run:1")))),
    );
  });

  it("takes its images from the environment", async () => {
    const rebased = named("environment/app:1");
    const env = { CNB_PREVIOUS_IMAGE: image, CNB_RUN_IMAGE: named("mirror/run:1"), CNB_USE_LAYOUT: "true" };
    expect(await rebase(registry, [rebased], env)).toMatchObject({ code: 0 });
    expect(diffIdsOf(await inspect(rebased)).slice(0, 3)).toEqual(diffIdsOf(await inspect(named("mirror/run:1"))));
  });

  it("finds the mirror of its run image that is in its own registry", async () => {
    const rebased = named("mirrored/app:1");
    const far = await startRegistry();
    try {
      const runImage = await pushRunImage(far, OLD);
      await build(registry, rebased, runImage, ["localhost:1/run:1", named("mirror/run:1")]);
    } finally {
      await far.stop();
    }
    expect(await rebase(registry, [rebased])).toMatchObject({ code: 0 });
    expect(diffIdsOf(await inspect(rebased)).slice(0, 3)).toEqual(diffIdsOf(await inspect(named("mirror/run:1"))));
  });

  it("asks for -force before it does what may be unsafe", async () => {
    const rebased = named("forced/app:1");
    await copyImage(`docker://${image}`, `docker://${rebased}`, { from: registry, to: registry });
    const refusals = {
      "other/run:1":
        /^ERROR: failed to rebase: rebase app image: new base image '\S+' not found in existing run image /,
      "other/arm:1":
        /^ERROR: failed to rebase: unable to satisfy target os\/arch constraints; new run image: {"id":"new","os":/,
    };
    for (const [runImage, reason] of Object.entries(refusals)) {
      const { code, stdout } = await rebase(registry, ["-run-image", named(runImage), rebased]);
      expect(stdout).toMatch(reason);
      expect(stdout).toMatch(/; please provide -force to override\n$/);
      expect(code).toBe(72);
      expect((await inspect(rebased)).digest).toBe(before.digest);
    }
    const args = ["-run-image", named("other/arm:1"), rebased];
    const forced = await rebase(registry, args, { CNB_FORCE_REBASE: "true" });
    expect(forced.stdout).toMatch(/^Warning: unable to satisfy .*\nWarning: rebase app image: new base image /);
    expect(forced.code).toBe(0);
    const after = await inspect(rebased);
    expect(after.config.architecture).toBe("arm64");
    const metadata = JSON.parse(after.config.config.Labels?.["io.buildpacks.lifecycle.metadata"] ?? "");
    expect(metadata.runImage).toMatchObject({ image: named("other/arm:1") });
    expect(metadata.stack).toEqual({ runImage: { image: named("other/arm:1") } });
  });

  it("compares stacks of an image that was built before there were targets", async () => {
    const old = named("old/app:1");
    await build(registry, old, named("base/run:1"), [], "0.11");
    const { digest } = await inspect(old);
    for (const api of ["0.7", "0.13"]) {
      const args = ["-run-image", named("other/stack:1"), old];
      const { code, stdout } = await rebase(registry, args, { CNB_PLATFORM_API: api, CNB_FORCE_REBASE: "true" });
      expect(stdout).toBe("ERROR: failed to rebase: incompatible stack: 'other' is not compatible with 'small'\n");
      expect(code).toBe(72);
    }
    expect((await inspect(old)).digest).toBe(digest);
    const outcome = await rebase(registry, ["-run-image", named("other/arm:1"), old], { CNB_PLATFORM_API: "0.7" });
    expect(outcome).toMatchObject({ code: 0, stdout: expect.not.stringContaining("Warning") });
    const { config } = await inspect(old);
    // Before Platform API 0.12 these labels were not known.
    expect(config.config.Labels).not.toHaveProperty("io.buildpacks.base.id");
  });

  it.each<[string, () => string[], string, number, string]>([
    ["no image", () => [], "0.13", 3, "failed to parse arguments: at least one image argument is required"],
    [
      "two run images",
      () => ["-run-image", "a", "-image", "b", image],
      "0.13",
      3,
      "failed to resolve inputs: supply only one of -run-image or (deprecated) -image",
    ],
    [
      "images in two registries",
      () => [image, "registry.example.com/app:1"],
      "0.13",
      3,
      "failed to resolve inputs: writing to multiple registries is unsupported",
    ],
    [
      "an app image that is not there",
      () => [named("no/app:1")],
      "0.13",
      72,
      "failed to set app image: failed to access image to rebase: image '",
    ],
    [
      "an app image without metadata",
      () => [named("base/run:1")],
      "0.13",
      72,
      "failed to set app image: failed to parse arguments: -run-image is required when there is no run image metadata",
    ],
    [
      "a run image that is not there",
      () => ["-run-image", named("no/run:1"), image],
      "0.13",
      1,
      "failed to access run image: image '",
    ],
  ])("refuses %s", async (_, args, api, code, message) => {
    const outcome = await rebase(registry, args(), { CNB_PLATFORM_API: api });
    expect(outcome.stdout).toContain(`ERROR: ${message}`);
    expect(outcome).toMatchObject({ code, stderr: "" });
    expect((await inspect(image)).digest).toBe(before.digest);
  });

  it.each([
    ["-previous-image", "0.10"],
    ["-force", "0.11"],
    ["-insecure-registry", "0.12"],
  ])("has no flag %s at Platform API %s", async (flag, api) => {
    const { code, stderr } = await rebase(registry, [flag, image], { CNB_PLATFORM_API: api });
    expect(stderr).toContain(`flag provided but not defined: ${flag}\nUsage of lifecycle:\n`);
    expect(code).toBe(2);
  });

  it.runIf(process.getuid?.() === 0)("gives up root's rights before it writes", async () => {
    const args = ["-uid", `${PHASE_USER.uid}`, "-gid", `${PHASE_USER.gid}`, "-report", join(runner.dir, "report.toml")];
    const rebased = [...args, "-previous-image", image, "-run-image", named("mirror/run:1"), named("as-root/app:1")];
    const outcome = await runner.runAsSelf("rebaser", ["-no-color", ...rebased]);
    expect(outcome.stdout).toContain("ERROR: failed to write rebase report: failed to write report file: open ");
    expect(outcome.code).toBe(72);
  });
});

describe.runIf(canRun && requireServer("dockerd", "podman")).each(["docker", "podman"] as const)("%s", (kind) => {
  let daemon: LocalDaemon;
  let work: string;

  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), "rebase-"));
    daemon = await startDaemon(kind);
  });

  afterAll(async () => {
    await daemon?.stop();
    if (work !== undefined) await rm(work, { recursive: true, force: true });
  });

  async function load(runImage: RunImage): Promise<void> {
    const archive = join(await mkdtemp(join(work, "archive-")), "image.tar");
    const target = `docker-archive:${archive}:${runImage.name}`;
    await makeRunImage(runImage, (layout) =>
      mustRun("skopeo", ["copy", "--quiet", "--insecure-policy", layout, target]),
    );
    await daemon.run("load", "--quiet", "--input", archive);
  }

  interface Inspected {
    Id: string;
    RootFS: { Layers: string[] };
    Config: { Env: string[]; User: string; Entrypoint: string[]; Labels: Record<string, string> };
  }

  async function inspect(image: string): Promise<Inspected> {
    const [inspected]: Inspected[] = JSON.parse(await daemon.run("image", "inspect", image));
    if (inspected === undefined) throw new Error(`no image ${image}`);
    return inspected;
  }

  /** As root, who alone may use the socket; what is written belongs to the phases' user. */
  const asRoot = (name: string, args: string[]) =>
    runner.runAsSelf(name, ["-no-color", "-daemon", ...args], { DOCKER_HOST: `unix://${daemon.socket}` });

  it("gives an image its new run image, under each name", async () => {
    await load(OLD);
    await runner.reset();
    const run = await runner.write("run.toml", `[[images]]\nimage = "${OLD.name}"\n`);
    const built = await asRoot("creator", [...runner.creatorFlags(), "-run", run, "team/app:1"]);
    expect(built, built.stdout).toMatchObject({ code: 0 });
    const before = await inspect("team/app:1");
    await load(NEW);
    const runImage = await inspect(NEW.name);

    const user = ["-uid", `${PHASE_USER.uid}`, "-gid", `${PHASE_USER.gid}`, "-report", report];
    const outcome = await asRoot("rebaser", [...user, "team/app:1", "team/app:2"]);
    expect(outcome, outcome.stdout).toMatchObject({ code: 0, stderr: "" });
    const after = await inspect("team/app:1");
    const id = after.Id.replace("sha256:", "");
    expect(outcome.stdout).toContain(`*** Images (${id.slice(0, 12)}):\n      team/app:1\n      team/app:2\n`);
    expect(readFileSync(report, "utf8")).toContain(`  image-id = "${id}"\n`);
    expect((await inspect("team/app:2")).Id).toBe(after.Id);
    expect(after.RootFS.Layers).toEqual([...runImage.RootFS.Layers, ...before.RootFS.Layers.slice(OLD.files.length)]);
    const { Labels: labels, ...config } = after.Config;
    expect({ ...before.Config, Labels: labels }).toEqual({ ...config, Labels: labels });
    expect(labels).toMatchObject(NEW.labels);
    expect(JSON.parse(labels["io.buildpacks.lifecycle.metadata"] ?? "").runImage).toEqual({
      topLayer: runImage.RootFS.Layers.at(-1),
      reference: runImage.Id.replace("sha256:", ""),
      image: NEW.name,
    });

    const container = (await daemon.run("create", "team/app:2")).trim();
    for (const path of ["/etc/newer", `${runner.appDir}/main.txt`]) {
      await daemon.run("cp", `${container}:${path}`, join(work, "copied"));
      expect(readFileSync(join(work, "copied"), "utf8")).toMatch(/^from the run image\n$|^main\n$/);
    }
    await daemon.run("rm", container);
  });

  it("says which image is not there", async () => {
    const missing = await asRoot("rebaser", ["no/app:1"]);
    expect(missing.stdout).toContain("failed to set app image: failed to access image to rebase: image 'no/app:1' not");
    expect(missing.code).toBe(72);
    await load(OLD);
    const noRunImage = await asRoot("rebaser", ["-run-image", "no/run:1", OLD.name]);
    expect(noRunImage.stdout).toContain("failed to access run image: image 'no/run:1' not found");
    expect(noRunImage.code).toBe(1);
  });
});
