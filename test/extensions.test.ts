import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startContainer } from "./harness/containers.ts";
import { type BuildSource, type ExtensionBuild, ExtensionBuilder, sampleApp } from "./harness/extension-builder.ts";
import { type FileServer, startFileServer } from "./harness/file-server.ts";
import { requireServer } from "./harness/require-server.ts";
import { mustRun, type Outcome, run } from "./harness/run.ts";
import { giveToBuildUser } from "./harness/sample-builder.ts";
import { copyImage, type InspectedImage, inspectImage } from "./harness/skopeo.ts";
import { unpackImage } from "./harness/umoci.ts";

const DOCUMENT = '{"name": "a document", "author": "nobody"}';
/** What samples/fetch makes of it. */
const FIELDS = "author: nobody\nname: a document\n";

/** What the RUN instructions of the extension test/counts ask for. */
const COUNTED = ["/build/first", "/build/second", "/run/first"];

/** Ways from an application's source to an image of the daemon's. */
const WAYS = ["the phases one by one", "creator", "creator with a daemon", "creator with a layout"] as const;
type Way = (typeof WAYS)[number];

/** One thing that image extensions are for. */
interface Scenario {
  source: () => BuildSource;
  /** The run image that the application's stands on. */
  runImage: () => string;
  /** Extensions whose layers are in the run image, in order. */
  extended: readonly string[];
  /** What the label io.buildpacks.rebasable says; there is none unless the run image was extended. */
  rebasable?: string;
  /** Whether a daemon's and a layout's images are given the layers that creator made for a registry's. */
  sharing: boolean;
  /** What the image shows, given its name in the daemon. */
  effect: (image: string) => Promise<void>;
}

const canRun = requireServer("dockerd", "docker-registry", "skopeo", "umoci", "debootstrap");

/** What this machine's processes were started as, containers' included: a line each, arguments apart by spaces. */
async function commandLines(): Promise<string> {
  const processes = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  // One that ends meanwhile has none any more.
  const read = (pid: string) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  return (await Promise.all(processes.map(read))).join("\n").replaceAll("\0", " ");
}

