import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  applyAll,
  BUN,
  baseConfig,
  copyRoot,
  FIXTURES,
  makeBaseRoot,
  makeContext,
  readLayer,
  remove,
  temporaryDirectory,
} from "./dockerfile-corpus.ts";
import type { Job, JobResult } from "./dockerfile-driver.ts";
import { importImage, runContainer } from "./harness/containers.ts";
import { type DockerDaemon, startDockerDaemon } from "./harness/docker-daemon.ts";
import { requireServer } from "./harness/require-server.ts";
import { sampleStack } from "./harness/sample-builder.ts";

const REPOSITORY = fileURLToPath(new URL("..", import.meta.url));

describe.runIf(requireServer("dockerd"))("applying Dockerfiles in an ordinary container", () => {
  const directory = temporaryDirectory();
  const base = join(directory, "base");
  const context = join(directory, "context");
  const config = { ...baseConfig, rootfs: { type: "layers", diff_ids: [] } } as const;
  let daemon: DockerDaemon;

  beforeAll(async () => {
    await makeBaseRoot(base);
    await makeContext(context);
    daemon = await startDockerDaemon();
    const { build } = await sampleStack();
    await importImage(daemon, build, "samples/build:latest");
  });

  afterAll(async () => {
    await daemon?.stop();
    remove(directory);
  });

  /** Runs the driver in a container with the capabilities that Docker gives by default. */
  async function applyInContainer(jobs: readonly Job[], flags: string[] = []): Promise<JobResult[]> {
    const path = join(directory, `jobs-${Date.now()}.json`);
    writeFileSync(path, JSON.stringify(jobs));
    const driver = join(REPOSITORY, "test/dockerfile-driver.ts");
    const outcome = await runContainer(daemon, {
      image: "samples/build:latest",
      command: [BUN, driver, path],
      mounts: { [REPOSITORY.replace(/\/$/, "")]: `${REPOSITORY.replace(/\/$/, "")}:ro`, [directory]: directory },
      flags,
    });
    if (outcome.code !== 0) throw new Error(`the driver failed:\n${outcome.stdout}${outcome.stderr}`);
    return JSON.parse(readFileSync(`${path}.out`, "utf8")) as JobResult[];
  }

  it("gives a directory the same layers as with all privileges", async () => {
    const chosen = readdirSync(FIXTURES)
      .flatMap((name) => /^((?:run|snapshot|add-[ac]|copy-[lm]).*)\.Dockerfile$/.exec(name)?.[1] ?? [])
      // Only with the privilege to mount does a RUN see /proc.
      .filter((name) => !name.endsWith(".classic") && name !== "snapshot-network-files");
    const jobsIn = async (place: string): Promise<Job[]> => {
      const jobs: Job[] = [];
      for (const name of chosen) {
        const root = join(directory, place, name);
        mkdirSync(join(directory, place), { recursive: true });
        await copyRoot(base, root);
        const cache = join(directory, `${place}-cache`, name);
        const buildArgs = { base_image: "base", user_id: "1000" };
        jobs.push({ file: join(FIXTURES, `${name}.Dockerfile`), root, config, buildArgs, context, cache });
      }
      return jobs;
    };
    const diffIds = (results: readonly JobResult[]) =>
      Object.fromEntries(results.map(({ error, layers }, i) => [chosen[i], error ?? layers.map((l) => l.diffId)]));
    const inside = diffIds(await applyInContainer(await jobsIn("inside")));
    const outside = diffIds(await applyAll(directory, await jobsIn("outside")));
    expect(inside).toEqual(outside);
  });

  it("changes the container's own root, but for what is mounted and ignored", async () => {
    const file = join(directory, "own.Dockerfile");
    writeFileSync(
      file,
      [
        "ARG base_image",
        `FROM \${base_image}`,
        "RUN mkdir /made && echo new > /made/file && rm /etc/nsswitch.conf && chmod 751 /usr/bin/busybox",
        "RUN echo gone > /layers/ignored && echo gone > /dev/shm/x && echo 1.2.3.4 x >> /etc/hosts",
        "COPY plain.txt /made/copied",
        "COPY plain.txt /etc/hosts",
        'RUN test "$(cat /etc/hosts)" = plain',
        "WORKDIR /made/deeper",
        "USER cnb",
        "RUN id -u > /tmp/who; (sleep 300 & setsid sleep 301 &) ; true",
        "RUN ps | grep -c '[s]leep 30' > /tmp/sleepers || true",
      ].join("\n"),
    );
    const job = { file, root: "/", config, buildArgs: { base_image: "x" }, context, ignored: ["/layers"] };
    const [result] = await applyInContainer([{ ...job, cache: join(directory, "own-cache") }]);
    expect(result?.error).toBeUndefined();
    const layers = await Promise.all((result?.layers ?? []).map(({ path }) => readLayer(path)));
    expect(layers.map((entries) => [...entries.keys()])).toEqual([
      ["etc", "etc/.wh.nsswitch.conf", "made", "made/file", "usr", "usr/bin", "usr/bin/busybox"],
      ["made", "made/copied"],
      ["made", "made/deeper"],
      ["tmp", "tmp/who"],
      ["tmp", "tmp/sleepers"],
    ]);
    expect(layers[3]?.get("tmp/who")).toMatchObject({ uid: 1000, gid: 1000, contents: "1000\n" });
    expect(layers[4]?.get("tmp/sleepers")).toMatchObject({ contents: "0\n" });
  });

  it("brings back in a fresh container what the cache has, and runs nothing", async () => {
    const file = join(directory, "cached.Dockerfile");
    const lines = [
      "ARG base_image",
      `FROM \${base_image}`,
      "ARG build_id=0",
      "RUN echo one > /one && rm -r /etc/group",
    ];
    writeFileSync(file, [...lines, "COPY plain.txt /two", "RUN cat /one /two > /three"].join("\n"));
    const cache = join(directory, "shared-cache");
    const job = { file, root: "/", config, context, cache };
    const [first] = await applyInContainer([{ ...job, buildArgs: { base_image: "x", build_id: "1" } }]);
    const again = { ...job, buildArgs: { base_image: "x", build_id: "2" } };
    const check = join(directory, "check.Dockerfile");
    writeFileSync(check, `${lines[0]}\n${lines[1]}\nRUN cat /three > /seen && ! test -e /etc/group`);
    const [second, third] = await applyInContainer([again, { ...again, file: check, cache: join(directory, "check") }]);
    expect(second?.log.filter((line) => line === " ---> Using cache")).toHaveLength(3);
    expect(second?.layers).toEqual(first?.layers);
    expect(third?.error).toBeUndefined();
    const seen = await readLayer(third?.layers[0]?.path ?? "");
    expect(seen.get("seen")).toMatchObject({ contents: "one\nplain\n" });
  });
});
