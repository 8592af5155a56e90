import { ApiVersion, type Process } from "@lifecycle/spec-types";
import { describe, expect, it } from "vitest";
import { startCommand } from "./process.ts";

const process = (fields: Partial<Process>): Process => ({
  type: "web",
  command: ["run"],
  args: ["--own"],
  direct: true,
  default: false,
  buildpackId: "some/buildpack",
  ...fields,
});

interface Case {
  process?: Partial<Process>;
  user?: string[];
  platformApi?: string;
  buildpackApi?: string;
  execEnv?: string;
}

function start({ process: fields = {}, user = [], platformApi = "0.13", buildpackApi = "0.10", execEnv }: Case) {
  const { command, args } = startCommand({
    processType: "web",
    userArgs: user,
    processes: [process({ type: "worker", command: ["other"] }), process(fields)],
    buildpacks: [{ id: "some/buildpack", api: ApiVersion.parse(buildpackApi) }],
    platformApi: ApiVersion.parse(platformApi),
    execEnv: execEnv ?? "production",
  });
  return [...command, "|", ...args].join(" ");
}

describe("a buildpack-provided process", () => {
  it.each<[string, Case, string]>([
    ["has its own arguments", {}, "run | --own"],
    ["loses them to the user's", { user: ["--u"] }, "run | --u"],
    ["keeps them before Buildpack API 0.9", { user: ["--u"], buildpackApi: "0.8" }, "run | --own --u"],
    ["keeps those in its command", { process: { command: ["run", "-a"] } }, "run | -a --own"],
    ["keeps only those in its command", { process: { command: ["run", "-a"] }, user: ["--u"] }, "run | -a --u"],
    [
      "keeps all of them before Platform API 0.10",
      { process: { command: ["run", "-a"] }, user: ["--u"], platformApi: "0.9" },
      "run -a | --own --u",
    ],
    ["may have none", { process: { args: undefined as never }, user: ["--u"], buildpackApi: "0.8" }, "run | --u"],
  ])("%s", (_, input, expected) => {
    expect(start(input)).toBe(expected);
  });

  it("keeps its execution strategy and working directory", () => {
    const selection = {
      processType: "web",
      userArgs: [],
      buildpacks: [],
      platformApi: ApiVersion.parse("0.13"),
      execEnv: "production",
    };
    const processes = [process({ direct: false, workingDirectory: "/there" })];
    expect(startCommand({ ...selection, processes })).toMatchObject({
      type: "web",
      direct: false,
      workingDirectory: "/there",
    });
  });

  it.each<[string, Partial<Process>, string, string, boolean]>([
    ["in an environment of its own", { execEnv: ["test"] }, "test", "0.15", true],
    ["in any environment", { execEnv: ["*"] }, "test", "0.15", true],
    ["without environments", { execEnv: [] }, "test", "0.15", true],
    ["in another environment", { execEnv: ["test"] }, "production", "0.15", false],
    ["in another environment before Platform API 0.15", { execEnv: ["test"] }, "production", "0.14", true],
  ])("%s is eligible or not", (_, fields, execEnv, platformApi, eligible) => {
    const select = () => start({ process: fields, execEnv, platformApi });
    if (eligible) expect(select()).toBe("run | --own");
    else expect(select).toThrow("process type web was not found");
  });

  it("cannot take arguments if its buildpack is unknown", () => {
    expect(() => start({ process: { buildpackId: "gone" }, user: ["x"] })).toThrow(
      "failed to find buildpack for process web with buildpack ID gone",
    );
  });
});

describe("a user-provided command", () => {
  const user = (...userArgs: string[]) =>
    startCommand({
      processType: undefined,
      userArgs,
      processes: [],
      buildpacks: [],
      platformApi: ApiVersion.parse("0.13"),
      execEnv: "production",
    });

  it("runs in a shell", () => {
    expect(user("ls", "-l")).toEqual({ command: ["ls"], args: ["-l"], direct: false });
  });
  it("runs directly behind --", () => {
    expect(user("--", "ls", "--", "-l")).toEqual({ command: ["ls"], args: ["--", "-l"], direct: true });
  });
  it("is -- if nothing is behind it", () => {
    expect(user("--")).toEqual({ command: ["--"], args: [], direct: false });
  });
  it("is required", () => {
    expect(() => user()).toThrow("when there is no default process a command is required");
  });
});
