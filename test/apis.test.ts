import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { PhaseRunner } from "./harness/phase-runner.ts";
import { type Registry, startRegistry } from "./harness/registry.ts";
import { requireServer } from "./harness/require-server.ts";
import { type InspectedImage, inspectImage } from "./harness/skopeo.ts";
import { pushSmallRunImage } from "./harness/small-run-image.ts";

const PLATFORM_APIS = ["0.7", "0.8", "0.9", "0.10", "0.11", "0.12", "0.13", "0.14", "0.15"];
const BUILDPACK_APIS = ["0.7", "0.8", "0.9", "0.10", "0.11", "0.12"];

const minor = (api: string) => Number(api.slice("0.".length));

/** What a buildpack of that API leaves; its process is written in the way of that API. */
function buildOf(api: string): string {
  const start = minor(api) < 9 ? 'command = "serve"\ndirect = true' : 'command = ["serve"]';
  const directory = minor(api) < 8 ? "" : 'working-dir = "/srv"';
  return `
for name in CNB_BUILDPACK_DIR CNB_PLATFORM_DIR CNB_LAYERS_DIR CNB_BP_PLAN_PATH CNB_TARGET_OS CNB_EXEC_ENV; do
  echo "$name=\${!name-}"
done
mkdir "$1/layer"
printf '[types]\\nlaunch = true\\n' >"$1/layer.toml"
echo '{}' >"$1/layer.sbom.cdx.json"
printf '[[bom]]\\nname = "for the build"\\n' >"$1/build.toml"
cat >"$1/launch.toml" <<TOML
[[processes]]
type = "web"
${start}
args = ["--port", "8080"]
${directory}
default = true

[[bom]]
name = "for launch"
TOML
`;
}

