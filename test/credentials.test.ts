import { randomUUID } from "node:crypto";
import { chmod } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { PHASE_USER, PhaseRunner } from "./harness/phase-runner.ts";
import { ACCOUNT, type Registry, startRegistry } from "./harness/registry.ts";
import { requireServer } from "./harness/require-server.ts";
import type { Outcome } from "./harness/run.ts";
import { pushSmallRunImage } from "./harness/small-run-image.ts";

/** Looks for the secret wherever a program can look. The pattern comes from a file, so that no command line has it. */
const SEARCH = `
platform=\${CNB_PLATFORM_DIR}
env | grep -qF -f "$platform/secret" && echo "LEAK: in the environment"
for file in /proc/[0-9]*/environ /proc/[0-9]*/cmdline; do
  grep -qaF -f "$platform/secret" "$file" 2>/dev/null && echo "LEAK: in $file"
done
for file in environ mem maps fd/0; do
  (exec 9<"/proc/$PPID/$file") 2>/dev/null && echo "LEAK: the lifecycle's $file open"
done
grep -qF -f "$platform/secret" "$(cat "$platform/config")" 2>/dev/null && echo "LEAK: in config.json"
for number in /proc/$$/fd/*; do
  number=\${number##*/}
  [[ $number -le 2 || $number -eq 255 || ! -e /proc/$$/fd/$number ]] || echo "LEAK: open file $number"
done
echo "searched as user $(id -u)"
`;

const isRoot = process.getuid?.() === 0;

describe.runIf(requireServer("docker-registry", "skopeo"))("what buildpacks see of credentials", () => {
  let runner: PhaseRunner;
  let registry: Registry;
  let runImage: string;

  beforeAll(async () => {
    registry = await startRegistry({ auth: "basic" });
    runImage = await pushSmallRunImage(registry);
    runner = await PhaseRunner.create("creator", "detector", "restorer", "builder");
    await runner.writeBuildpack("test/searches", { detect: SEARCH, build: SEARCH });
    await runner.writeOrder("test/searches");
    await runner.write("platform/config", "/nowhere");
  });

  beforeEach(() => runner.reset());

  afterAll(async () => {
    await runner?.remove();
    await registry?.stop();
  });

  // The output of a bin/detect that passes shows at log level debug.
  const args = () => [
    ...runner.creatorFlags(),
    ...["-log-level", "debug", "-run-image", runImage, `${registry.host}/app:1`],
  ];

  /** `CNB_REGISTRY_AUTH` with a secret that nothing else on this machine has. */
  async function authWithSecret(): Promise<string> {
    const secret = randomUUID();
    await runner.write("platform/secret", `${secret}\n`);
    return JSON.stringify({ ...JSON.parse(registry.registryAuth()), "other.example": `Bearer ${secret}` });
  }

  /** By bin/detect and bin/build, and nothing was found. */
  function expectSearched({ code, stdout }: Outcome): void {
    expect(stdout.match(/^searched as user [1-9]/gm)).toHaveLength(2);
    expect(stdout).not.toContain("LEAK");
    expect(code).toBe(0);
  }

  it("is nothing, when creator runs as the build's user", async () => {
    const outcome = await runner.run("creator", args(), { CNB_REGISTRY_AUTH: await authWithSecret() });
    expectSearched(outcome);
  });

  it.runIf(isRoot)("is nothing, when creator starts as root", async () => {
    const outcome = await runner.runAsSelf("creator", args(), { CNB_REGISTRY_AUTH: await authWithSecret() });
    expectSearched(outcome);
  });

  it.runIf(isRoot)("is nothing, when root has them in a config.json", async () => {
    const config = await runner.write("root/config.json", "");
    await registry.writeDockerConfig(dirname(config));
    await chmod(config, 0o600);
    await runner.write("platform/config", config);
    await runner.write("platform/secret", Buffer.from(`${ACCOUNT.username}:${ACCOUNT.password}`).toString("base64"));
    const outcome = await runner.runAsSelf("creator", args(), { DOCKER_CONFIG: dirname(config) });
    expectSearched(outcome);
  });

  it("is nothing, when a platform gives them to detector and builder, which need none", async () => {
    const env = { CNB_REGISTRY_AUTH: await authWithSecret() };
    await runner.write("group.toml", '[[group]]\nid = "test/searches"\nversion = "1.0.0"\napi = "0.12"\n');
    await runner.write("plan.toml", "");
    const directories = [
      ...["-app", runner.appDir, "-buildpacks", runner.buildpacksDir, "-layers", runner.layersDir],
      ...["-platform", runner.platformDir, "-log-level", "debug"],
    ];
    const file = (name: string) => join(runner.dir, name);
    const detector = await runner.run("detector", [...directories, "-order", file("order.toml")], env);
    const files = ["-group", file("group.toml"), "-plan", file("plan.toml")];
    const builder = await runner.run("builder", [...directories, ...files], env);
    expectSearched({ ...builder, stdout: detector.stdout + builder.stdout });
    expect(detector.code).toBe(0);
  });

  it.runIf(isRoot)("are root's own where restorer looks at the run image", async () => {
    const config = await runner.write("root/config.json", "");
    await registry.writeDockerConfig(dirname(config));
    await chmod(config, 0o600);
    const file = (name: string) => join(runner.dir, name);
    await runner.write("layers/analyzed.toml", `[run-image]\nreference = "${runImage}"\nimage = "${runImage}"\n`);
    await runner.write("run.toml", `[[images]]\nimage = "${runImage}"\n`);
    await runner.write("empty.toml", "");
    const { code, stdout } = await runner.runAsSelf(
      "restorer",
      [
        ...["-run", file("run.toml"), "-group", file("empty.toml")],
        ...["-layers", runner.layersDir, "-uid", `${PHASE_USER.uid}`, "-gid", `${PHASE_USER.gid}`],
      ],
      { CNB_PLATFORM_API: "0.14", DOCKER_CONFIG: dirname(config) },
    );
    expect(code, stdout).toBe(0);
  });

  it("are read once by restorer", async () => {
    const config = await runner.write("damaged/config.json", "{");
    const group = await runner.write("empty.toml", "");
    const user = ["-uid", `${PHASE_USER.uid}`, "-gid", `${PHASE_USER.gid}`];
    const args = ["-group", group, "-layers", runner.layersDir, ...user, "-build-image", `${registry.host}/build`];
    const { stdout } = await runner.run("restorer", args, { DOCKER_CONFIG: dirname(config) });
    expect(stdout.split(config)).toHaveLength(2);
  });

  it("would be found by that search", async () => {
    await authWithSecret();
    await runner.writeBuildpack("test/leaks", {
      build: `SECRET=$(cat "$2/secret") bash -c '${SEARCH.replaceAll("'", "'\\''")}'`,
    });
    await runner.writeOrder("test/leaks");
    const { stdout } = await runner.run("creator", args(), { CNB_REGISTRY_AUTH: registry.registryAuth() });
    expect(stdout).toContain("LEAK: in the environment\nLEAK: in /proc/");
    expect(stdout).toContain("LEAK: the lifecycle's environ open\n");
  });
});

