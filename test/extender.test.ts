import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type ContainerOptions, startContainer } from "./harness/containers.ts";
import { distribution } from "./harness/distribution.ts";
import { type DockerDaemon, startDockerDaemon } from "./harness/docker-daemon.ts";
import { requireServer } from "./harness/require-server.ts";
import { mustRun, type Outcome, run } from "./harness/run.ts";
import {
  BUILD_USER,
  type Builder,
  giveToBuildUser,
  makeBuilder,
  makeVolumes,
  type Volumes,
} from "./harness/sample-builder.ts";

const START = `ARG base_image\nFROM \${base_image}\n`;
const TOP_LAYER = `sha256:${"a".repeat(64)}`;
const SECRET = "a-password-that-nobody-may-see";

/** What an image's config has in these tests. */
interface Config {
  User?: string;
  Env?: string[];
  Labels?: Record<string, string>;
}

describe.runIf(requireServer("dockerd"))("extender", () => {
  let daemon: DockerDaemon;
  let builder: Builder;
  let volumes: Volumes;
  let kaniko: string;

  beforeAll(async () => {
    daemon = await startDockerDaemon();
    builder = await makeBuilder(daemon);
  });

  afterAll(async () => {
    await builder?.remove();
    await daemon?.stop();
  });

  beforeEach(async () => {
    const app = await mkdtemp(join(tmpdir(), "app-"));
    await writeFile(join(app, "from-app"), "of the application\n");
    volumes = await makeVolumes(app);
    await rm(app, { recursive: true });
    kaniko = await mkdtemp(join(tmpdir(), "kaniko-"));
    await write(
      join(volumes.buildpacks, "test_probe/1.0.0/buildpack.toml"),
      'api = "0.10"\n[buildpack]\nid = "test/probe"\nversion = "1.0.0"\n',
    );
    await write(join(volumes.layers, "plan.toml"), "");
    await base({ User: "1000:1000", Env: ["PATH=/usr/local/bin:/usr/bin:/bin"] });
  });

  afterEach(async () => {
    await volumes?.remove();
    await rm(kaniko, { recursive: true, force: true });
  });

  async function write(path: string, text: string, mode = 0o644): Promise<void> {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
    await chmod(path, mode);
  }

  /** Puts an image's manifest and config where the restorer puts them, and its name into analyzed.toml. */
  async function base(config: Config): Promise<string> {
    const file = { architecture: "amd64", os: "linux", config, rootfs: { type: "layers", diff_ids: [TOP_LAYER] } };
    const configBytes = JSON.stringify(file);
    const digestOf = (text: string) => `sha256:${createHash("sha256").update(text).digest("hex")}`;
    const oci = "application/vnd.oci.image";
    const manifest = JSON.stringify({
      schemaVersion: 2,
      mediaType: `${oci}.manifest.v1+json`,
      config: { mediaType: `${oci}.config.v1+json`, size: configBytes.length, digest: digestOf(configBytes) },
      layers: [{ mediaType: `${oci}.layer.v1.tar+gzip`, size: 1, digest: TOP_LAYER }],
    });
    const digest = digestOf(manifest);
    const layout = join(kaniko, "cache/base", digest);
    for (const text of [configBytes, manifest]) {
      await write(join(layout, "blobs/sha256", digestOf(text).slice("sha256:".length)), text);
    }
    const entry = { mediaType: `${oci}.manifest.v1+json`, size: manifest.length, digest };
    await write(join(layout, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [entry] }));
    await write(join(layout, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
    const reference = `reference = "registry.invalid/base@${digest}"\n`;
    await write(join(volumes.layers, "analyzed.toml"), `[build-image]\n${reference}[run-image]\n${reference}`);
    return digest;
  }

  /** Writes one extension's Dockerfile for each text, `test/one`, `test/two`, …, and group.toml. */
  async function dockerfiles(kind: "build" | "run", texts: readonly string[], api = "0.13"): Promise<string[]> {
    const names = ["one", "two", "three"].slice(0, texts.length);
    let group = '[[group]]\nid = "test/probe"\nversion = "1.0.0"\napi = "0.10"\n';
    const paths: string[] = [];
    for (const [index, name] of names.entries()) {
      group += `[[group-extensions]]\nid = "test/${name}"\nversion = "1.0.0"\napi = "0.10"\n`;
      const place = api === "0.13" ? `test_${name}/${kind}.Dockerfile` : `${kind}/test_${name}/Dockerfile`;
      await write(join(volumes.layers, "generated", place), texts[index] ?? "");
      paths.push(`/layers/generated/${place}`);
    }
    await write(join(volumes.layers, "group.toml"), group);
    await giveToBuildUser(volumes.layers);
    return paths;
  }

  async function probe(script: string): Promise<void> {
    await write(join(volumes.buildpacks, "test_probe/1.0.0/bin/build"), `#!/bin/bash\nset -eu\n${script}\n`, 0o755);
  }

  function container(options: Partial<ContainerOptions> = {}): Partial<ContainerOptions> {
    return {
      user: "0:0",
      network: "none",
      ...options,
      env: { CNB_PLATFORM_API: "0.13", CNB_REGISTRY_AUTH: `{"registry.invalid":"Basic ${SECRET}"}`, ...options.env },
      mounts: { "/kaniko": kaniko, ...options.mounts },
    };
  }

  function extend(args: readonly string[], options: Partial<ContainerOptions> = {}): Promise<Outcome> {
    return builder.run(volumes, ["extender", ...args], container(options));
  }

  /** The extended run image: the only one there is. */
  function extended() {
    const [name, ...others] = readdirSync(join(volumes.layers, "extended/run"));
    expect(others).toEqual([]);
    const layout = join(volumes.layers, "extended/run", name ?? "");
    const blob = (digest: string) => join(layout, "blobs/sha256", digest.slice("sha256:".length));
    const index = JSON.parse(readFileSync(join(layout, "index.json"), "utf8"));
    const manifest = JSON.parse(readFileSync(blob(index.manifests[0].digest), "utf8"));
    const config = JSON.parse(readFileSync(blob(manifest.config.digest), "utf8"));
    const layers: { digest: string }[] = manifest.layers;
    return { name, layout, blob, index, manifest, config, layers };
  }

  describe("of a build image", () => {
    it("applies the Dockerfiles, then builds in what they made, as the build user", async () => {
      await dockerfiles("build", [
        `${START}USER root\nARG build_id\nRUN echo "id \${build_id}"\n` +
          "RUN printf '#!/bin/sh\\necho installed\\n' >/usr/local/bin/tool && chmod 755 /usr/local/bin/tool && echo RUNNING\n" +
          "ENV LIBRARY_PATH='/a = b' PATH=/opt/bin:$PATH\nCOPY from-app /opt/copied\n",
        `${START}ARG user_id\nARG added\nRUN echo "user \${user_id} arg \${added} of \${base_image:-nothing}"\nUSER 1000:1000\n`,
      ]);
      await write(
        join(volumes.layers, "generated/test_two/extend-config.toml"),
        '[[build.args]]\nname = "added"\nvalue = "v"\n',
      );
      await probe(
        'tool\ncat /opt/copied\necho "$LIBRARY_PATH|$PATH|$(id -u):$(id -g)|$HOME"; env | grep -c AUTH || true',
      );
      const first = await extend(["-kind", "build", "-log-level", "debug"]);
      expect(first.code, first.stdout).toBe(0);
      expect(first.stdout).toMatch(/^id [0-9a-f]{8}-[0-9a-f-]{27}$/m);
      expect(first.stdout).toMatch(/^RUNNING$/m);
      expect(first.stdout).toMatch(/^user root arg v of nothing$/m);
      expect(first.stdout).toMatch(
        /^installed\nof the application\n\/a = b\|\/opt\/bin:.*\|1000:1000\|\/home\/cnb\n0$/m,
      );
      expect(first.stdout).toContain(
        "Extension from /layers/generated/test_one/build.Dockerfile changed the user ID from 1000 to root;",
      );
      expect(first.stdout).toMatch(
        /Found build Dockerfile for extension 'test\/one'\n[\s\S]*Applying Dockerfile at .* to 'base@sha256:[0-9a-f]{64}'\.\.\./,
      );
      const metadata = statSync(join(volumes.layers, "config/metadata.toml"));
      expect([metadata.uid, metadata.gid]).toEqual([BUILD_USER.uid, BUILD_USER.gid]);
      expect(readFileSync(join(volumes.layers, "config/metadata.toml"), "utf8")).toContain("test/two");
      // Only what build_id is named in runs anew, and what follows.
      await dockerfiles("build", [
        `${START}USER root\nRUN echo QUIET >/dev/null; echo ONCE\nCOPY from-app /opt/copied\n` +
          "RUN printf '#!/bin/sh\\necho installed\\n' >/usr/local/bin/tool && chmod 755 /usr/local/bin/tool && echo RUNNING\n",
      ]);
      await probe("tool; cat /opt/copied");
      expect((await extend([])).stdout).toMatch(/^RUNNING$/m);
      const cached = await extend([]);
      expect(cached).toMatchObject({ code: 0 });
      expect(cached.stdout).not.toMatch(/^(ONCE|RUNNING)$/m);
      expect(cached.stdout.match(/ ---> Using cache/g)).toHaveLength(3);
      expect(cached.stdout).toMatch(/^installed\nof the application$/m);
      expect(readdirSync(kaniko).sort()).toEqual(["cache"]);
      for (const name of ["layers", "mounts"]) expect(statSync(join(kaniko, "cache", name)).mode & 0o777).toBe(0o700);
    });

    it("keeps credentials from what RUN starts and from buildpacks, and says in JSON who speaks", async () => {
      const look = "env; for p in /proc/[0-9]*; do cat $p/environ 2>/dev/null || true; done; echo; echo looked";
      await dockerfiles("build", [`${START}USER root\nRUN ${look}\n`]);
      await probe(look);
      const { code, stdout, stderr } = await extend(["-log-format", "json"]);
      expect(code, stdout).toBe(0);
      expect(stdout + stderr).not.toContain(SECRET);
      const lines = stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, string>);
      const looked = lines.filter(({ msg }) => msg === "looked");
      expect(looked).toMatchObject([{ extension: "test/one" }, { buildpack: "test/probe@1.0.0" }]);
    });

    it("ends with the builder's exit code when a buildpack fails", async () => {
      await dockerfiles("build", [`${START}RUN true\n`]);
      await probe("exit 7");
      const { code, stdout } = await extend([]);
      expect(code).toBe(51);
      expect(stdout).toMatch(/ERROR: failed to build: exit status 7\n$/);
    });

    it("takes Dockerfiles from where they are below Platform API 0.13", async () => {
      await dockerfiles("build", [`${START}COPY from-app /opt/copied\n`], "0.10");
      await probe("cat /opt/copied");
      const { code, stdout } = await extend([], { env: { CNB_PLATFORM_API: "0.10", CNB_EXTEND_KIND: "run" } });
      expect(code).toBe(0);
      expect(stdout).toContain("of the application\n");
    });

    it("uses no cache that others can write to", async () => {
      await dockerfiles("build", [`${START}USER root\nRUN echo RUNNING\n`]);
      await probe("true");
      await extend([]);
      expect((await extend([])).stdout).not.toMatch(/^RUNNING$/m);
      await chmod(join(kaniko, "cache/layers"), 0o777);
      const { code, stdout } = await extend([]);
      expect(code).toBe(0);
      expect(stdout).toContain(
        "Warning: Removing the cache at /kaniko/cache/layers, which could hold anything: others can write to it; only root's own is kept\n",
      );
      expect(stdout).toMatch(/^RUNNING$/m);
      expect(readdirSync(kaniko)).toEqual(["cache"]);
      expect((await extend([])).stdout).not.toMatch(/^RUNNING$|Removing the cache/m);
    });

    it("runs anew what has other files of the application mounted", async () => {
      const run = "RUN --mount=type=bind,source=from-app,target=/mounted cat /mounted";
      await dockerfiles("build", [`${START}USER root\n${run}\n`]);
      await probe("true");
      expect((await extend([])).stdout).toMatch(/^of the application$/m);
      expect((await extend([])).stdout).not.toMatch(/^of the application$/m);
      await writeFile(join(volumes.workspace, "from-app"), "of its next version\n");
      expect((await extend([])).stdout).toMatch(/^of its next version$/m);
    });

    it("works where no RUN cleans up", async () => {
      await dockerfiles("build", [`${START}USER root\nRUN rm -rf /tmp/* /var/tmp/*\nRUN echo still RUNNING\n`]);
      await probe("ls -A / | grep lifecycle || true");
      const { code, stdout } = await extend([]);
      expect(code).toBe(0);
      expect(stdout).toMatch(/^still RUNNING$/m);
      expect(stdout).not.toContain(".lifecycle-");
    });
  });

  describe("of a run image", () => {
    it("mounts over what the image holds, and puts that back as it was", async () => {
      const look = "find /home /usr/share -exec stat -c '%n %a %u %g %Y' {} + | sort | md5sum";
      await dockerfiles("run", [
        `${START}USER root\nRUN ${look}\nRUN --mount=type=cache,target=/home --mount=type=tmpfs,target=/usr/share ` +
          `touch /home/x; echo covered $(ls /home /usr/share)\nRUN ${look}\nUSER 1000:1000\n`,
      ]);
      const { code, stdout } = await extend(["-kind", "run"]);
      expect(code, stdout).toBe(0);
      expect(stdout).toContain("covered /home: x /usr/share:\n");
      const [before, after, ...more] = stdout.match(/^[0-9a-f]{32} {2}-$/gm) ?? [];
      expect([after, more]).toEqual([before, []]);
      expect(extended().layers).toHaveLength(1);
    });

    it("leaves an image of new layers only, which everybody can read", async () => {
      await dockerfiles("run", [
        `${START}USER root\nRUN echo library >/usr/lib/of-extension\nENV A=1\nLABEL io.buildpacks.rebasable=true\n`,
        `${START}COPY file /opt/\nUSER 1000:1000\n`,
      ]);
      await write(join(volumes.layers, "generated/test_two/context.run/file"), "of the context\n");
      const first = await extend(["-kind", "run", "-log-level", "debug"]);
      expect(first).toMatchObject({ code: 0 });
      const image = extended();
      expect(image.name).toBe(image.index.manifests[0].digest);
      expect(image.layers.map(({ digest }) => digest)).toEqual([TOP_LAYER, expect.any(String), expect.any(String)]);
      expect(image.config.rootfs.diff_ids).toHaveLength(3);
      expect(image.config.rootfs.diff_ids[0]).toBe(TOP_LAYER);
      expect(image.config.config.Env).toEqual(["PATH=/usr/local/bin:/usr/bin:/bin", "A=1"]);
      expect(image.config.config.Labels).toEqual({ "io.buildpacks.rebasable": "true" });
      expect(image.config.history.map((entry: { created_by?: string }) => entry.created_by ?? "")).toEqual([
        "",
        "Layer: 'RUN echo library >/usr/lib/of-extension', Created by extension: test/one",
        "Layer: 'COPY file /opt/', Created by extension: test/two",
      ]);
      const layer = (index: number) => image.blob(image.layers[index]?.digest ?? "");
      expect(existsSync(layer(0))).toBe(false);
      expect((await mustRun("tar", ["-tzf", layer(1)])).split("\n")).toContain("usr/lib/of-extension");
      expect(await mustRun("tar", ["-tzf", layer(2)])).toBe("opt\nopt/file\n");
      for (const path of [layer(1), layer(2), join(image.layout, "index.json")]) {
        expect([statSync(path).mode & 0o777, statSync(path).nlink]).toEqual([0o644, 1]);
      }
      const [name, ...added] = [image.name, ...image.layers.slice(1).map(({ digest }) => digest)];
      expect(first.stdout.split("\n")).toEqual(
        expect.arrayContaining([
          `Original image top layer digest: ${TOP_LAYER}`,
          `Final extended image has digest: ${name}`,
          `Found 3 layers in extended image with digest: ${name}`,
          `Found original top layer with digest: ${TOP_LAYER}`,
          ...added.map((digest) => `Copying layer with digest: ${digest}`),
        ]),
      );
      // The next build has another one in its place.
      await dockerfiles("run", [
        `${START}COPY from-app /opt/\nLABEL io.buildpacks.rebasable=true\n`,
        `${START}LABEL io.buildpacks.rebasable=false\n`,
      ]);
      expect(await extend(["-kind", "run"])).toMatchObject({ code: 0 });
      expect(extended().name).not.toBe(image.name);
      expect(extended().config.config.Labels).toEqual({ "io.buildpacks.rebasable": "false" });
    });

    it("needs no room in the cache", async () => {
      await dockerfiles("run", [`${START}USER root\nRUN head -c 3000000 /dev/urandom >/opt-file\nUSER 1000:1000\n`]);
      const flags = ["--tmpfs", "/kaniko/cache/layers:size=1m,mode=700"];
      const { code, stdout } = await extend(["-kind", "run"], { flags });
      expect(code).toBe(0);
      expect(stdout).toContain(
        "Warning: Not caching this step: layers cannot be written to /kaniko/cache/layers: ENOSPC",
      );
      const [, layer] = extended().layers;
      expect(await mustRun("tar", ["-tzf", extended().blob(layer?.digest ?? "")])).toBe("opt-file\n");
    });

    it("is written to no place that a symlink leads to", async () => {
      await dockerfiles("run", [`${START}COPY from-app /opt/\n`]);
      await symlink("/", join(volumes.layers, "extended"));
      const victim = join(volumes.layers, "run-of-the-container");
      await write(join(victim, "file"), "");
      const { code, stdout } = await extend(["-kind", "run"], { mounts: { "/run": victim } });
      expect(code).toBe(102);
      expect(stdout).toContain(
        "ERROR: failed to extend run image: cannot write to /layers/extended, which must be a directory and no symlink",
      );
      expect(readdirSync(victim)).toEqual(["file"]);
    });

    it("must not leave root as the user", async () => {
      await dockerfiles("run", [`${START}USER root\nRUN true\n`]);
      const { code, stdout } = await extend(["-kind", "run"]);
      expect(code).toBe(102);
      expect(stdout).toContain("changed the user ID from 1000 to root; this must not be the final user ID");
      expect(stdout).toMatch(
        /ERROR: failed to extend run image: extending run image: the final user ID is 0 \(root\); please add another extension that resets the user to non-root\n$/,
      );
      await dockerfiles("run", [`${START}USER 1001\n`]);
      const other = await extend(["-kind", "run"]);
      expect(other.code).toBe(0);
      expect(other.stdout).toContain(
        "The original user ID was 1000 but the final extension left the user ID set to 1001.",
      );
      expect(extended().config.config.Labels).toEqual({ "io.buildpacks.rebasable": "false" });
    });

    it("says of a RUN that fails where it stands and what it said, and leaves no image, not even an old one", async () => {
      const [path] = await dockerfiles("run", [`${START}RUN true\n`]);
      expect(await extend(["-kind", "run"])).toMatchObject({ code: 0 });
      await dockerfiles("run", [`${START}\nRUN echo going && \\\n  echo wrong >&2 && exit 4\n`]);
      const { code, stdout } = await extend(["-kind", "run"]);
      expect(code).toBe(102);
      expect(stdout).toMatch(/going\nwrong\n[\s\S]*ERROR: /);
      expect(stdout).toContain(
        `ERROR: failed to extend run image: extending run image: applying Dockerfile to image: ${path}:4: RUN echo going`,
      );
      expect(stdout).toMatch(/exit status 4; its output ended with:\ngoing\nwrong\n$/);
      expect(readdirSync(join(volumes.layers, "extended"))).toEqual([]);
      expect(readdirSync(kaniko)).toEqual(["cache"]);
    });

    it.each([
      { signal: "SIGTERM", exitCode: 143, ending: /ERROR: stopped by SIGTERM\n$/ },
      { signal: "SIGKILL", exitCode: 137, ending: /endless\n$/ },
    ])("is stopped in an endless RUN by $signal, and leaves nothing", async ({ signal, exitCode, ending }) => {
      await dockerfiles("run", [`${START}USER root\nRUN echo endless; (sleep 3600 &); while true; do sleep 1; done\n`]);
      const { name, logs, stop } = await startContainer(daemon, {
        image: builder.image,
        command: ["/cnb/lifecycle/extender", "-kind", "run", "-no-color"],
        ...container(),
        mounts: { "/kaniko": kaniko, "/layers": volumes.layers, "/cnb/lifecycle": `${builder.lifecycle}:ro` },
      });
      try {
        for (let waited = 0; !/^endless$/m.test(await logs()) && waited < 60; waited++) await setTimeout(500);
        await daemon.docker("kill", "--signal", signal, name);
        expect((await daemon.docker("wait", name)).trim()).toBe(String(exitCode));
        expect(await logs()).toMatch(ending);
        expect(readdirSync(kaniko)).toEqual(["cache"]);
        expect(existsSync(join(volumes.layers, "extended/run"))).toBe(false);
      } finally {
        await stop();
      }
    });
  });

  describe("with what it must not take", () => {
    /** Extends the run image with one instruction; the message that it ends with. */
    async function refusal(instruction: string): Promise<string> {
      await dockerfiles("run", [`${START}${instruction}\n`]);
      const { code, stdout } = await extend(["-kind", "run"], { timeout: 60_000 });
      expect(code).toBe(102);
      return stdout.slice(stdout.indexOf("ERROR: "));
    }

    const context = () => join(volumes.layers, "generated/test_one/context.run");

    it("copies nothing from beyond the context", async () => {
      await mkdir(context(), { recursive: true });
      await symlink("/etc/passwd", join(context(), "absolute"));
      await symlink("../../../../etc/passwd", join(context(), "relative"));
      expect(await refusal("COPY ../extend-config.toml /opt/")).toContain(
        "forbidden path outside the build context: ../extend-config.toml",
      );
      expect(await refusal("COPY absolute /opt/")).toContain("absolute is not in the build context");
      expect(await refusal("COPY relative /opt/")).toContain("relative is not in the build context");
      await rm(context(), { recursive: true });
      await symlink("/", context());
      expect(await refusal("COPY etc/passwd /opt/")).toContain("/context.run is a symlink; a build context has to be");
    });

    it("unpacks no archive that leads out or has devices", async () => {
      await mkdir(context(), { recursive: true });
      const work = await mkdtemp(join(tmpdir(), "archives-"));
      try {
        await writeFile(join(work, "file"), "x");
        await mustRun("mknod", [join(work, "device"), "b", "7", "0"]);
        const tar = (name: string, ...args: string[]) =>
          mustRun("tar", ["-C", work, "-cPf", join(context(), name), ...args]);
        await tar("dots.tar", "--transform=s,file,../../../layers/escaped,", "file");
        await tar("device.tar", "device");
      } finally {
        await rm(work, { recursive: true });
      }
      expect(await refusal("ADD dots.tar /opt/")).toMatch(/ADD dots\.tar \/opt\/: .*\.\./);
      expect(await refusal("ADD device.tar /opt/")).toMatch(/ADD device\.tar \/opt\/: .*device/);
      expect(existsSync(join(volumes.layers, "escaped"))).toBe(false);
    });

    it("waits for no pipe in place of an ignore file", async () => {
      await mustRun("mkfifo", [join(volumes.workspace, ".dockerignore")]);
      expect(await refusal("COPY from-app /opt/")).toMatch(
        /COPY from-app \/opt\/: read \/workspace\/\.dockerignore: not a regular file/,
      );
    });

    it("waits for no pipe in place of a file", async () => {
      const [path = ""] = await dockerfiles("run", [`${START}RUN true\n`]);
      const file = join(volumes.layers, path.slice("/layers/".length));
      await rm(file);
      await mustRun("mkfifo", [file]);
      const piped = await extend(["-kind", "run"], { timeout: 60_000 });
      expect(piped.code).toBe(102);
      expect(piped.stdout).toContain(
        "getting run.Dockerfiles: read /layers/generated/test_one/run.Dockerfile: not a regular file",
      );
    });

    it("applies no Dockerfile that an extension must not have", async () => {
      await dockerfiles("build", ["FROM scratch\nRUN true\n"]);
      const { code, stdout } = await extend([]);
      expect(code).toBe(102);
      expect(stdout).toContain(
        "/layers/generated/test_one/build.Dockerfile:1: build.Dockerfile did not start with required ARG command",
      );
    });

    it.each([
      { args: ["-kind", "both"], code: 3, says: 'failed to resolve inputs: -kind has to be build or run, not "both"' },
      {
        args: ["-kaniko-cache-ttl", "1d"],
        code: 2,
        says: 'invalid value "1d" for flag -kaniko-cache-ttl: parse error',
      },
      { args: ["argument"], code: 3, says: "failed to parse arguments: received unexpected arguments" },
    ])("refuses $args", async ({ args, code, says }) => {
      await dockerfiles("build", []);
      const outcome = await extend(args);
      expect(outcome.code).toBe(code);
      expect(outcome.stdout + outcome.stderr).toContain(says);
    });

    it("has neither -kind nor -extended below Platform API 0.12", async () => {
      for (const flag of ["-kind", "-extended"]) {
        const { code, stderr } = await extend([flag, "build"], { env: { CNB_PLATFORM_API: "0.11" } });
        expect(code).toBe(2);
        expect(stderr).toContain(`flag provided but not defined: ${flag}`);
        expect(stderr).toContain("  -kaniko-cache-ttl duration\n    \tkaniko cache time-to-live (default 336h0m0s)\n");
      }
    });

    it("needs root, and the image that the restorer has to bring", async () => {
      await dockerfiles("build", [`${START}RUN true\n`]);
      const user = await extend([], { user: "1000:1000" });
      expect(user.code).toBe(102);
      expect(user.stdout).toMatch(/^ERROR: failed to extend build image: the extender has to be started as root$/m);
      await rm(join(kaniko, "cache/base"), { recursive: true });
      const missing = await extend([]);
      expect(missing.code).toBe(102);
      expect(missing.stdout).toMatch(
        /ERROR: failed to extend build image: getting build image to extend: .* give the extender the same \/kaniko as the restorer, which puts it there if it is to be extended\n$/,
      );
      await write(join(volumes.layers, "analyzed.toml"), "");
      expect((await extend([])).stdout).toContain(
        "analyzed.toml names no build image; run the restorer with -build-image\n",
      );
      await rm(join(volumes.layers, "group.toml"));
      const { code, stdout } = await extend([]);
      expect(code).toBe(1);
      expect(stdout).toContain("ERROR: failed to initialize extender: reading group: failed to read group file: ");
    });
  });
});

/** Whether the machine that the tests run on is a container itself, in which the extender would start its work. */
const inContainer = ["/.dockerenv", "/run/.containerenv"].some((path) => existsSync(path)) || process.getuid?.() !== 0;

it.skipIf(inContainer)("extender does not touch a machine that is no container", async () => {
  const env = { PATH: process.env.PATH ?? "", CNB_PLATFORM_API: "0.13", CNB_LAYERS_DIR: "/nowhere" };
  const { code, stdout } = await run(join(distribution().executables, "extender"), ["-kind", "run"], { env });
  expect(code).toBe(102);
  expect(stdout).toContain("it would change / of this machine; run the extender in a container of the image to extend");
});
