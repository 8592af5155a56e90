import { spawn } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  applyAll,
  applyCommand,
  baseConfig,
  copyRoot,
  makeBaseRoot,
  makeContext,
  readLayer,
  remove,
  tar,
  temporaryDirectory,
} from "./dockerfile-corpus.ts";
import type { Job, JobResult } from "./dockerfile-driver.ts";
import { requireRoot } from "./harness/require-server.ts";
import { mustRun } from "./harness/run.ts";

const HEAD = `ARG base_image\nFROM \${base_image}\n`;

describe.runIf(requireRoot("changing roots"))("applying Dockerfiles to a directory", () => {
  const directory = temporaryDirectory();
  const base = join(directory, "base");
  const context = join(directory, "context");
  let number = 0;

  beforeAll(async () => {
    await makeBaseRoot(base);
    await makeContext(context);
  });

  afterAll(() => remove(directory));

  /** A root, Dockerfile and cache of its own. */
  async function job(instructions: string, more: Partial<Job> = {}): Promise<Job> {
    number++;
    const root = more.root ?? join(directory, `root-${number}`);
    if (!existsSync(root)) await copyRoot(base, root);
    const file = join(directory, `${number}.Dockerfile`);
    writeFileSync(file, HEAD + instructions);
    const config = { ...baseConfig, rootfs: { type: "layers", diff_ids: [] } };
    const cache = join(directory, `cache-${number}`);
    return { file, config, context, cache, buildArgs: { base_image: "base" }, ...more, root };
  }

  async function apply(...jobs: Job[]): Promise<JobResult[]> {
    return applyAll(directory, jobs);
  }

  async function applyOne(instructions: string, more: Partial<Job> = {}): Promise<JobResult & { root: string }> {
    const made = await job(instructions, more);
    const [result] = await apply(made);
    if (result === undefined) throw new Error("no result");
    return { ...result, root: made.root };
  }

  function cached({ log }: JobResult): number {
    return log.filter((line) => line === " ---> Using cache").length;
  }

  it("says of a RUN that fails what it was, where it stands and what it said", async () => {
    const { error, output } = await applyOne("# a comment\nRUN echo working && \\\n  echo broken >&2 && exit 7\n");
    expect(error).toEqual({
      code: "failed",
      message: expect.stringMatching(
        /\/\d+\.Dockerfile:4: RUN echo working && {3}echo broken >&2 && exit 7: exit status 7; its output ended with:\nworking\nbroken$/,
      ),
    });
    expect(output).toBe("working\nbroken\n");
  });

  it("says which program is not there, and which user", async () => {
    const [program, user, group] = await apply(
      await job('RUN ["no-such-program"]\n'),
      await job("USER nobody-knows\nRUN true\n"),
      await job("COPY --chown=app:nogroup plain.txt /\n"),
    );
    expect(program?.error?.message).toMatch(/:3: RUN .*exit status 127.*\n.*executable file not found in \$PATH/);
    expect(user?.error?.message).toMatch(/:4: RUN true: unable to find user nobody-knows/);
    expect(group?.error?.message).toMatch(/:3: COPY .* unable to find group nogroup/);
  });

  it("gives RUN nothing of its own environment", async () => {
    const { output } = await applyOne("RUN env | sort\n");
    expect(output).toBe(
      ["BASE=of the image", "HOME=/root", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "PWD=/", "SHLVL=1", ""].join("\n"),
    );
  });

  describe("that are hostile", () => {
    const outside = join(directory, "outside");

    beforeAll(() => {
      mkdirSync(outside);
      writeFileSync(join(outside, "victim"), "untouched");
      writeFileSync(join(context, "outside.tar"), tar([{ name: `../..${outside}/victim`, contents: "hit" }]));
      writeFileSync(join(context, "device.tar"), tar([{ name: "sda", type: "4", deviceMajor: 8 }]));
      writeFileSync(
        join(context, "link.tar"),
        tar([
          { name: "way", type: "2", linkName: outside },
          { name: "way/victim", contents: "hit" },
        ]),
      );
      writeFileSync(
        join(context, "hardlink.tar"),
        tar([{ name: "x", type: "1", linkName: `../../${outside}/victim` }]),
      );
      symlinkSync(outside, join(context, "out"));
      symlinkSync("../outside/victim", join(context, "out-relative"));
    });

    it.each([
      ["COPY with ..", "COPY ../outside/victim /x", /forbidden path outside the build context/],
      ["COPY with .. in the middle", "COPY tree/../../outside/victim /x", /forbidden path outside the build context/],
      ["COPY of a symlink that leads out", "COPY out/victim /x", /is not in the build context/],
      ["COPY of a relative symlink that leads out", "COPY out-relative /x", /is not in the build context/],
      ["ADD of an archive with ..", "ADD outside.tar /x/", /its path has '\.\.' in it/],
      ["ADD of an archive with a device", "ADD device.tar /x/", /entry sda of the archive is refused: it is a device/],
      ["ADD of an archive with a hard link out", "ADD hardlink.tar /x/", /its path has '\.\.' in it/],
      ["symlinks in circles", "RUN ln -s /a /b && ln -s /b /a\nCOPY plain.txt /a/b", /too many levels of symbolic/],
    ])("%s is refused", async (_, instruction, message) => {
      const { error } = await applyOne(`${instruction}\n`);
      expect(error?.message).toMatch(message);
      expect(error?.message).toMatch(/\.Dockerfile:[34]: (?:COPY|ADD) /);
      expect(readFileSync(join(outside, "victim"), "utf8")).toBe("untouched");
    });

    it("stay in the root where they follow its symlinks", async () => {
      const { root, error } = await applyOne(
        [
          `RUN mkdir -p /links && ln -s ${outside} /links/absolute && ln -s ../../../../../../..${outside} /links/relative`,
          "COPY plain.txt /links/absolute/victim",
          "COPY plain.txt /links/relative/second",
          "COPY tree /links/absolute/tree",
          "WORKDIR /links/relative/work",
          "ADD link.tar /links/absolute/",
          `RUN ln -s ${outside}/victim /links/file`,
          "COPY plain.txt /links/file",
          "",
        ].join("\n"),
      );
      expect(error).toBeUndefined();
      expect(readdirSync(outside)).toEqual(["victim"]);
      expect(readFileSync(join(outside, "victim"), "utf8")).toBe("untouched");
      expect(readFileSync(join(root, outside, "second"), "utf8")).toBe("plain\n");
      expect(existsSync(join(root, outside, "work"))).toBe(true);
    });

    it("are not followed through /etc/passwd and /etc/resolv.conf", async () => {
      const root = join(directory, "linked-root");
      await copyRoot(base, root);
      for (const name of ["resolv.conf", "passwd"]) {
        rmSync(join(root, "etc", name), { force: true });
        symlinkSync(`${outside}/victim`, join(root, "etc", name));
      }
      const { error, layers } = await applyOne("RUN echo x >> /etc/resolv.conf\nUSER 12\nRUN id -u\n", { root });
      expect(error).toBeUndefined();
      expect(readFileSync(join(outside, "victim"), "utf8")).toBe("untouched");
      expect(lstatSync(join(root, "etc/resolv.conf")).isSymbolicLink()).toBe(true);
      expect(layers).toEqual([]);
    });

    it("change nothing outside where a RUN puts symlinks in the way of what is undone after it", async () => {
      const way = join(outside, "b/c");
      const etc = join(directory, "etc-below");
      await copyRoot(base, etc);
      mkdirSync(join(etc, "a/b"), { recursive: true });
      renameSync(join(etc, "etc"), join(etc, "a/b/etc"));
      symlinkSync("a/b/etc", join(etc, "etc"));
      mkdirSync(way, { recursive: true });
      mkdirSync(join(outside, "b/etc"));
      const files = ["key", "../etc/hosts", "../etc/resolv.conf"].map((name) => join(way, name));
      for (const file of files) writeFileSync(file, "untouched");
      const script = "#!/bin/sh\necho hit";
      const put = `rm -rf /a; ln -s ${outside} /a`;
      const results = await apply(
        await job(`RUN --mount=type=cache,id=x,target=/a/b/c ${put}\n`),
        await job(`RUN --mount=type=tmpfs,target=/a/b/c ${put}\n`),
        await job(`RUN --mount=type=bind,source=plain.txt,target=/a/b/c/key ${put}\n`),
        await job(`RUN ${put}\n`, { root: etc }),
        await job(`RUN ln -s ${way} /.lifecycle-heredocs\nRUN <<key\n${script}\nkey\n`),
      );
      expect(results.map(({ error }) => error)).toEqual(results.map(() => undefined));
      expect(files.map((file) => readFileSync(file, "utf8"))).toEqual(files.map(() => "untouched"));
      for (const { warnings } of results.slice(0, 4)) expect(warnings[0]).toMatch(/^\/a\/b\/\S+ was not put back/);
      rmSync(join(outside, "b"), { recursive: true });
    });

    it("cannot reach the devices of the machine", async () => {
      const device = `/dev/lifecycle-test-${process.pid}`;
      writeFileSync(device, "");
      try {
        const check = "test -c /dev/null && echo x > /dev/null && head -c 1 /dev/zero | od -t x1";
        const { error, layers } = await applyOne(
          `RUN ${check} && rm -rf ${device} && test ! -e ${device} && ls /dev && : > /dev/shm/x\n`,
        );
        expect([error, layers]).toEqual([undefined, []]);
        expect(existsSync(device)).toBe(true);
      } finally {
        rmSync(device, { force: true });
      }
    });

    it("do not wait for a pipe in the context", async () => {
      const other = join(directory, "pipes");
      mkdirSync(join(other, "in"), { recursive: true });
      await mustRun("mkfifo", [join(other, "pipe"), join(other, "in/pipe")]);
      const [file, tree, add] = await apply(
        await job("COPY pipe /x\n", { context: other }),
        await job("COPY in /x\n", { context: other }),
        await job("ADD pipe /x\n", { context: other }),
      );
      for (const result of [file, tree, add]) expect(result?.error?.message).toMatch(/is a pipe, socket or device/);
    });

    it("neither wait for an ignore file that is a pipe, nor let one lead out", async () => {
      const [pipe, linked] = [join(directory, "ignore-pipe"), join(directory, "ignore-link")];
      for (const each of [pipe, linked]) mkdirSync(each);
      await mustRun("mkfifo", [join(pipe, ".dockerignore")]);
      writeFileSync(join(outside, "patterns"), "file\n");
      symlinkSync("../outside/patterns", join(linked, ".dockerignore"));
      for (const each of [pipe, linked]) writeFileSync(join(each, "file"), "copied\n");
      const [unused, used, out] = await apply(
        await job("COPY <<X /given\n\nX\nRUN true\n", { context: pipe }),
        await job("COPY file /\n", { context: pipe }),
        await job("COPY file /\n", { context: linked }),
      );
      expect(unused?.error).toBeUndefined();
      expect(used?.error?.message).toMatch(/:3: COPY file \/: read .*\/\.dockerignore: not a regular file$/);
      expect(out?.error).toBeUndefined();
      rmSync(join(outside, "patterns"));
    });

    it("are stopped with all that they started, also what runs in the background", async () => {
      const made = await job("RUN setsid sleep 98765 & trap '' TERM; echo started; while true; do sleep 1; done\n");
      const { command, args, result } = applyCommand(directory, made);
      const child = spawn(command, args, { stdio: "ignore" });
      const ended = new Promise((resolve) => child.once("exit", resolve));
      for (let wait = 0; wait < 100 && !(await isRunning(made.root)); wait++) await setTimeout(100);
      expect(await isRunning(made.root)).toBe(true);
      child.kill("SIGUSR1");
      await ended;
      const [{ error }] = JSON.parse(readFileSync(result, "utf8")) as [JobResult];
      expect(error).toEqual({ code: "aborted", message: expect.stringMatching(/:3: RUN was stopped$/) });
      expect(await isRunning(made.root)).toBe(false);
    });

    it("do not outlive whoever applies them", async () => {
      const made = await job("RUN while true; do sleep 1; done\n");
      const { command, args } = applyCommand(directory, made);
      const child = spawn(command, args, { stdio: "ignore" });
      const ended = new Promise((resolve) => child.once("exit", resolve));
      for (let wait = 0; wait < 100 && !(await isRunning(made.root)); wait++) await setTimeout(100);
      child.kill("SIGKILL");
      await ended;
      for (let wait = 0; wait < 50 && (await isRunning(made.root)); wait++) await setTimeout(100);
      expect(await isRunning(made.root)).toBe(false);
    });

    it("leave nothing running that could change files later", async () => {
      const started = performance.now();
      const made = await job("RUN (sleep 600; touch /late) & setsid sh -c 'sleep 600; touch /later' &\nRUN ls /\n");
      const [result] = await apply(made);
      expect(result?.error).toBeUndefined();
      expect(performance.now() - started).toBeLessThan(60_000);
      expect(await isRunning(made.root)).toBe(false);
    });

    /** Whether a process has the root for its own. */
    async function isRunning(root: string): Promise<boolean> {
      const script = 'for p in /proc/[0-9]*/root; do [ "$(readlink "$p")" = "$1" ] && echo "$p"; done; true';
      return (await mustRun("bash", ["-c", script, "bash", root])).trim() !== "";
    }
  });

  describe("with a cache", () => {
    const steps =
      "ARG build_id=0\nARG version=1\nRUN echo one $version > /one\nCOPY tree /tree\nRUN cat /one /tree/a.txt\n";

    async function twice(instructions: string, first: Partial<Job>, second: Partial<Job>): Promise<JobResult> {
      const made = await job(instructions, first);
      const again = await job(instructions, { cache: made.cache, ...second });
      const [, result] = await apply(made, again);
      if (result === undefined) throw new Error("no result");
      return result;
    }

    const args = (more: Record<string, string>): Partial<Job> => ({ buildArgs: { base_image: "base", ...more } });

    it("takes every step from it if nothing changed, whatever build_id is", async () => {
      const result = await twice(steps, args({ build_id: "1" }), args({ build_id: "2" }));
      expect(cached(result)).toBe(3);
      expect(result.output).toBe("");
    });

    it("runs anew what build_id is named in, and all that follows", async () => {
      const result = await twice(
        `${steps}RUN echo \${build_id}\nRUN echo last\n`,
        args({ build_id: "1" }),
        args({ build_id: "2" }),
      );
      expect(cached(result)).toBe(3);
      expect(result.output).toBe("2\nlast\n");
    });

    it("runs anew what other args, files or instructions changed", async () => {
      expect(cached(await twice(steps, args({}), args({ version: "2" })))).toBe(0);
      const other = join(directory, "other-context");
      await mustRun("cp", ["--archive", context, other]);
      writeFileSync(join(other, "tree/a.txt"), "changed\n");
      const changed = await twice(steps, {}, { context: other });
      expect(cached(changed)).toBe(1);
      expect(changed.output).toBe("one 1\nchanged\n");
    });

    it("runs anew what has other files mounted", async () => {
      const other = join(directory, "mounted-context");
      await mustRun("cp", ["--archive", context, other]);
      writeFileSync(join(other, "plain.txt"), "changed\n");
      writeFileSync(join(other, "tree/sub/new"), "new\n");
      const images = { image: other };
      const bind = (more: string) => `ARG what=plain\nRUN --mount=type=bind,${more} cat /m || ls /m/sub\n`;
      const file = bind("source=$what.txt,target=/m");
      expect(await twice(file, {}, { context: other })).toMatchObject({ output: "changed\n" });
      expect(cached(await twice(bind("source=tree,target=/m"), {}, { context: other }))).toBe(0);
      expect(cached(await twice(file, {}, args({ unknown: "x" })))).toBe(1);
      const digests = (digest: string) => ({ images, identities: { image: digest } });
      const fromImage = bind("from=image,source=plain.txt,target=/m");
      expect(cached(await twice(fromImage, digests("a"), digests("b")))).toBe(0);
      expect(await twice(fromImage, digests("a"), digests("a"))).toMatchObject({ output: "", opened: [] });
    });

    it("copies anew what another pattern of COPY --parents matches", async () => {
      const first = await job("COPY --parents tree/a.txt /kept/\n");
      const second = await job("COPY --parents plain.txt /kept/\n", { cache: first.cache });
      await apply(first, second);
      expect(readdirSync(join(second.root, "kept"))).toEqual(["plain.txt"]);
    });

    it("looks into no image for what it has", async () => {
      const instructions = "COPY --from=image tree pl*.txt /copied/\n";
      const images = { image: context };
      const result = await twice(instructions, { images }, { images });
      expect([cached(result), result.opened]).toEqual([1, []]);
      const changed = await twice(instructions, { images }, { images, identities: { image: "other" } });
      expect([cached(changed), changed.opened]).toEqual([0, ["image"]]);
    });

    it("takes nothing that is too old", async () => {
      expect(cached(await twice(steps, {}, { timeToLive: 0 }))).toBe(0);
    });

    it("takes nothing that is damaged", async () => {
      const made = await job(steps);
      const [first] = await apply(made);
      const path = first?.layers[0]?.path ?? "";
      const bytes = readFileSync(path);
      bytes[20] = (bytes[20] ?? 0) ^ 1;
      writeFileSync(path, bytes);
      const [second] = await apply(await job(steps, { cache: made.cache }));
      expect(second?.error).toBeUndefined();
      expect(cached(second ?? fail())).toBe(0);
      expect(second?.layers).toEqual(first?.layers);
    });

    it("goes on without one that is full", async () => {
      const full = join(directory, "full");
      mkdirSync(full);
      await mustRun("mount", ["-t", "tmpfs", "-o", "size=1m", "none", full]);
      try {
        const instructions = "RUN dd if=/dev/urandom of=/big bs=1M count=3\nRUN echo small > /small\n";
        const [elsewhere, unneeded, nowhere] = await apply(
          await job(instructions, { cache: full, work: join(directory, "work") }),
          await job(instructions, { cache: full, onlyRoot: true }),
          await job(instructions, { cache: full }),
        );
        const warning = `Not caching this step: layers cannot be written to ${full}: ENOSPC: no space left on device`;
        expect([elsewhere?.error, elsewhere?.layers.length, elsewhere?.warnings]).toEqual([undefined, 2, [warning]]);
        expect([unneeded?.error, unneeded?.layers.length, unneeded?.warnings]).toEqual([undefined, 1, [warning]]);
        expect(nowhere?.error?.message).toMatch(
          `layers cannot be written to ${join(full, "work", "uncached")}: ENOSPC`,
        );
        expect(readdirSync(join(full, "blobs"))).toEqual(["sha256"]);
      } finally {
        await mustRun("umount", [full]);
      }
    });

    it("makes the same root of it as the instructions did", async () => {
      const instructions = [
        "RUN rm -r /data/sub && mkdir /data/sub && touch /data/sub/new && rm /data/file && ln /data/hard1 /data/hard3",
        "RUN mkdir /odd && touch \"/odd/$(printf '\\377\\376')\" \"/odd/$(printf '\\377')\" \"/odd/$(printf 'new\\nline')\"",
        "RUN rm \"/odd/$(printf '\\377\\376')\"",
        "ADD capable.tar /capable",
        "RUN mkfifo /data/pipe && chmod 4711 /data/modes && chown 1000:50 /data/tomove && ln -s x /data/symlink",
        "",
      ].join("\n");
      const made = await job(instructions);
      const again = await job(instructions, { cache: made.cache });
      const [, second] = await apply(made, again);
      expect(cached(second ?? fail())).toBe(5);
      // Everything but times, and what stands for the machine around the root.
      const list = async (root: string) => {
        const find = `cd "$1" && find . -path ./dev -prune -o -path ./proc -prune -o -path ./sys -prune -o -printf '%p %y %m %U %G %l %n %s\\n' | sed 's/ d \\(.*\\) [0-9]*$/ d \\1/' | sort`;
        return mustRun("bash", ["-c", find, "bash", root]);
      };
      expect(await list(again.root)).toBe(await list(made.root));
    });
  });

  it("has caches of mounts on another file system, and goes on with an empty one that does not fit", async () => {
    const disks = [join(directory, "mounted-caches"), join(directory, "small-root")] as const;
    const [mountCaches, root] = disks;
    for (const disk of disks) {
      mkdirSync(disk);
      await mustRun("mount", ["-t", "tmpfs", "-o", "size=8m", "none", disk]);
    }
    try {
      await mustRun("cp", ["--archive", `${base}/.`, root]);
      const fill = "echo $(ls /c) && ln -s a /c/link && dd if=/dev/zero of=/c/a bs=1M count=7 2>/dev/null";
      const mount = "RUN --mount=type=cache,target=/c";
      const [filled, tooLarge, kept] = await apply(
        await job(`${mount} ${fill}\n${mount} ls /c\n`, { mountCaches }),
        await job(`${mount} echo $(ls /c) && touch /c/b\n`, { mountCaches, root }),
        await job(`${mount} ls /c\n`, { mountCaches }),
      );
      expect([filled?.error, filled?.output, filled?.warnings]).toEqual([undefined, "\na\nlink\n", []]);
      expect([tooLarge?.error, tooLarge?.output]).toEqual([undefined, "\n"]);
      expect(tooLarge?.warnings).toEqual([
        expect.stringMatching(/^The cache at \/c is empty, since it cannot be copied there: ENOSPC/),
      ]);
      expect(kept?.output).toBe("b\n");
    } finally {
      for (const disk of disks) await mustRun("umount", [disk]);
    }
  });

  it("copies from other images, and nothing from beyond them", async () => {
    const image = join(directory, "image");
    await copyRoot(base, image);
    symlinkSync(join(directory, "outside/victim"), join(image, "out"));
    const images = { "example.org/other:1": image };
    const [fine, out] = await apply(
      await job(
        [
          "COPY --from=example.org/other:1 /data/dir /from",
          `COPY --from=\${base_image} data/file /`,
          `RUN --mount=from=\${base_image},target=/m test -d /m/data/dir`,
          "",
        ].join("\n"),
        { images: { ...images, base: image } },
      ),
      await job("COPY --from=example.org/other:1 /out /x\n", { images }),
    );
    expect(fine?.error).toBeUndefined();
    expect([...(await readLayer(fine?.layers[0]?.path ?? "")).keys()]).toEqual(["from", "from/inside"]);
    expect(out?.error?.message).toMatch(/\/out is not in image example\.org\/other:1/);
  });

  it("takes a base image that says neither where nor as whom programs run", async () => {
    const config = { ...baseConfig, config: { WorkingDir: "", User: "" }, rootfs: { type: "layers", diff_ids: [] } };
    const { error, output, layers } = await applyOne("RUN pwd && id -u\nCOPY plain.txt here\nWORKDIR sub\nRUN pwd\n", {
      config,
    });
    expect(error).toBeUndefined();
    expect(output).toBe("/\n0\n/sub\n");
    expect([...(await readLayer(layers[0]?.path ?? "")).keys()]).toEqual(["here"]);
  });

  it("carries out what the base image's ONBUILD left, once", async () => {
    const config = { ...baseConfig.config, OnBuild: ["RUN echo triggered > /triggered", "ENV T=1"] };
    const { config: made, layers } = await applyOne("RUN test -f /triggered && test $T = 1\n", {
      config: { ...baseConfig, config, rootfs: { type: "layers", diff_ids: [] } },
    });
    expect(layers).toHaveLength(1);
    expect(made?.config).not.toHaveProperty("OnBuild");
    expect(made?.history?.map(({ created_by, empty_layer }) => [created_by, empty_layer])).toEqual([
      ["RUN echo triggered > /triggered", undefined],
      ["ENV T=1", true],
      ["RUN test -f /triggered && test $T = 1", true],
    ]);
  });

  describe("downloads", () => {
    let server: Server;
    let url: string;

    beforeAll(async () => {
      server = createServer((request, response) => {
        if (request.url === "/missing") response.writeHead(404).end();
        else response.end("served\n");
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    });

    afterAll(() => server.close());

    it("are held to their checksum, and say why they cannot be had", async () => {
      const [wrong, local, missing, git] = await apply(
        await job(`ADD --checksum=sha256:${"0".repeat(64)} ${url}/file /\n`),
        await job(`ADD --checksum=sha256:${"0".repeat(64)} plain.txt /\n`),
        await job(`ADD ${url}/missing /\n`),
        await job("ADD https://example.org/repository.git /\n"),
      );
      expect(wrong?.error?.message).toMatch(/it has digest sha256:c5acc4ae.* instead of sha256:0000/);
      expect(local?.error?.message).toMatch(/--checksum is for one source, which has to be a URL/);
      expect(missing?.error?.message).toMatch(
        /\/missing \/: it cannot be fetched: GET .*: unexpected status code 404 Not Found$/,
      );
      expect(git?.error?.message).toMatch(/Git repositories cannot be added/);
    });
  });
});

function fail(): never {
  throw new Error("nothing came of it");
}