describe.runIf(canRun)("image extensions", () => {
  let builder: ExtensionBuilder;
  let server: FileServer;

  beforeAll(async () => {
    server = await startFileServer();
    server.files.set("/document", DOCUMENT);
    for (const name of COUNTED) server.files.set(name, name);
    builder = await ExtensionBuilder.create();
  });

  afterAll(async () => {
    await builder?.remove();
    await server?.stop();
  });

  const fetching = () => ({ BP_FETCH_URL: `${server.url}/document` });

  const scenarios: Record<string, Scenario> = {
    "switch the run image": {
      source: () => ({
        files: { Procfile: "web: cat /etc/run-image" },
        env: { BP_RUN_IMAGE: builder.otherRunImage },
      }),
      runImage: () => builder.otherRunImage,
      extended: [],
      sharing: false,
      effect: async (image) => expect(await builder.outputOf(image)).toBe("other\n"),
    },
    "install what a buildpack needs": {
      source: () => ({
        files: {
          Procfile: 'web: bash -c "cat $FETCHED_FILE; ! command -v curl"',
          "Aptfile.build": "curl lua5.4 lua-cjson",
        },
        env: fetching(),
      }),
      runImage: () => builder.runImage,
      extended: [],
      sharing: true,
      effect: async (image) => expect(await builder.outputOf(image)).toBe(FIELDS),
    },
    "install what the application needs": {
      source: () => ({ app: sampleApp("lua"), env: fetching() }),
      runImage: () => builder.runImage,
      extended: ["samples/apt"],
      rebasable: "true",
      sharing: false,
      effect: async (image) => {
        expect(JSON.parse(await builder.answerOf(image))).toEqual({
          greeting: "Hello from Lua 5.4",
          fetched: FIELDS,
        });
      },
    },
    "do all that with the application's own Dockerfiles": {
      source: () => ({
        app: sampleApp("dockerfiles"),
        env: { ...fetching(), BP_RUN_IMAGE: builder.otherRunImage },
      }),
      runImage: () => builder.otherRunImage,
      extended: ["samples/dockerfiles"],
      rebasable: "false",
      sharing: true,
      effect: async (image) => {
        const greeting = "Hello from a Dockerfile";
        expect(JSON.parse(await builder.answerOf(image))).toEqual({ greeting, fetched: FIELDS });
        expect(await builder.outputOf(image, { flags: ["--entrypoint=/cnb/process/motd"] })).toBe(
          'The image\'s own "message"\n',
        );
      },
    },
  };

  /** Builds an image in one of the ways, and has it in the daemon and as others read it. */
  async function build(
    way: Way,
    name: string,
    source: BuildSource,
  ): Promise<{ loaded: string; found: InspectedImage; kaniko: string | undefined }> {
    const image = builder.name(name);
    await using files = await builder.start(source);
    const create = async (flags: string[], options = {}) => {
      const { code, stdout, stderr } = await files.creator(image, flags, options);
      expect(code, stdout + stderr).toBe(0);
    };
    if (way === "creator with a daemon") {
      for (const run of [builder.runImage, builder.otherRunImage]) await builder.load(run, run);
      await create(["-daemon"], { mounts: { "/var/run/docker.sock": builder.daemon.socket } });
      const copy = `oci:${join(files.volumes.work, "image")}`;
      await mustRun("skopeo", [
        "copy",
        "--quiet",
        "--insecure-policy",
        `--src-daemon-host=${builder.daemon.host}`,
        `docker-daemon:${image}`,
        copy,
      ]);
      return { loaded: image, found: await inspectImage(copy), kaniko: files.kaniko };
    }
    if (way === "creator with a layout") {
      // skopeo takes no colon, as before a port, in a directory's name
      const { work } = files.volumes;
      const place = (reference: string) => join(work, "layout", reference.replace(/:1$/, "/1"));
      for (const run of [builder.runImage, builder.otherRunImage]) {
        await copyImage(`docker://${run}`, `oci:${join(work, "run")}`, { from: builder.registry });
        await cp(join(work, "run"), place(run), { recursive: true });
        await rm(join(work, "run"), { recursive: true });
      }
      await giveToBuildUser(join(work, "layout"));
      await create(["-layout", "-layout-dir", "/files/layout"]);
      await cp(place(image), join(work, "image"), { recursive: true });
      const loaded = await builder.loadFrom(`oci:${join(work, "image")}`);
      return { loaded, found: await inspectImage(`oci:${join(work, "image")}`), kaniko: files.kaniko };
    }
    if (way === "creator") await create([]);
    else await files.phases(image);
    const found = await inspectImage(`docker://${image}`, builder.registry);
    return { loaded: await builder.load(image), found, kaniko: files.kaniko };
  }

  describe.each(Object.entries(scenarios))(
    "that %s",
    (scenario, { source, runImage, extended, rebasable, effect, sharing }) => {
      const built = new Map<Way, InspectedImage>();
      let kaniko: string | undefined;

      it.each(WAYS)("work with %s", async (way) => {
        const { loaded, found, ...kept } = await build(way, nameOf(scenario, way), { ...source(), kaniko });
        built.set(way, found);
        if (way === "creator" && sharing) kaniko = kept.kaniko;
        await effect(loaded);

        const run = await inspectImage(`docker://${runImage()}`, builder.registry);
        const { config, history = [], rootfs } = found.config;
        const below = run.config.rootfs.diff_ids.length;
        expect(rootfs.diff_ids.slice(0, below)).toEqual(run.config.rootfs.diff_ids);
        expect(found.manifest.layers).toHaveLength(rootfs.diff_ids.length);
        expect(history.filter((entry) => entry.empty_layer !== true)).toHaveLength(rootfs.diff_ids.length);
        const extensions = rootfs.diff_ids.flatMap((_, index) => byExtension(found, index) ?? []);
        expect([...new Set(extensions)]).toEqual(extended);
        expect(config.User).toBe("1000:1000");
        expect(config.Labels?.["io.buildpacks.rebasable"]).toBe(rebasable);
        const { runImage: metadata } = JSON.parse(config.Labels?.["io.buildpacks.lifecycle.metadata"] ?? "");
        // what a rebase exchanges ends with the run image's own layers, unless nothing above may be kept
        expect(metadata.topLayer).toBe(run.config.rootfs.diff_ids.at(-1));

        const [inspected] = JSON.parse(await builder.daemon.docker("image", "inspect", loaded));
        expect(inspected.RootFS.Layers).toEqual(rootfs.diff_ids);
        expect(inspected.Config).toMatchObject({ User: config.User, Env: config.Env, Labels: config.Labels });
      });

      it("make the same layers in all these ways", () => {
        const layersOf = (way: Way) => built.get(way)?.config.rootfs.diff_ids ?? [];
        const expected = layersOf("creator");
        expect(expected).not.toEqual([]);
        for (const way of ["creator with a daemon", "creator with a layout"] as const) {
          expect(layersOf(way), way).toEqual(expected);
        }
        // What a RUN opens for writing and leaves as it was is a change where nobody knows what it was: in a container.
        const phases = layersOf("the phases one by one");
        expect(phases).toHaveLength(expected.length);
        for (const [index, layer] of expected.entries()) {
          if (byExtension(built.get("creator"), index) === undefined) expect(phases[index]).toBe(layer);
        }
      });
    },
  );

  // The images are those that were built above.
  describe("a rebase onto a newer run image", () => {
    it("keeps what an extension installed", async () => {
      const image = builder.name(nameOf("install what the application needs", "the phases one by one"));
      const before = await inspectImage(`docker://${image}`, builder.registry);
      await using files = await builder.start({});
      await files.run(["rebaser", "-run-image", builder.newerRunImage, image], { env: builder.auth });
      const { config } = await inspectImage(`docker://${image}`, builder.registry);
      const older = await inspectImage(`docker://${builder.runImage}`, builder.registry);
      const newer = await inspectImage(`docker://${builder.newerRunImage}`, builder.registry);
      const kept = before.config.rootfs.diff_ids.slice(older.config.rootfs.diff_ids.length);
      expect(config.rootfs.diff_ids).toEqual([...newer.config.rootfs.diff_ids, ...kept]);
      const loaded = await builder.load(image);
      const said = await builder.outputOf(loaded, { flags: ["--entrypoint=cat"], command: ["/etc/run-image"] });
      expect(said).toBe("newer\n");
      await scenarios["install what the application needs"]?.effect(loaded);
    });

    it("is refused when an extension does not say that it may be done", async () => {
      const image = builder.name(nameOf("do all that with the application's own Dockerfiles", "creator"));
      await using files = await builder.start({});
      const command = ["rebaser", "-run-image", builder.newerRunImage, image];
      const { code, stdout } = await files.try(command, { env: builder.auth });
      expect(stdout).toContain("app image is not marked as rebasable");
      expect(code).not.toBe(0);
    });
  });

  it.each([
    ["the phases one by one", "a kaniko directory"],
    ["creator", "a kaniko directory"],
    ["creator", "a cache directory"],
  ] as const)("a second build of the same runs nothing and uploads nothing: %s with %s", async (way, kept) => {
    const name = nameOf(way, kept);
    const image = builder.name(name);
    const source: BuildSource = {
      files: { Procfile: 'web: cat "$FETCHED_FILE"', "Aptfile.build": "curl lua5.4 lua-cjson", Aptfile: "curl" },
      env: { ...fetching(), BP_COUNTER_URL: server.url },
      extensions: ["counts"],
      ...(kept === "a cache directory" && { kaniko: false }),
    };
    const buildOnce = async (files: ExtensionBuild) => {
      if (way === "creator") expect(await files.creator(image), files.output).toMatchObject({ code: 0 });
      else await files.phases(image);
      const runs = server.requests.filter((path) => COUNTED.includes(path)).sort();
      const uploads = builder.registry.log().split(`"PUT /v2/samples/${name}/blobs/uploads`).length - 1;
      return { runs, uploads, digest: (await inspectImage(`docker://${image}`, builder.registry)).digest };
    };
    server.requests.length = 0;
    await using first = await builder.start(source);
    const once = await buildOnce(first);
    expect(once.runs).toEqual(COUNTED);
    expect(once.uploads).toBeGreaterThan(0);
    const { cache } = first.volumes;
    await using second = await builder.start({ ...source, cache, kaniko: first.kaniko ?? false });
    expect(await buildOnce(second)).toEqual(once);
  });

  describe("what goes wrong", () => {
    type Kind = "build" | "run";
    const WAYS_TO_EXTEND = ["extender", "creator"] as const;
    const EACH = WAYS_TO_EXTEND.flatMap((way) => [[way, "build"] as const, [way, "run"] as const]);

    /** Starts the build of an application with one Dockerfile, and its context. */
    function withDockerfile(
      kind: Kind,
      lines: readonly string[],
      context: Record<string, string | Buffer> = {},
    ): Promise<ExtensionBuild> {
      const dockerfile = ["ARG base_image", `FROM \${base_image}`, ...lines, ""].join("\n");
      const placed = Object.entries(context).map(([path, content]) => [`dockerfiles/context/${path}`, content]);
      const files = { Procfile: "web: true", [`dockerfiles/${kind}.Dockerfile`]: dockerfile };
      return builder.start({ files: { ...files, ...Object.fromEntries(placed) } });
    }

    async function extend(files: ExtensionBuild, way: (typeof WAYS_TO_EXTEND)[number], kind: Kind): Promise<Outcome> {
      const image = builder.name(nameOf("wrong", way, kind));
      if (way === "creator") return files.creator(image);
      await files.prepare(image);
      return files.extend(kind, { env: builder.auth });
    }

    it.each(EACH)("a RUN that fails shows what it wrote and where it stands: %s, %s image", async (way, kind) => {
      await using files = await withDockerfile(kind, ["USER root", "# a comment", 'RUN echo "just"" before"; exit 7']);
      const { code, stdout } = await extend(files, way, kind);
      expect(stdout).toMatch(/^just before$/m);
      expect(stdout).toMatch(
        new RegExp(`^ERROR: .*/samples_dockerfiles/${kind}.Dockerfile:5: .*RUN echo .*exit status 7; `, "m"),
      );
      expect(code).toBe(102);
    });

    it.each(EACH)("a RUN finds no credentials: %s, %s image", async (way, kind) => {
      const search = [
        "RUN <<'END'",
        'env | grep -q CNB_REGISTRY_AUTH && echo "LE""AK: environment"',
        "for file in /proc/[0-9]*/environ /proc/[0-9]*/cmdline; do",
        '  grep -qa "CNB_REGISTRY_AUTH=[{]" "$file" 2>/dev/null && echo "LE""AK: $file"',
        "done",
        "for number in /proc/self/fd/*; do",
        '  [ "$(basename "$number")" -gt 2 ] && [ -e "$number" ] && echo "LE""AK: open $(readlink "$number")"',
        "done",
        'echo "sear""ched"',
        "END",
        "USER 1000:1000",
      ];
      await using files = await withDockerfile(kind, ["USER root", ...search]);
      const { code, stdout } = await extend(files, way, kind);
      expect(stdout).toMatch(/^searched$/m);
      expect(stdout).not.toContain("LEAK");
      expect(code, stdout).toBe(0);
    });

    it.each(
      WAYS_TO_EXTEND.flatMap((way) => [[way, "the first process there is"] as const, [way, "one of many"] as const]),
    )("an endless RUN ends with SIGTERM, and nothing of it is left: %s, which is %s", async (way, place) => {
      const sleep = `sleep ${300_000 + process.pid}.${way.length}`;
      const lines = ["USER root", `RUN ${sleep} & setsid ${sleep} & echo "go""ing"; ${sleep}`];
      await using files = await withDockerfile("run", lines);
      const image = builder.name(nameOf("endless", way));
      if (way === "extender") await files.prepare(image);
      const command =
        way === "extender"
          ? ["extender", "-kind", "run"]
          : ["creator", "-cache-dir", "/cache", "-run-image", builder.runImage, image];
      // In the machine's own process namespace nobody else ends what the executable leaves running; in one of its own it
      // gets only the signals that it asks for.
      const flags = place === "one of many" ? ["--pid=host"] : [];
      const container = await startContainer(builder.daemon, {
        ...files.options(command, { as: "root", env: builder.auth, flags }),
        ...(way === "extender" && { image: await builder.load(builder.runImage) }),
      });
      try {
        await expect.poll(() => container.logs(), { timeout: 60_000 }).toMatch(/^going$/m);
        await builder.daemon.docker("kill", "--signal=TERM", container.name);
        expect(await builder.daemon.docker("wait", container.name)).toBe("143\n");
        expect(await commandLines()).not.toContain(sleep);
        expect(await readdir(files.volumes.layers)).not.toContain("extended");
        const { stdout } = await run("find", [files.kaniko ?? "", files.volumes.cache, "-name", "*tmp*"]);
        expect(stdout).toBe("");
      } finally {
        await container.stop();
      }
    });

    it("a Dockerfile for the run image writes nowhere but into that image: creator", async () => {
      const lines = [
        "USER root",
        "RUN mkdir /files && ln -s /files /link && ln -s ../../../../../../../files /up",
        "COPY payload /link/copied",
        "COPY payload /up/up-copied",
        "ADD archive.tar /",
        "WORKDIR /link/made",
        "RUN echo written >/link/written",
        "USER 1000:1000",
      ];
      await using files = await withDockerfile("run", lines, { payload: "", "archive.tar": await hostileArchive() });
      const { code, stdout } = await extend(files, "creator", "run");
      expect(code, stdout).toBe(0);
      expect(await readdir(files.volumes.work)).toEqual(["extensions", "run.toml"]);
      const location = `docker://${builder.name(nameOf("wrong", "creator", "run"))}`;
      const root = await unpackImage(location, join(files.volumes.work, "unpacked"), builder.registry);
      const written = ["absolute", "copied", "made", "through-link", "up-copied", "written"];
      expect(await readdir(join(root, "files"))).toEqual(written);
    });

    it.each([
      ["COPY from above its context", "COPY ../../../group.toml /x", /COPY \.\..*context/],
      ["COPY from above its context by a symlink", "COPY link/shadow /x", /COPY link.*context/],
      ["ADD of an archive with a device", "ADD device.tar /", /ADD device.*device/],
    ])("%s is refused", async (_, line, message) => {
      for (const [way, kind] of [
        ["extender", "build"],
        ["creator", "run"],
      ] as const) {
        await using files = await withDockerfile(kind, ["USER root", line], { "device.tar": await deviceArchive() });
        await symlink("/etc", join(files.volumes.workspace, "dockerfiles/context/link"));
        const { code, stdout } = await extend(files, way, kind);
        expect(stdout).toMatch(message);
        expect(code).toBe(102);
      }
    });

    it.each(["run.Dockerfile", "build.Dockerfile", "extend-config.toml"])(
      "a named pipe as %s is refused",
      async (pipe) => {
        const source = { files: { Procfile: "web: true" }, env: { BP_PIPE: pipe }, extensions: ["pipes"] };
        await using files = await builder.start(source);
        const { code, stdout } = await files.creator(builder.name("pipe"));
        expect(stdout).toContain(`${pipe}: not a regular file`);
        expect(code).toBe(92);
      },
    );

    it("creator says that it must be root, before anything is done", async () => {
      await using files = await builder.start({ app: sampleApp("lua"), env: fetching() });
      const { code, stdout } = await files.creator(builder.name("ordinary"), [], { as: "user" });
      expect(stdout).toMatch(
        /^ERROR: failed to extend images: build and run image .*samples\/apt.*start creator as root/m,
      );
      expect(stdout).not.toMatch(/RESTORING|EXTENDING|BUILDING/);
      expect(code).toBe(102);
    });
  });

  it.each(["0.12", "0.13", "0.15"])("both images are extended at Platform API %s", async (platformApi) => {
    const start = `ARG base_image\nFROM \${base_image}\nARG user_id=1\nARG group_id=1\nUSER root\n`;
    const end = `USER \${user_id}:\${group_id}\nLABEL io.buildpacks.rebasable=true\n`;
    await using files = await builder.start({
      files: {
        Procfile: "web: cat /etc/made-for-run",
        "dockerfiles/build.Dockerfile": `${start}RUN echo build >/etc/made-for-build\n${end}`,
        "dockerfiles/run.Dockerfile": `${start}RUN echo run >/etc/made-for-run; test ! -e /etc/made-for-build\n${end}`,
      },
      buildpacks: ["looks"],
      platformApi,
    });
    const images = [];
    for (const way of ["phases", "creator"] as const) {
      const image = builder.name(`api-${way}-${platformApi}`);
      if (way === "phases") await files.phases(image);
      else expect(await files.creator(image), files.output).toMatchObject({ code: 0 });
      expect(files.output).toContain("looks: build\n");
      files.output = "";
      expect(await builder.outputOf(await builder.load(image))).toBe("run\n");
      images.push((await inspectImage(`docker://${image}`, builder.registry)).config);
    }
    expect(images[1]).toEqual(images[0]);
  });

  it("an ordinary user's creator can switch the run image", async () => {
    const image = builder.name("switched");
    const { source, effect } = scenarios["switch the run image"] as Scenario;
    await using files = await builder.start(source());
    expect(await files.creator(image, [], { as: "user" }), files.output).toMatchObject({ code: 0 });
    await effect(await builder.load(image));
  });

  it("buildpacks' and extensions' programs are the build user's while creator is root", async () => {
    await using files = await builder.start({
      files: {
        Procfile: "web: true",
        "dockerfiles/build.Dockerfile": `ARG base_image\nFROM \${base_image}\nRUN true\n`,
      },
      extensions: ["tells"],
      buildpacks: ["tells"],
    });
    const { code, stdout } = await files.creator(builder.name("tells"), ["-log-level", "debug"]);
    expect(code, stdout).toBe(0);
    const programs = ["extension detect", "buildpack detect", "extension generate", "buildpack build"];
    const told = stdout.split("\n").filter((line) => line.startsWith("tells "));
    expect(told).toEqual(programs.map((program) => `tells ${program}: 1000:1000, 0000000000000000`));
  });
});