describe.runIf(requireServer("docker-registry", "openssl"))("a registry that lets nobody in", () => {
  let runner: PhaseRunner;

  beforeAll(async () => {
    runner = await PhaseRunner.create("analyzer");
  });

  afterAll(() => runner?.remove());

  it.each(["basic", "token"] as const)("is named, with where credentials were looked for: %s", async (auth) => {
    const registry = await startRegistry({ auth });
    try {
      const { host } = registry;
      const analyze = async (env: Record<string, string>): Promise<string> => {
        const args = [
          "-no-color",
          "-layers",
          runner.layersDir,
          "-uid",
          `${PHASE_USER.uid}`,
          "-gid",
          `${PHASE_USER.gid}`,
        ];
        const outcome = await runner.run("analyzer", [...args, "-run-image", `${host}/run`, `${host}/app`], env);
        expect(outcome.code).toBe(32);
        return outcome.stdout;
      };
      const begins = "ERROR: failed to initialize analyzer: validating registry read access: failed to ensure registry";
      const missing = await analyze({ HOME: runner.dir });
      expect(missing).toContain(begins);
      expect(missing).toContain(
        `401 Unauthorized; there are no credentials for ${host} in CNB_REGISTRY_AUTH (not set)`,
      );
      expect(missing).toMatch(` or ${runner.dir}/.docker/config.json (none that can be read)\n`);
      const others = await analyze({ CNB_REGISTRY_AUTH: '{"other.example":"Basic eDp5"}' });
      expect(others).toContain(`; there are no credentials for ${host} in CNB_REGISTRY_AUTH\n`);
      const wrong = Buffer.from(`${ACCOUNT.username}:wrong`).toString("base64");
      const refused = await analyze({ CNB_REGISTRY_AUTH: JSON.stringify({ [host]: `Basic ${wrong}` }) });
      expect(refused).toContain(begins);
      expect(refused).toContain(`; it was shown the credentials for ${host} from CNB_REGISTRY_AUTH\n`);
      const config = await runner.write("wrong/config.json", JSON.stringify({ auths: { [host]: { auth: wrong } } }));
      const fromFile = await analyze({ DOCKER_CONFIG: dirname(config) });
      expect(fromFile).toContain(`; it was shown the credentials for ${host} from ${config}\n`);
    } finally {
      await registry.stop();
    }
  });
});
