import { chmod, chown, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { PHASE_USER, PhaseRunner } from "./harness/phase-runner.ts";
import { type Registry, startRegistry } from "./harness/registry.ts";
import { requireServer } from "./harness/require-server.ts";
import type { Outcome } from "./harness/run.ts";
import { pushSmallRunImage } from "./harness/small-run-image.ts";

const PHASES = ["analyzer", "detector", "restorer", "builder", "exporter", "creator"] as const;
const isRoot = process.getuid?.() === 0;

/** TOML whose second line is broken. */
const BROKEN = "# a comment\nkey = = 1\n";

/** A build that goes wrong. */
interface Wrong {
  /** The executable, and the arguments that come after those that every run of it gets. */
  run: [(typeof PHASES)[number], ...string[]];
  env?: Record<string, string>;
  /** Files that differ from those of a build that works: contents by path below the runner's directory. */
  files?: Record<string, string>;
  code: number;
  /** What the last line says behind `ERROR: `, with `{dir}` and `{registry}` for what differs from run to run. */
  says: string;
}

describe.runIf(requireServer("docker-registry", "skopeo"))("wrong inputs", () => {
  let runner: PhaseRunner;
  let registry: Registry;
  let runImage: string;

  beforeAll(async () => {
    registry = await startRegistry();
    runImage = await pushSmallRunImage(registry);
    runner = await PhaseRunner.create(...PHASES);
    await runner.write("app/main.txt", "main\n");
  });

  afterAll(async () => {
    await runner?.remove();
    await registry?.stop();
  });

  /** What a build that works has when a phase starts. */
  beforeEach(async () => {
    if (runner === undefined) return;
    await runner.reset();
    await runner.writeBuildpack("test/app", {
      build: 'mkdir "$1/layer"; printf "[types]\\nlaunch = true\\n" >"$1/layer.toml"',
    });
    await runner.writeOrder("test/app");
    await runner.write("group.toml", '[[group]]\nid = "test/app"\nversion = "1.0.0"\napi = "0.12"\n');
    await runner.write("plan.toml", "");
    await runner.write("analyzed.toml", `[run-image]\nreference = "${runImage}"\nimage = "${runImage}"\n`);
    await runner.write("run.toml", `[[images]]\nimage = "${runImage}"\n`);
    await runner.write("stack.toml", `[run-image]\nimage = "${runImage}"\n`);
    await runner.write("system.toml", "");
    await runner.write("project-metadata.toml", "");
    await runner.write("layers/config/metadata.toml", "");
    if (isRoot) await chown(join(runner.layersDir, "config"), PHASE_USER.uid, PHASE_USER.gid);
  });

  const file = (name: string) => join(runner.dir, name);
  const app = () => `${registry.host}/app:1`;

  const flagsOf = {
    analyzer: () => ["-layers", runner.layersDir, ...ids()],
    detector: () => [...places(), ...["-order", file("order.toml"), "-layers", runner.layersDir]],
    restorer: () => ["-layers", runner.layersDir, "-group", file("group.toml"), ...ids()],
    builder: () => [
      ...places(),
      ...["-layers", runner.layersDir, "-group", file("group.toml"), "-plan", file("plan.toml")],
    ],
    exporter: () => [
      ...["-app", runner.appDir, "-layers", runner.layersDir, "-launcher", file("launcher")],
      ...["-group", file("group.toml"), "-analyzed", file("analyzed.toml"), ...ids()],
    ],
    creator: () => runner.creatorFlags(),
  };
  const places = () => ["-app", runner.appDir, "-buildpacks", runner.buildpacksDir, "-platform", runner.platformDir];
  const ids = () => ["-uid", `${PHASE_USER.uid}`, "-gid", `${PHASE_USER.gid}`];

  const fill = (text: string) => text.replaceAll("{dir}", runner.dir).replaceAll("{registry}", registry.host);

  async function run({ run: [name, ...args], env = {}, files = {} }: Wrong): Promise<Outcome> {
    for (const [path, content] of Object.entries(files)) {
      const written = await runner.write(path, fill(content));
      if (path.includes("/bin/")) await chmod(written, 0o755);
    }
    if (isRoot && Object.keys(files).some((path) => path.startsWith("layers/"))) await giveLayersToUser();
    const filled = Object.fromEntries(Object.entries(env).map(([key, value]) => [key, fill(value)]));
    return runner.run(name, [...flagsOf[name](), "-no-color", ...args.map(fill)], filled);
  }

  async function giveLayersToUser(): Promise<void> {
    for (const name of await readdir(runner.layersDir, { recursive: true })) {
      await chown(join(runner.layersDir, name), PHASE_USER.uid, PHASE_USER.gid);
    }
  }

  /** One line behind `ERROR: `, the last one; and nothing temporary is left. */
  async function expectFailure(outcome: Outcome, wrong: Pick<Wrong, "code" | "says">): Promise<void> {
    const { code, stderr } = outcome;
    // Before the flags are read, nobody knows that colours are unwanted.
    const stdout = stripVTControlCharacters(outcome.stdout);
    const errors = stdout.split("\n").filter((line) => line.startsWith("ERROR: "));
    expect(errors.at(-1), stdout).toContain(`ERROR: ${fill(wrong.says)}`);
    expect(stdout.endsWith(`${errors.at(-1)}\n`), stdout).toBe(true);
    expect(stdout).not.toMatch(/^ +at /m);
    expect({ code, stderr }).toEqual({ code: wrong.code, stderr: "" });
    expect(await runner.leftovers()).toEqual([]);
  }

  async function tagsOf(repository: string): Promise<unknown> {
    const response = await fetch(`${registry.url}/v2/${repository}/tags/list`);
    return response.ok ? ((await response.json()) as { tags: unknown }).tags : null;
  }

  const gone = "127.0.0.1:1";

  const cases: Record<string, Wrong> = {
    "analyzer: no image": {
      run: ["analyzer"],
      code: 3,
      says: "failed to parse arguments: received 0 arguments, but expected 1",
    },
    "exporter: no image": {
      run: ["exporter"],
      code: 3,
      says: "failed to parse arguments: at least one image argument is required",
    },
    "creator: no image": {
      run: ["creator"],
      code: 3,
      says: "failed to parse arguments: received 0 arguments, but expected 1",
    },
    "restorer: an argument": {
      run: ["restorer", "argument"],
      code: 3,
      says: "failed to parse arguments: received unexpected Args",
    },
    "analyzer: images in different registries": {
      run: ["analyzer", "-run-image", "{registry}/small/run:1", "-tag", "other.example/app", "{registry}/app:1"],
      code: 3,
      says: "failed to resolve inputs: writing to multiple registries is unsupported",
    },
    "exporter: images in different registries": {
      run: ["exporter", "{registry}/app:1", "other.example/app:1"],
      code: 3,
      says: "failed to resolve inputs: writing to multiple registries is unsupported",
    },
    "creator: images in different registries": {
      run: ["creator", "-run-image", "{registry}/small/run:1", "-tag", "other.example/app", "{registry}/app:1"],
      code: 3,
      says: "failed to resolve inputs: writing to multiple registries is unsupported",
    },
    "analyzer: no image's name": {
      run: ["analyzer", "-run-image", "{registry}/small/run:1", "{registry}/UPPER CASE"],
      code: 3,
      says: "failed to resolve inputs: could not parse reference: {registry}/UPPER CASE",
    },
    "analyzer: no run image": {
      run: ["analyzer", "-run", "{dir}/no-such-file", "{registry}/app:1"],
      code: 3,
      says: "failed to resolve inputs: -run-image is required when there is no run metadata available",
    },
    "creator: a run image that is not there": {
      run: ["creator", "-run-image", "{registry}/small/run:no-such-tag", "{registry}/app:1"],
      code: 62,
      says:
        "failed to create new app image: run image '{registry}/small/run:no-such-tag' not found; " +
        "push it there, or name another with -run-image",
    },
    "exporter: a run image that is not there": {
      run: ["exporter", "{registry}/app:1"],
      files: { "analyzed.toml": '[run-image]\nreference = "{registry}/small/run:no-such-tag"\n' },
      code: 62,
      says: "failed to create new app image: run image '{registry}/small/run:no-such-tag' not found",
    },
    "exporter: no analyzed run image": {
      run: ["exporter", "{registry}/app:1"],
      files: { "analyzed.toml": "" },
      code: 3,
      says: "failed to resolve inputs: run image not found in analyzed metadata",
    },
    "exporter: no application": {
      run: ["exporter", "-app", "{dir}/no-such-directory", "{registry}/app:1"],
      code: 62,
      says: "failed to export: ",
    },
    "detector: no group passes": {
      run: ["detector"],
      files: { "buildpacks/test_app/1.0.0/bin/detect": "#!/bin/sh\nexit 100\n" },
      code: 20,
      says: "failed to detect: no buildpacks participating",
    },
    "creator: no group passes": {
      run: ["creator", "-run-image", "{registry}/small/run:1", "{registry}/app:1"],
      files: { "buildpacks/test_app/1.0.0/bin/detect": "#!/bin/sh\nexit 100\n" },
      code: 20,
      says: "failed to detect: no buildpacks participating",
    },
    "detector: a detect that errs": {
      run: ["detector"],
      files: { "buildpacks/test_app/1.0.0/bin/detect": "#!/bin/sh\nexit 1\n" },
      code: 21,
      says: "failed to detect: buildpack(s) failed with err",
    },
    "detector: a build plan that is broken": {
      run: ["detector"],
      files: { "buildpacks/test_app/1.0.0/bin/detect": '#!/bin/sh\necho "key = = 1" >"$2"\n' },
      code: 21,
      says: "failed to detect: buildpack(s) failed with err",
    },
    "builder: a build that fails": {
      run: ["builder"],
      files: { "buildpacks/test_app/1.0.0/bin/build": "#!/bin/sh\nexit 9\n" },
      code: 51,
      says: "failed to build: exit status 9",
    },
    "creator: a build that fails": {
      run: ["creator", "-run-image", "{registry}/small/run:1", "{registry}/app:1"],
      files: { "buildpacks/test_app/1.0.0/bin/build": "#!/bin/sh\nexit 9\n" },
      code: 51,
      says: "failed to build: exit status 9",
    },
    "builder: a build that is killed": {
      run: ["builder"],
      files: { "buildpacks/test_app/1.0.0/bin/build": "#!/bin/sh\nkill -KILL $$\n" },
      code: 51,
      says: "failed to build: signal: killed",
    },
    "builder: a build whose interpreter is missing": {
      run: ["builder"],
      files: { "buildpacks/test_app/1.0.0/bin/build": "#!/no/such/shell\n" },
      code: 51,
      says: "failed to build: fork/exec {dir}/buildpacks/test_app/1.0.0/bin/build: no such file or directory",
    },
    "builder: no metadata of the buildpack": {
      run: ["builder"],
      files: { "group.toml": '[[group]]\nid = "test/gone"\nversion = "1.0.0"\napi = "0.12"\n' },
      code: 52,
      says: "failed to build: open {dir}/buildpacks/test_gone/1.0.0/buildpack.toml: no such file or directory",
    },
    "builder: no group": {
      run: ["builder", "-group", "{dir}/no-such-file"],
      code: 1,
      says: "failed to read group file: open {dir}/no-such-file: no such file or directory",
    },
    "builder: no plan": {
      run: ["builder", "-plan", "{dir}/no-such-file"],
      code: 1,
      says: "failed to read plan file: open {dir}/no-such-file: no such file or directory",
    },
    "detector: no order": {
      run: ["detector", "-order", "{dir}/no-such-file"],
      code: 1,
      says:
        "failed to initialize detector: reading order: failed to read order file: " +
        "open {dir}/no-such-file: no such file or directory",
    },
    "exporter: no metadata of the build": {
      run: ["exporter", "-layers", "{dir}/no-such-directory", "{registry}/app:1"],
      code: 62,
      says:
        "failed to export: read build metadata: failed to read build metadata file: " +
        "open {dir}/no-such-directory/config/metadata.toml: no such file or directory",
    },
  };

  it.each(Object.entries(cases))("%s", async (_name, wrong) => {
    await expectFailure(await run(wrong), wrong);
    expect(await tagsOf("app")).toBe(null);
  });

  describe("a registry that cannot be reached", () => {
    it.each<[string, Wrong]>([
      [
        "analyzer: of the run image",
        {
          run: ["analyzer", "-run-image", `${gone}/run:1`, "{registry}/app:1"],
          code: 32,
          says: `failed to initialize analyzer: validating registry read access: failed to ensure registry read access to ${gone}/run:1: `,
        },
      ],
      [
        "creator: of the image",
        {
          run: ["creator", "-run-image", "{registry}/small/run:1", `${gone}/app:1`],
          code: 32,
          says: `failed to initialize analyzer: validating registry read access: failed to ensure registry read access to ${gone}/app:1: `,
        },
      ],
      [
        "exporter: of the image",
        { run: ["exporter", `${gone}/app:1`], code: 62, says: "failed to export: saving image: " },
      ],
    ])("%s", async (_name, wrong) => {
      const outcome = await run(wrong);
      await expectFailure(outcome, wrong);
      expect(outcome.stdout).toContain("ECONNREFUSED");
    });
  });

  describe("APIs", () => {
    it.each(PHASES)("%s: no Platform API, one that is none, and one that is not supported", async (name) => {
      const fails = async (api: string, says: string) => {
        const outcome = await run({ run: [name, "image"], env: { CNB_PLATFORM_API: api }, code: 11, says });
        await expectFailure(outcome, { code: 11, says });
      };
      const unset = "please set 'CNB_PLATFORM_API' to specify the desired platform API version";
      await fails("", `failed to get platform API version; ${unset}`);
      await fails("new", "failed to parse platform API 'new'");
      const says = (api: string) =>
        `failed to set platform API: platform API version '${api}' is incompatible with the lifecycle`;
      await fails("0.6", says("0.6"));
      await fails("0.99", says("0.99"));
    });

    const oldGroup = { "group.toml": '[[group]]\nid = "test/app"\nversion = "1.0.0"\napi = "0.1"\n' };
    const oldBuildpack = {
      "buildpacks/test_app/1.0.0/buildpack.toml":
        'api = "0.1"\n[buildpack]\nid = "test/app"\nname = "app"\nversion = "1.0.0"\n',
    };
    const apis: Wrong["run"][] = [
      ["detector"],
      ["restorer"],
      ["builder"],
      ["exporter", "{registry}/app:1"],
      ["creator", "-run-image", "{registry}/small/run:1", "{registry}/app:1"],
    ];
    it.each(apis)("%s: a Buildpack API that is not supported", async (...command) => {
      const wrong = {
        run: command,
        files: { ...oldGroup, ...oldBuildpack },
        code: 12,
        says:
          "failed to set API for Buildpack 'test/app@1.0.0': " +
          "buildpack API version '0.1' is incompatible with the lifecycle",
      };
      await expectFailure(await run(wrong), wrong);
    });
  });

  describe("flags", () => {
    it.each(PHASES)("%s: one that is not known, or cannot be read", async (name) => {
      for (const [flag, message] of [
        ["-no-such-flag", "flag provided but not defined: -no-such-flag"],
        ["-no-color=maybe", 'invalid boolean value "maybe" for -no-color: parse error'],
      ] as const) {
        const { code, stdout, stderr } = await runner.run(name, [flag]);
        expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
        expect(stderr.startsWith(`${message}\nUsage of`), stderr).toBe(true);
      }
    });

    it.each(PHASES)("%s: a log level that is none", async (name) => {
      const wrong: Wrong = {
        run: [name, "-log-level", "chatty"],
        code: 1,
        says: "failed to parse log level: invalid level",
      };
      await expectFailure(await run(wrong), wrong);
    });

    it("exporter: what only the analyzer may say", async () => {
      const wrong: Wrong = {
        run: ["exporter", "-run-image", "{registry}/small/run:1", "{registry}/app:1"],
        code: 3,
        says: "failed to resolve inputs: -run-image is unsupported",
      };
      await expectFailure(await run(wrong), wrong);
    });
  });

  describe("broken TOML", () => {
    const group = { "group.toml": BROKEN };
    const buildpack = "buildpacks/test_app/1.0.0";
    /** A bin/build that leaves a file broken. */
    const leaves = (name: string) => ({
      [`${buildpack}/bin/build`]: `#!/bin/bash\nprintf '${BROKEN}' >"$1/${name}"\n`,
    });
    const image = "{registry}/app:1";

    /** The file that is named, and what is said before it. */
    const inputs: Record<string, Omit<Wrong, "says"> & { file: string; says: string }> = {
      "order.toml by detector": {
        run: ["detector"],
        files: { "order.toml": BROKEN },
        file: "order.toml",
        code: 1,
        says: "failed to initialize detector: reading order: failed to read order file: ",
      },
      "system.toml by detector": {
        run: ["detector", "-system", "{dir}/system.toml"],
        env: { CNB_PLATFORM_API: "0.15" },
        files: { "system.toml": BROKEN },
        file: "system.toml",
        code: 1,
        says: "failed to initialize detector: reading system: failed to read system file: ",
      },
      "buildpack.toml by detector": {
        run: ["detector"],
        files: { [`${buildpack}/buildpack.toml`]: BROKEN },
        file: `${buildpack}/buildpack.toml`,
        code: 1,
        says: "failed to initialize detector: ",
      },
      "analyzed.toml by detector": {
        run: ["detector", "-analyzed", "{dir}/analyzed.toml"],
        files: { "analyzed.toml": BROKEN },
        file: "analyzed.toml",
        code: 1,
        says: "failed to initialize detector: failed to read analyzed file: ",
      },
      "run.toml by analyzer": {
        run: ["analyzer", "-run", "{dir}/run.toml", image],
        files: { "run.toml": BROKEN },
        file: "run.toml",
        code: 3,
        says: "failed to resolve inputs: failed to read run file: ",
      },
      "stack.toml by analyzer": {
        run: ["analyzer", "-stack", "{dir}/stack.toml", image],
        env: { CNB_PLATFORM_API: "0.11" },
        files: { "stack.toml": BROKEN },
        file: "stack.toml",
        code: 3,
        says: "failed to resolve inputs: failed to read stack file: ",
      },
      "group.toml by restorer": {
        run: ["restorer"],
        files: group,
        file: "group.toml",
        code: 1,
        says: "failed to read group file: ",
      },
      "analyzed.toml by restorer": {
        run: ["restorer", "-analyzed", "{dir}/analyzed.toml"],
        files: { "analyzed.toml": BROKEN },
        file: "analyzed.toml",
        code: 1,
        says: "failed to read analyzed file: ",
      },
      "group.toml by builder": {
        run: ["builder"],
        files: group,
        file: "group.toml",
        code: 1,
        says: "failed to read group file: ",
      },
      "plan.toml by builder": {
        run: ["builder"],
        files: { "plan.toml": BROKEN },
        file: "plan.toml",
        code: 1,
        says: "failed to read plan file: ",
      },
      "analyzed.toml by builder": {
        run: ["builder", "-analyzed", "{dir}/analyzed.toml"],
        files: { "analyzed.toml": BROKEN },
        file: "analyzed.toml",
        code: 1,
        says: "failed to read analyzed file: ",
      },
      "buildpack.toml by builder": {
        run: ["builder"],
        files: { [`${buildpack}/buildpack.toml`]: BROKEN },
        file: `${buildpack}/buildpack.toml`,
        code: 52,
        says: "failed to build: ",
      },
      "<layer>.toml by builder": {
        run: ["builder"],
        files: leaves("layer.toml"),
        file: "layers/test_app/layer.toml",
        code: 52,
        says: "failed to build: failed to process buildpack layer: failed to decode layer metadata file: ",
      },
      "launch.toml by builder": {
        run: ["builder"],
        files: leaves("launch.toml"),
        file: "layers/test_app/launch.toml",
        code: 52,
        says: "failed to build: failed to process buildpack layer: failed to decode layer metadata file: ",
      },
      "build.toml by builder": {
        run: ["builder"],
        files: leaves("build.toml"),
        file: "layers/test_app/build.toml",
        code: 52,
        says: "failed to build: failed to process buildpack layer: failed to decode layer metadata file: ",
      },
      "group.toml by exporter": {
        run: ["exporter", image],
        files: group,
        file: "group.toml",
        code: 1,
        says: "failed to read group file: ",
      },
      "analyzed.toml by exporter": {
        run: ["exporter", image],
        files: { "analyzed.toml": BROKEN },
        file: "analyzed.toml",
        code: 3,
        says: "failed to resolve inputs: failed to read analyzed file: ",
      },
      "store.toml by exporter": {
        run: ["exporter", image],
        files: { "layers/test_app/store.toml": BROKEN },
        file: "layers/test_app/store.toml",
        code: 62,
        says:
          "failed to export: reading layers for buildpack 'test/app': " +
          'failed decoding store.toml for buildpack "test/app": ',
      },
      "<layer>.toml by exporter": {
        run: ["exporter", image],
        files: { "layers/test_app/layer.toml": BROKEN },
        file: "layers/test_app/layer.toml",
        code: 62,
        says: "failed to export: failed to parse metadata for layers '[test/app:layer]': ",
      },
      "metadata.toml by exporter": {
        run: ["exporter", image],
        files: { "layers/config/metadata.toml": BROKEN },
        file: "layers/config/metadata.toml",
        code: 62,
        says: "failed to export: read build metadata: failed to read build metadata file: ",
      },
      "project-metadata.toml by exporter": {
        run: ["exporter", "-project-metadata", "{dir}/project-metadata.toml", image],
        files: { "project-metadata.toml": BROKEN },
        file: "project-metadata.toml",
        code: 1,
        says: "failed to read project metadata file: ",
      },
      "run.toml by exporter": {
        run: ["exporter", "-run", "{dir}/run.toml", image],
        files: { "run.toml": BROKEN },
        file: "run.toml",
        code: 1,
        says: "failed to read run file: ",
      },
      "launch.toml by creator": {
        run: ["creator", "-run-image", "{registry}/small/run:1", image],
        files: leaves("launch.toml"),
        file: "layers/test_app/launch.toml",
        code: 52,
        says: "failed to build: failed to process buildpack layer: failed to decode layer metadata file: ",
      },
    };

    it.each(Object.entries(inputs))("%s: file, line and column are named", async (_name, input) => {
      const outcome = await run(input);
      const says = `${input.says}{dir}/${input.file}:2:`;
      await expectFailure(outcome, { code: input.code, says });
      expect(outcome.stdout).toMatch(/:2:\d+: .+\n$/);
      expect(await tagsOf("app")).toBe(null);
    });
  });

  describe("programs of buildpacks", () => {
    it.each(["is missing", "cannot be executed"])("bin/build %s", async (kind) => {
      const program = file("buildpacks/test_app/1.0.0/bin/build");
      await (kind === "is missing" ? rm(program) : chmod(program, 0o644));
      const reason = kind === "is missing" ? "no such file or directory" : "permission denied";
      const wrong: Wrong = {
        run: ["builder"],
        code: 51,
        says: `failed to build: fork/exec ${program}: ${reason}`,
      };
      await expectFailure(await run(wrong), wrong);
    });

    it.each(["is missing", "cannot be executed"])("bin/detect %s", async (kind) => {
      const program = file("buildpacks/test_app/1.0.0/bin/detect");
      await (kind === "is missing" ? rm(program) : chmod(program, 0o644));
      const reason = kind === "is missing" ? "no such file or directory" : "permission denied";
      const wrong: Wrong = { run: ["detector"], code: 21, says: "failed to detect: buildpack(s) failed with err" };
      const outcome = await run(wrong);
      await expectFailure(outcome, wrong);
      expect(outcome.stdout).toContain(`fork/exec ${program}: ${reason}`);
    });
  });

  describe("users", () => {
    it.runIf(isRoot)("creator: a user who is not in /etc/passwd", async () => {
      const args = [...runner.creatorFlags(), "-uid", "54321", "-no-color", "-run-image", runImage, app()];
      const outcome = await runner.runAsSelf("creator", args);
      const says = "failed to set environment for user 54321: user: unknown userid 54321";
      await expectFailure(outcome, { code: 1, says });
      expect(await tagsOf("app")).toBe(null);
    });

    it.runIf(isRoot)("creator: another user's privileges", async () => {
      const wrong: Wrong = {
        run: ["creator", "-uid", "1", "-run-image", runImage, app()],
        code: 1,
        says: "failed to chown volumes: chown {dir}/layers: operation not permitted",
      };
      await expectFailure(await run(wrong), wrong);
    });

    it.runIf(isRoot).each(["detector", "builder"] as const)("%s: root", async (name) => {
      const outcome = await runner.runAsSelf(name, [...flagsOf[name](), "-no-color"]);
      const says = `failed to ${name === "detector" ? "detect" : "build"}: refusing to run as root`;
      await expectFailure(outcome, { code: 1, says });
    });
  });

  describe("directories", () => {
    /** Takes the right to write the layers directory from its owner for the time of one run. */
    async function withUnwritableLayers(wrong: Wrong): Promise<void> {
      const directories = [runner.layersDir, join(runner.layersDir, "config")];
      for (const directory of directories) await chmod(directory, 0o555);
      try {
        await expectFailure(await run(wrong), wrong);
      } finally {
        for (const directory of directories) await chmod(directory, 0o755);
      }
    }

    it.each<[string, Wrong]>([
      [
        "analyzer",
        {
          run: ["analyzer", "-run-image", "{registry}/small/run:1", "{registry}/app:1"],
          code: 1,
          says: "failed to write analyzed file: open {dir}/layers/analyzed.toml: permission denied",
        },
      ],
      [
        "detector",
        {
          run: ["detector"],
          code: 1,
          says: "failed to write group file: open {dir}/layers/group.toml: permission denied",
        },
      ],
      [
        "builder",
        { run: ["builder"], code: 52, says: "failed to build: mkdir {dir}/layers/test_app: permission denied" },
      ],
      [
        "creator",
        {
          run: ["creator", "-run-image", "{registry}/small/run:1", "{registry}/app:1"],
          code: 1,
          says: "failed to write analyzed file: open {dir}/layers/analyzed.toml: permission denied",
        },
      ],
    ])("%s: layers that cannot be written", (_name, wrong) => withUnwritableLayers(wrong));

    it("exporter: a cache that cannot be written", async () => {
      await chmod(runner.cacheDir, 0o555);
      const wrong: Wrong = {
        run: ["exporter", "-cache-dir", "{dir}/cache", "{registry}/app:1"],
        code: 1,
        says: "failed to create volume cache: cache directory '{dir}/cache': EACCES: permission denied",
      };
      await expectFailure(await run(wrong), wrong);
    });

    it.runIf(isRoot)("analyzer: layers of another user", async () => {
      await chown(runner.layersDir, 0, 0);
      const wrong: Wrong = {
        run: ["analyzer", "-run-image", "{registry}/small/run:1", "{registry}/app:1"],
        code: 1,
        says: "failed to chown volumes: chown {dir}/layers: operation not permitted; give it to user ",
      };
      await expectFailure(await run(wrong), wrong);
    });

    it("exporter: a cache directory that is not there", async () => {
      const wrong: Wrong = {
        run: ["exporter", "-cache-dir", "{dir}/no-such-directory", "{registry}/app:1"],
        code: 1,
        says: "failed to create volume cache: cache directory '{dir}/no-such-directory': ENOENT: no such file or directory",
      };
      await expectFailure(await run(wrong), wrong);
    });
  });
});