/** The extension that made a layer, by what the image's history says. */
function byExtension(image: InspectedImage | undefined, layer: number): string | undefined {
  const history = image?.config.history?.filter((entry) => entry.empty_layer !== true);
  return /Created by extension: (.*)$/.exec(history?.[layer]?.created_by ?? "")?.[1];
}

/** A name for an image. */
function nameOf(...parts: readonly string[]): string {
  return parts
    .join(" ")
    .toLowerCase()
    .replaceAll(/[^a-z]+/g, "-");
}

/** An archive that names a file absolutely, and another below a symlink that it brings along. */
function hostileArchive(): Promise<Buffer> {
  return archive(async (directory, tar) => {
    await writeFile(join(directory, "file"), "");
    await symlink("/files", join(directory, "link-to-files"));
    await tar("--create", "--transform=s,^file,/files/absolute,", "file", "link-to-files");
    await tar("--append", "--transform=s,^file,link-to-files/through-link,", "file");
  });
}

function deviceArchive(): Promise<Buffer> {
  return archive(async (directory, tar) => {
    await mustRun("mknod", [join(directory, "device"), "c", "1", "3"]);
    await tar("--create", "device");
  });
}

async function archive(
  make: (directory: string, tar: (...args: string[]) => Promise<string>) => Promise<void>,
): Promise<Buffer> {
  const directory = await mkdtemp(join(tmpdir(), "archive-"));
  const file = join(directory, "archive.tar");
  try {
    const where = ["--absolute-names", "--directory", directory, "--file", file];
    await make(directory, (...args) => mustRun("tar", [...where, ...args]));
    return await readFile(file);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
