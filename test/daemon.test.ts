import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseReport } from "@lifecycle/spec-types";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeCertificates } from "./harness/certificates.ts";
import { type LocalDaemon, startDaemon } from "./harness/local-daemon.ts";
import { PHASE_USER, PhaseRunner } from "./harness/phase-runner.ts";
import { requireServer } from "./harness/require-server.ts";
import { mustRun, type Outcome, run } from "./harness/run.ts";
import { sampleStack } from "./harness/sample-builder.ts";
import { type SocketFaults, type SocketProxy, startSocketProxy } from "./harness/socket-proxy.ts";

/** A layer that is made once and afterwards kept without its content, and after one that is new with each version. */
const BUILD = `
mkdir -p "$1/changing"
cp version "$1/changing/version"
printf '[types]\\nlaunch = true\\n' >"$1/changing.toml"
if [ -e "$1/kept.toml" ]; then echo "kept has metadata"; else mkdir "$1/kept"; cp noise "$1/kept/noise"; fi
printf '[types]\\nlaunch = true\\n' >"$1/kept.toml"
echo '{"bomFormat":"CycloneDX","specVersion":"1.4","version":1}' >"$1/launch.sbom.cdx.json"
cat >"$1/launch.toml" <<TOML
[[processes]]
type = "web"
command = ["bash", "-c", 'cat version; sha256sum <"$1/kept/noise"']
default = true
TOML
ls -l /proc/self/fd
`;

/** Bytes of the kept layer's file. */
const KEPT = 8 * 2 ** 20;

interface Inspected {
  Id: string;
  RootFS: { Layers: string[] };
  Config: { Env: string[]; User: string; Entrypoint: string[]; WorkingDir: string; Labels: Record<string, string> };
}