describe.runIf(requireServer("docker-registry", "skopeo"))("a build", () => {
  let registry: Registry;
  let runner: PhaseRunner;
  let runImage: string;

  beforeAll(async () => {
    registry = await startRegistry();
    runImage = await pushSmallRunImage(registry);
    runner = await PhaseRunner.create("creator", "analyzer");
    await runner.write("run.toml", `[[images]]\nimage = "${runImage}"\n`);
    await runner.write("stack.toml", `[run-image]\nimage = "${runImage}"\n`);
    await runner.write("system.toml", '[[system.pre.buildpacks]]\nid = "test/system"\nversion = "1.0.0"\n');
    await runner.writeBuildpack("test/system", { build: 'echo "the system buildpack runs"' });
    await runner.write("app/main.txt", "main\n");
    for (const api of BUILDPACK_APIS) {
      const descriptor = 'sbom-formats = ["application/vnd.cyclonedx+json"]\n[[stacks]]\nid = "*"\n';
      await runner.writeBuildpack(`test/api-${api}`, { api, descriptor, build: buildOf(api) });
    }
  });

  beforeEach(() => runner?.reset());

  afterAll(async () => {
    await runner?.remove();
    await registry?.stop();
  });

  const label = ({ config }: InspectedImage, name: string) => JSON.parse(config.config.Labels?.[name] ?? "null");

  /** What creator prints, and the image it makes. */
  async function create(platformApi: string, buildpackApi: string): Promise<{ output: string; image: InspectedImage }> {
    await runner.writeOrder(`test/api-${buildpackApi}`);
    const api = minor(platformApi);
    const name = `${registry.host}/app-${platformApi}:${buildpackApi}`;
    const { code, stdout, stderr } = await runner.run(
      "creator",
      [
        ...runner.creatorFlags(),
        ...["-no-color", "-report", join(runner.layersDir, "report.toml")],
        ...(api < 12 ? ["-stack", join(runner.dir, "stack.toml")] : ["-run", join(runner.dir, "run.toml")]),
        ...(api < 13 ? [] : ["-insecure-registry", registry.host]),
        ...(api < 15 ? [] : ["-system", join(runner.dir, "system.toml")]),
        name,
      ],
      {
        CNB_PLATFORM_API: platformApi,
        CNB_STACK_ID: "small",
        CNB_EXEC_ENV: "test",
        SOURCE_DATE_EPOCH: "1700000000",
      },
    );
    expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: "" });
    return { output: stdout, image: await inspectImage(`docker://${name}`, registry) };
  }

  const pairs = PLATFORM_APIS.flatMap((platform) => BUILDPACK_APIS.map((buildpack) => [platform, buildpack] as const));

  it.each(pairs)("at Platform API %s with a buildpack of API %s", async (platformApi, buildpackApi) => {
    const { output, image } = await create(platformApi, buildpackApi);
    expectOfBuildpackApi(output, buildpackApi);
    expectOfPlatformApi(output, image, platformApi, buildpackApi);
  });

  function expectOfBuildpackApi(output: string, api: string): void {
    const given = (name: string) => new RegExp(`^${name}=.`, "m").test(output);
    expect(given("CNB_BUILDPACK_DIR")).toBe(true);
    for (const name of ["CNB_PLATFORM_DIR", "CNB_LAYERS_DIR", "CNB_BP_PLAN_PATH"]) {
      expect(given(name), name).toBe(minor(api) >= 8);
    }
    expect(given("CNB_TARGET_OS")).toBe(minor(api) >= 10);
    expect(given("CNB_EXEC_ENV")).toBe(minor(api) >= 12);
  }

  function expectOfPlatformApi(output: string, image: InspectedImage, platformApi: string, buildpackApi: string): void {
    const api = minor(platformApi);
    const { config, history, created } = image.config;
    expect(config.Entrypoint).toEqual(["/cnb/process/web"]);
    expect(config.Env).toContain(`CNB_PLATFORM_API=${platformApi}`);

    const { processes, bom } = label(image, "io.buildpacks.build.metadata");
    expect(processes).toEqual([
      {
        type: "web",
        command: api < 10 ? "serve" : ["serve"],
        args: ["--port", "8080"],
        direct: true,
        ...(minor(buildpackApi) < 8 ? {} : { "working-dir": "/srv" }),
        buildpackID: `test/api-${buildpackApi}`,
      },
    ]);
    const buildMetadata = readFileSync(join(runner.layersDir, "config/metadata.toml"), "utf8");
    expect(buildMetadata).toContain(api < 10 ? 'command = "serve"' : 'command = ["serve"]');

    // The legacy bill of materials was in label and report before there were SBOM files for it.
    const buildpack = { id: `test/api-${buildpackApi}`, version: "1.0.0" };
    expect(bom ?? []).toEqual(api < 9 ? [expect.objectContaining({ name: "for launch", buildpack })] : []);
    const report = readFileSync(join(runner.layersDir, "report.toml"), "utf8");
    expect(report.includes('name = "for the build"')).toBe(api < 9);

    const metadata = label(image, "io.buildpacks.lifecycle.metadata");
    expect(metadata.sbom?.sha !== undefined).toBe(api >= 8);
    expect(metadata.runImage.image).toBe(api < 12 ? undefined : runImage);
    expect(metadata.stack.runImage.image).toBe(runImage);

    expect(created).toBe(api < 9 ? "1980-01-01T00:00:01Z" : "2023-11-14T22:13:20Z");
    expect(history?.some(({ created_by }) => created_by === "Buildpacks Application Launcher")).toBe(api >= 12);
    const analyzed = readFileSync(join(runner.layersDir, "analyzed.toml"), "utf8");
    expect(analyzed.includes("[run-image.target]")).toBe(api >= 12);
    expect(output.includes("Did not find SBOM launcher.sbom.cdx.json")).toBe(api >= 11);
    expect(output.includes("the system buildpack runs\n")).toBe(api >= 15);
    expect(config.Labels?.["io.buildpacks.exec-env"]).toBe(api >= 15 ? "test" : undefined);
  }

  it.each([
    ["-run", "0.11", "0.12"],
    ["-layout-dir", "0.11", "0.12"],
    ["-insecure-registry", "0.12", "0.13"],
    ["-launch-cache", "0.8", "0.9"],
  ])("takes analyzer's %s not at Platform API %s, but from %s on", async (flag, before, from) => {
    const analyze = (api: string) => runner.run("analyzer", [flag, "value"], { CNB_PLATFORM_API: api });
    expect(await analyze(before)).toMatchObject({ code: 2, stderr: expect.stringContaining(`not defined: ${flag}\n`) });
    expect(await analyze(from)).toMatchObject({ code: 3, stderr: "" });
  });
});