describe.runIf(requireServer("dockerd", "podman", "skopeo", "openssl")).each(["docker", "podman"] as const)(
  "%s",
  (kind) => {
    let client: LocalDaemon;
    let runner: PhaseRunner;
    let proxy: SocketProxy;
    let dir: string;
    let faults: SocketFaults = {};

    beforeAll(async () => {
      dir = await mkdtemp(join(tmpdir(), "daemon-"));
      client = await startDaemon(kind);
      proxy = await startSocketProxy(client.socket, { path: join(dir, "proxy.sock") });
      const archive = join(dir, "run.tar");
      const { run } = await sampleStack();
      await mustRun("skopeo", [
        "copy",
        "--quiet",
        "--insecure-policy",
        `oci:${run}`,
        `docker-archive:${archive}:run:1`,
      ]);
      await client.run("load", "--quiet", "--input", archive);
      runner = await PhaseRunner.create("creator", "analyzer", "detector", "restorer", "builder", "exporter");
      await runner.writeBuildpack("test/app", {
        build: BUILD,
        descriptor: 'sbom-formats = ["application/vnd.cyclonedx+json"]\n',
      });
      await runner.writeOrder("test/app");
      await writeFile(join(runner.appDir, "noise"), randomBytes(KEPT));
    }, 120_000);

    afterAll(async () => {
      await proxy?.stop();
      await client?.stop();
      await runner?.remove();
      if (dir !== undefined) await rm(dir, { recursive: true, force: true });
    });

    /** Runs creator as root, as platforms do for a daemon; the socket is root's alone. */
    async function create(version: string, image: string, flags: string[] = [], env = {}): Promise<Outcome> {
      await runner.resetLayers();
      await runner.write("app/version", `${version}\n`);
      proxy.begin(faults);
      const all = [...runner.creatorFlags(), "-no-color", "-log-level=debug", "-daemon", "-run-image=run:1", ...flags];
      const outcome = await runner.runAsSelf("creator", [...all, image], { DOCKER_HOST: proxy.host, ...env });
      expect(await runner.leftovers()).toEqual([]);
      return outcome;
    }

    async function succeed(version: string, image: string, flags: string[] = [], env = {}): Promise<string> {
      const outcome = await create(version, image, flags, env);
      expect(outcome, outcome.stdout).toMatchObject({ code: 0, stderr: "" });
      return outcome.stdout;
    }

    /** What goes wrong with the daemon while `work` is done. */
    async function withFaults<T>(wanted: SocketFaults, work: () => Promise<T>): Promise<T> {
      faults = wanted;
      return work().finally(() => {
        faults = {};
      });
    }

    async function launchCache(): Promise<string[]> {
      const directory = await mkdtemp(join(runner.dir, "launch-cache-"));
      return ["-launch-cache", directory];
    }

    async function inspect(image: string): Promise<Inspected> {
      const [inspected]: Inspected[] = JSON.parse(await client.run("image", "inspect", image));
      if (inspected === undefined) throw new Error(`no image ${image}`);
      const { Id, RootFS, Config } = inspected;
      return { Id: Id.replace("sha256:", ""), RootFS, Config };
    }

    const start = (image: string) => client.run("run", "--rm", ...client.runFlags, image);
    const saves = () => proxy.requests.filter((request) => request.endsWith("/get"));
    const reportedId = async () =>
      parseReport(await readFile(join(runner.layersDir, "report.toml"), "utf8"), "report.toml").image.imageId;

    it("the image gets all its names, and says what it holds", async () => {
      const log = await succeed("v1", "app:1", ["-tag", "team/app:other"]);
      const image = await inspect("app:1");
      expect(log).toContain(`*** Images (${image.Id.slice(0, 12)}):\n      app:1\n      team/app:other\n`);
      expect(log).toContain(`\n*** Image ID: ${image.Id}\n`);
      expect(await reportedId()).toBe(image.Id);
      expect(await inspect("team/app:other")).toMatchObject({ Id: image.Id });
      const base = await inspect("run:1");
      expect(image.RootFS.Layers.slice(0, base.RootFS.Layers.length)).toEqual(base.RootFS.Layers);
      const metadata = JSON.parse(image.Config.Labels["io.buildpacks.lifecycle.metadata"] ?? "");
      expect(metadata.runImage).toMatchObject({ topLayer: base.RootFS.Layers.at(-1), reference: base.Id });
      const { kept, changing } = metadata.buildpacks[0].layers;
      expect(image.RootFS.Layers).toEqual(
        expect.arrayContaining([kept.sha, changing.sha, metadata.launcher.sha, metadata.app[0].sha]),
      );
      expect(image.Config).toMatchObject({
        User: base.Config.User,
        Entrypoint: ["/cnb/process/web"],
        WorkingDir: runner.appDir,
      });
      expect(image.Config.Labels).toMatchObject(base.Config.Labels);
      expect(await start("app:1")).toMatch(/^v1\n[0-9a-f]{64}/);
      expect(log).not.toMatch(/-> socket:/);
      // The base's layers stay where they are.
      expect(proxy.sent).toBeLessThan(2.5 * KEPT);
      expect(saves()).toEqual([]);
    });

    it("what did not change does not travel", async () => {
      await succeed("v1", "same");
      const before = await inspect("same");
      const log = await succeed("v1", "same");
      expect(await inspect("same")).toEqual(before);
      expect(log).toContain("kept has metadata\n");
      expect(log).toContain(`Reusing layers from image with id '${before.Id}'\n`);
      expect(log).toContain("Reused 1/1 app layer(s)\n");
      expect(proxy.sent).toBeLessThan(200_000);
      // Only the previous image's SBOM was asked for, which a daemon gives out with everything else.
      expect(saves()).toHaveLength(1);
    });

    it("with a launch cache the daemon is not asked for layers", async () => {
      const cache = await launchCache();
      await succeed("v1", "cached", cache);
      const first = await inspect("cached");
      const log = await succeed("v2", "cached", cache);
      expect(log).toContain("kept has metadata\n");
      expect(log).toContain("Reusing layer 'test/app:kept'\n");
      expect(saves()).toEqual([]);
      // Docker knows layers by what is below them, Podman by their content.
      expect(proxy.sent).toBeGreaterThan(kind === "docker" ? KEPT : 0);
      expect(proxy.sent).toBeLessThan(2.5 * KEPT);
      const output = await start("cached");
      expect(output).toMatch(/^v2\n/);
      expect((await inspect("cached")).Id).not.toBe(first.Id);
      const base = await inspect("run:1");
      const layers = (await inspect("cached")).RootFS.Layers.slice(base.RootFS.Layers.length);
      const names = await readdir(join(cache[1] ?? "", "committed"));
      expect(names.sort()).toEqual([...new Set(layers.map((diffId) => `${diffId}.tar`))].sort());
    });

    it("without one, and when it is damaged, layers come back from the daemon", async () => {
      await succeed("v1", "uncached");
      const expected = await start("uncached");
      await succeed("v2", "uncached");
      expect(await start("uncached")).toBe(expected.replace("v1", "v2"));
      // Once for the SBOM; Docker needs the kept layer's content above another layer, too.
      expect(saves()).toHaveLength(kind === "docker" ? 2 : 1);

      const cache = await launchCache();
      await succeed("v3", "uncached", cache);
      expect(await start("uncached")).toBe(expected.replace("v1", "v3"));
      const committed = join(cache[1] ?? "", "committed");
      const names = await readdir(committed);
      for (const name of names) await writeFile(join(committed, name), "damaged");
      const log = await succeed("v4", "uncached", cache);
      expect(log).toContain("Warning: Ignoring layer in launch cache: expected layer contents to have SHA");
      expect(await start("uncached")).toBe(expected.replace("v1", "v4"));
    });

    it("phases that run one by one hand on image IDs", async () => {
      const env = { DOCKER_HOST: proxy.host, CNB_USE_DAEMON: "true", CNB_RUN_IMAGE: "run:1", CNB_NO_COLOR: "true" };
      const user = ["-uid", `${PHASE_USER.uid}`, "-gid", `${PHASE_USER.gid}`];
      const layers = ["-layers", runner.layersDir];
      const must = async (outcome: Promise<Outcome>) => {
        const { stdout, ...rest } = await outcome;
        expect(rest, stdout).toMatchObject({ code: 0 });
        return stdout;
      };
      for (const version of ["v1", "v2"]) {
        await runner.resetLayers();
        await runner.write("app/version", `${version}\n`);
        await must(runner.runAsSelf("analyzer", [...user, ...layers, "phased"], env));
        const base = await inspect("run:1");
        const analyzed = await readFile(join(runner.layersDir, "analyzed.toml"), "utf8");
        expect(analyzed).toContain(`reference = "${base.Id}"\n`);
        if (version === "v2") expect(analyzed).toContain(`reference = "${(await inspect("phased")).Id}"\n`);
        const places = ["-app", runner.appDir, "-buildpacks", runner.buildpacksDir, "-platform", runner.platformDir];
        await must(runner.run("detector", [...places, ...layers, "-order", join(runner.dir, "order.toml")], env));
        await must(runner.runAsSelf("restorer", [...user, ...layers], env));
        await must(runner.run("builder", [...places, ...layers], env));
        const launcher = ["-launcher", join(runner.dir, "launcher")];
        const exporterFlags = [...user, ...layers, "-app", runner.appDir, ...launcher, "-log-level=debug"];
        const withoutRunImage = { ...env, CNB_RUN_IMAGE: "" };
        const log = await must(
          runner.runAsSelf("exporter", [...exporterFlags, "phased", "phased:too"], withoutRunImage),
        );
        expect(log).toContain(`*** Image ID: ${(await inspect("phased:too")).Id}\n`);
        expect(await start("phased")).toMatch(new RegExp(`^${version}\n`));
      }
    });

    it("a connection that breaks while the image is loaded ends the export, and the image stays as it was", async () => {
      await succeed("v1", "broken");
      const before = await inspect("broken");
      const outcome = await withFaults({ cutAt: KEPT / 2 }, () => create("v2", "broken", ["-previous-image=none"]));
      expect(outcome.code, outcome.stdout).toBe(62);
      const error = /^ERROR: (.*)$/m.exec(outcome.stdout)?.[1];
      expect(error).toMatch(
        /^failed to export: saving image: failed to write image to the following tags: \[broken: loading image: failed to connect to the docker API at unix:\/\//,
      );
      expect(await inspect("broken")).toEqual(before);
    });

    it("an export that is stopped while the image is loaded leaves nothing behind", async () => {
      await succeed("v1", "stopped");
      const before = await inspect("stopped");
      await runner.resetLayers();
      await runner.write("app/version", "v2\n");
      proxy.begin({ stallAt: KEPT / 2 });
      const cache = await launchCache();
      const flags = ["-daemon", "-run-image=run:1", "-previous-image=none", ...cache, "stopped"];
      const creator = spawn(join(runner.dir, "creator"), [...runner.creatorFlags(), ...flags], {
        env: { PATH: process.env.PATH, CNB_PLATFORM_API: "0.13", DOCKER_HOST: proxy.host, TMPDIR: runner.tempDir },
        stdio: "ignore",
      });
      const ended = once(creator, "exit");
      await expect.poll(() => proxy.sent, { timeout: 20_000 }).toBeGreaterThan(KEPT / 2);
      creator.kill("SIGTERM");
      expect(await ended).toEqual([143, null]);
      expect(await runner.leftovers()).toEqual([]);
      expect(await readdir(join(cache[1] ?? "", "staging"))).toEqual([]);
      expect(await inspect("stopped")).toEqual(before);
    });

    it("a daemon that closes idle connections is held on to while buildpacks run", async () => {
      await runner.writeBuildpack("test/slow", { build: "sleep 6" });
      await runner.writeOrder("test/app", "test/slow");
      try {
        const log = await withFaults({ idleTimeout: 4000 }, () => succeed("v1", "slow"));
        expect(log).not.toContain("ping error");
        expect(proxy.requests.filter((request) => request.endsWith("/_ping")).length).toBeGreaterThan(4);
      } finally {
        await runner.writeOrder("test/app");
      }
    });

    it("no daemon, one that does not answer, and no launch cache are said in one line", async () => {
      const missing = join(dir, "missing.sock");
      const gone = await create("v1", "nothing", [], { DOCKER_HOST: `unix://${missing}` });
      expect(gone.code).toBe(32);
      expect(gone.stdout).toContain(`failed to connect to the docker API at unix://${missing}; check if the path`);
      const dead = join(dir, "dead.sock");
      const die = `require("node:net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))`;
      await run(process.execPath, ["-e", die, dead]);
      const refused = await create("v1", "nothing", [], { DOCKER_HOST: `unix://${dead}` });
      expect(refused.stdout).toMatch(
        /^ERROR: failed to initialize docker client: failed to connect to docker socket: dial unix .*: connect: connection refused$/m,
      );
      expect(refused.code).toBe(1);
      for (const status of [200, 404]) {
        const other = createServer((_, response) => response.writeHead(status).end("<p>a web page</p>"));
        await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
        const host = `tcp://127.0.0.1:${(other.address() as AddressInfo).port}`;
        const strange = await create("v1", "nothing", [], { DOCKER_HOST: host });
        expect(strange.stdout).toContain(
          `getting previous image: inspecting image "nothing": what answers at ${host} is no docker daemon; check DOCKER_HOST\n`,
        );
        expect(strange.code).toBe(32);
        other.close();
      }
      const nowhere = await create("v1", "nothing", ["-launch-cache", join(runner.dir, "nowhere")]);
      expect(nowhere.stdout).toMatch(/^ERROR: .*: creating launch cache: cache directory '.*\/nowhere': ENOENT/m);
      expect(nowhere.code).toBe(32);
      const senseless = await create("v1", "nothing", [], { DOCKER_HOST: "ssh://somewhere" });
      expect(senseless.stdout).toMatch(/^ERROR: failed to initialize docker client: DOCKER_HOST: "ssh:\/\/somewhere"/m);
      expect(senseless.code).toBe(1);
    });

    it("a daemon on a port, with and without TLS", async () => {
      const plain = await startSocketProxy(client.socket, "tcp");
      const certificates = await makeCertificates(dir);
      const { ca, certificate, key } = certificates;
      const secure = await startSocketProxy(client.socket, certificates);
      try {
        await succeed("v1", "port", [], { DOCKER_HOST: plain.host });
        const directory = await mkdtemp(join(runner.dir, "certificates-"));
        await chmod(directory, 0o755);
        for (const [name, file] of Object.entries({ ca, cert: certificate, key })) {
          await copyFile(file, join(directory, `${name}.pem`));
        }
        const tls = { DOCKER_HOST: secure.host, DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: directory };
        await succeed("v1", "port", [], tls);
        expect(secure.requests).toContain("POST /images/load?quiet=true");
        const others = join(dir, "others");
        await mkdir(others);
        await copyFile((await makeCertificates(others)).ca, join(directory, "ca.pem"));
        const wrong = await create("v1", "port", [], tls);
        expect(wrong.code).toBe(32);
        expect(wrong.stdout).toMatch(/certificate/);
      } finally {
        await plain.stop();
        await secure.stop();
      }
    });
  },
);
